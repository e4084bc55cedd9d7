package images

import (
	"context"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// maxNested is how many indexes may lie in each other.
const maxNested = 3

// forThisMachine returns the image of an index that this machine runs; an image
// is its own.
func (s *Service) forThisMachine(ctx context.Context, p place, m *registry.Manifest, depth int) (*registry.Manifest, error) {
	if !m.Index() {
		return m, nil
	}
	if depth == maxNested {
		return nil, sunya.Errorf(sunya.FailedPrecondition, "", "image %s is an index in more than %d others", p.ref, maxNested)
	}
	i := slices.IndexFunc(m.Content, s.runs)
	if i < 0 {
		return nil, sunya.Errorf(sunya.FailedPrecondition, "", "image %s is not for this machine, which runs linux/%s: it is for %s", p.ref, s.Arch, platforms(m))
	}
	next, err := s.manifest(ctx, p, m.Content[i].Digest)
	if err != nil {
		return nil, err
	}
	return s.forThisMachine(ctx, p, next, depth+1)
}

// runs reports whether an entry of an index is for this machine. One that does
// not say is looked at: its configuration does.
func (s *Service) runs(c registry.Content) bool {
	return c.Platform == nil || c.Platform.OS == "linux" && c.Platform.Architecture == s.Arch
}

// platforms lists what an index has.
func platforms(m *registry.Manifest) string {
	var out []string
	for _, c := range m.Content {
		if c.Platform == nil || c.Platform.OS == "unknown" {
			continue // what is said about an image, not an image
		}
		name := c.Platform.OS + "/" + c.Platform.Architecture
		if c.Platform.Variant != "" {
			name += "/" + c.Platform.Variant
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}
