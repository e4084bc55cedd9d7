package images

import (
	"context"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// Upstream brings what clients of the registry here ask it for in the name of
// another one.
type Upstream struct {
	Service *Service
	// Project is for whom; names of Google's registries in it are this
	// server's alone.
	Project string
}

// place is where the parts of an image of such a repository are. What was pushed
// to this server counts only when own is set.
func (u Upstream) place(host, repository, version string, own bool) place {
	ref := Reference{Host: host, Repository: repository, Tag: version}
	if strings.Contains(version, ":") {
		ref.Tag, ref.Digest = "", version
	}
	p := u.Service.place(u.Project, ref)
	if !own {
		p.own = ""
	}
	return p
}

// Manifest makes a manifest be here and returns it.
func (u Upstream) Manifest(ctx context.Context, host, repository, version string, own bool) (*registry.Manifest, error) {
	return u.Service.manifest(ctx, u.place(host, repository, version, own), version)
}

// Blob makes a blob be here and returns the repository that has it.
func (u Upstream) Blob(ctx context.Context, host, repository, digest string, own bool) (in string, err error) {
	p := u.place(host, repository, digest, own)
	for _, in := range p.repositories() {
		if _, err := u.Service.Registry.Blob(ctx, in, digest); sunya.CodeOf(err) != sunya.NotFound {
			return in, err
		}
	}
	if len(p.endpoints) == 0 {
		return "", u.Service.missing(p)
	}
	return p.pulled, u.Service.have(ctx, p, registry.Content{Digest: digest, Size: -1})
}
