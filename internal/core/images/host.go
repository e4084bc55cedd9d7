package images

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	digests "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// HostConfig is the media type of the configuration of an image that was built
// on the host stack: it names layers of this machine, and is of no use
// elsewhere.
const HostConfig = "application/vnd.sunya.host.image.v1+json"

// hostDocument is the configuration of such an image.
type hostDocument struct {
	Image   sunya.Image
	Command []string
	Env     []sunya.EnvVar
	Dir     string
}

func (d *hostDocument) settings() Config {
	c := Config{Entrypoint: d.Command, WorkingDir: d.Dir}
	for _, v := range d.Env {
		if v.Field == "" {
			c.Env = append(c.Env, v.Name+"="+v.Value)
		}
	}
	return c
}

func (d *hostDocument) fetched(f *found) *Fetched {
	image := d.Image
	image.Reference, image.Digest = f.ref.String(), f.manifest.Digest
	return &Fetched{Image: image, Config: d.settings(), Env: d.Env}
}

// PutHost stores what was built on the host stack as an image of this registry,
// under a reference, and returns the digest of its manifest.
func (s *Service) PutHost(ctx context.Context, project, reference string, res *build.Result) (digest string, err error) {
	ref, err := Parse(reference)
	if err != nil {
		return "", err
	}
	if !s.Own.Here(ref.Host) && !Google(ref.Host) {
		return "", sunya.Invalid("image", "%s is not a name of this registry: use gcr.io/PROJECT/NAME or LOCATION-docker.pkg.dev/PROJECT/REPOSITORY/NAME", ref)
	}
	repository := s.Own.Repository(ref)
	if owner := registry.ProjectOf(repository); owner != project {
		return "", sunya.Errorf(sunya.PermissionDenied, ref.String(), "a build of project %s cannot push to project %s: use gcr.io/%s/NAME", project, owner, project)
	}
	config, err := json.Marshal(hostDocument{Image: res.Image, Command: res.Command, Env: res.Env, Dir: res.Dir})
	if err != nil {
		return "", fmt.Errorf("describe image: %w", err)
	}
	b, err := s.Registry.Put(ctx, repository, digests.FromBytes(config).String(), bytes.NewReader(config))
	if err != nil {
		return "", err
	}
	manifest, err := json.Marshal(v1.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    v1.MediaTypeImageManifest,
		ArtifactType: HostConfig,
		Config:       v1.Descriptor{MediaType: HostConfig, Digest: digests.Digest(b.Digest), Size: b.Size},
		Layers:       []v1.Descriptor{},
	})
	if err != nil {
		return "", fmt.Errorf("describe image: %w", err)
	}
	pushed := registry.Pushed{Repository: repository, MediaType: v1.MediaTypeImageManifest, Body: manifest}
	if ref.Tag != "" {
		pushed.Tags = []string{ref.Tag}
	}
	m, err := s.Registry.PutManifest(ctx, pushed)
	if err != nil {
		return "", err
	}
	return m.Digest, nil
}

// HostLayers are the layers that images of the host stack need, by digest.
func (s *Service) HostLayers(ctx context.Context) (map[string]bool, error) {
	manifests, err := s.Registry.OfType(ctx, HostConfig)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i := range manifests {
		f := &found{place: place{}.of(&manifests[i]), manifest: &manifests[i]}
		switch err := s.configure(ctx, f); sunya.CodeOf(err) {
		case sunya.OK:
		case sunya.FailedPrecondition: // somebody has deleted its configuration: it cannot be run any more
			continue
		default:
			return nil, err
		}
		for _, l := range f.host.Image.Layers {
			out[l.Digest] = true
		}
	}
	return out, nil
}
