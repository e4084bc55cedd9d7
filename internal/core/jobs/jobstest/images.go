package jobstest

import (
	"context"
	"io"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
)

// Images has every image but those whose reference holds "missing"; one whose
// reference holds "broken" is there, and cannot be fetched.
type Images struct{}

var (
	_ images.Resolver = Images{}
	_ images.Fetcher  = Images{}
)

// Digest is that of every image.
const Digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var config = images.Config{Entrypoint: []string{"/bin/work"}, Cmd: []string{"all"}, Env: []string{"FROM=image", "LANG=C"}, WorkingDir: "/work"}

// Resolve implements images.Resolver.
func (Images) Resolve(_ context.Context, _, reference string) (*images.Description, error) {
	if strings.Contains(reference, "missing") {
		return nil, sunya.Errorf(sunya.NotFound, reference, "there is no such image")
	}
	return &images.Description{Reference: reference, Digest: Digest, Config: config}, nil
}

// Fetch implements images.Fetcher.
func (i Images) Fetch(ctx context.Context, project, reference string, _ io.Writer) (*images.Fetched, error) {
	if strings.Contains(reference, "broken") {
		return nil, sunya.Errorf(sunya.InvalidArgument, reference, "its second layer is broken")
	}
	if _, err := i.Resolve(ctx, project, reference); err != nil {
		return nil, err
	}
	img := sunya.Image{Stack: sunya.ContainerStack, Reference: reference, Digest: Digest, Layers: []sunya.Layer{{Digest: Digest, Target: "/"}}}
	return &images.Fetched{Image: img, Config: config}, nil
}

// Layers has every layer.
type Layers struct{}

// Path implements container.Layers.
func (Layers) Path(digest string) (string, error) { return "/layers/" + digest, nil }
