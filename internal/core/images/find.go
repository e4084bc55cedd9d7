package images

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// maxConfig bounds the configuration of an image.
const maxConfig = 8 << 20

// place is where the parts of an image are.
type place struct {
	ref Reference
	// own is the repository here that may have been pushed to; pulled that for
	// what comes from elsewhere. They differ for names of Google's registries,
	// which may be this server's or Google's: what was pulled must not appear
	// in the repositories of a project.
	own, pulled string
	endpoints   []Endpoint // of the registry that has what is missing here; none: nobody has
}

// place says where to look for an image.
func (s *Service) place(project string, ref Reference) place {
	p := place{ref: ref, own: s.Own.Repository(ref)}
	if s.Own.Here(ref.Host) || Google(ref.Host) && registry.ProjectOf(p.own) == project {
		return p
	}
	p.pulled = pulledName(ref.Host, ref.Repository)
	p.endpoints = s.Mirrors.endpoints(ref.Host)
	return p
}

// of is the place of the parts of a manifest that was found: the repository
// that it is in, and, when it was pulled, the registry that it comes from.
func (p place) of(m *registry.Manifest) place {
	p.own, p.pulled = m.Repository, m.Repository
	if !m.Pulled {
		p.endpoints = nil
	}
	return p
}

// find looks an image up here and then at its registry, and gets the manifest
// for this machine and the configuration.
func (s *Service) find(ctx context.Context, project, reference string) (*found, error) {
	ref, err := Parse(reference)
	if err != nil {
		return nil, err
	}
	p := s.place(project, ref)
	m, err := s.manifest(ctx, p, ref.Version())
	if err != nil {
		return nil, err
	}
	f := &found{place: p.of(m)}
	if f.manifest, err = s.forThisMachine(ctx, f.place, m, 0); err != nil {
		return nil, err
	}
	return f, s.configure(ctx, f)
}

// manifest returns a manifest of an image: the one that is here, else that of
// its registry, which is here from then on.
func (s *Service) manifest(ctx context.Context, p place, version string) (*registry.Manifest, error) {
	for _, repository := range p.repositories() {
		m, err := s.Registry.Manifest(ctx, repository, version)
		if sunya.CodeOf(err) != sunya.NotFound {
			return m, err
		}
	}
	if len(p.endpoints) == 0 {
		return nil, s.missing(p)
	}
	return s.pullManifest(ctx, p, version)
}

// repositories are those here in which to look.
func (p place) repositories() []string {
	var out []string
	for _, r := range []string{p.own, p.pulled} {
		if r != "" && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// missing says what to do about an image that is nowhere.
func (s *Service) missing(p place) error {
	name := p.ref.String()
	if s.Own.Here(p.ref.Host) || Google(p.ref.Host) {
		return sunya.Errorf(sunya.NotFound, "", "image %s does not exist in this registry: push it with docker push, or build it with sunya builds submit --tag %s", name, name)
	}
	return sunya.Errorf(sunya.NotFound, "", "image %s was not pushed to this registry, and the server is not to ask %s (--registry-mirror %s=local): push it to %s in this registry", name, p.ref.Host, p.ref.Host, p.pulled)
}

// pullManifest asks the registry of an image, and its mirrors before.
func (s *Service) pullManifest(ctx context.Context, p place, version string) (*registry.Manifest, error) {
	var errs []error
	for _, e := range p.endpoints {
		m, err := s.pullManifestFrom(ctx, p, e, version)
		if err == nil {
			return m, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		errs = append(errs, s.failed(p, e, err))
	}
	return nil, pick(errs)
}

func (s *Service) pullManifestFrom(ctx context.Context, p place, e Endpoint, version string) (*registry.Manifest, error) {
	var mediaType string
	var body []byte
	err := again(ctx, func() (err error) {
		mediaType, body, err = s.Remote.Manifest(ctx, e, p.ref.Repository, version, registry.MaxManifestBytes)
		return err
	})
	if err != nil {
		return nil, err
	}
	pushed := registry.Pushed{Repository: p.pulled, MediaType: mediaType, Body: body, Pulled: true, Sparse: true}
	if strings.Contains(version, ":") {
		pushed.Digest = version
	}
	return s.Registry.PutManifest(ctx, pushed)
}

// failed says of an error which image and which registry it is about.
func (s *Service) failed(p place, e Endpoint, err error) error {
	name := p.ref.String()
	own := new(sunya.Error)
	if !errors.As(err, &own) {
		return fmt.Errorf("pull %s from %s: %w", name, e, err)
	}
	out := &sunya.Error{Code: own.Code, Reason: own.Reason, Err: own.Err}
	switch own.Code {
	case sunya.NotFound:
		out.Message = fmt.Sprintf("image %s does not exist at %s: check name and tag", name, e)
		if Google(p.ref.Host) {
			out.Message = fmt.Sprintf("image %s does not exist in this registry, nor at %s: push it with docker push, or build it with sunya builds submit --tag %s", name, e, name)
		}
	case sunya.PermissionDenied, sunya.Unauthenticated:
		out.Code = sunya.PermissionDenied
		out.Message = fmt.Sprintf("image %s does not exist at %s, or may not be pulled: %s; for one that is private, docker login %s as the account that starts the server, and start it again", name, e, own.Message, cmp.Or(e.Mirror, e.Host))
	default:
		out.Message = fmt.Sprintf("image %s cannot be pulled from %s: %s", name, e, own.Public())
		if Google(p.ref.Host) && own.Code == sunya.Unavailable {
			out.Message = fmt.Sprintf("image %s does not exist in this registry, and %s cannot be asked for it: %s; push it with docker push, or build it with sunya builds submit --tag %s", name, e, own.Public(), name)
		} else if own.Code == sunya.Unavailable {
			out.Message += fmt.Sprintf("; where that is out of reach, name a mirror (sunya up --registry-mirror %[1]s=HOST), or make a base image here (sunya images bootstrap; sunya up --registry-mirror %[1]s=local)", p.ref.Host)
		}
	}
	return out
}

// pick returns the error that tells most: that of the registry itself, which
// comes last, unless a mirror has sent what must not be used; and what the
// others said.
func pick(errs []error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return sunya.CodeOf(err) == sunya.InvalidArgument })
	if i < 0 {
		i = len(errs) - 1
	}
	var main *sunya.Error
	if !errors.As(errs[i], &main) {
		return errs[i]
	}
	out := *main
	for k, err := range errs {
		var e *sunya.Error
		if k != i && errors.As(err, &e) {
			out.Message += "; " + e.Message
		}
	}
	return &out
}

// configure reads the configuration of an image.
func (s *Service) configure(ctx context.Context, f *found) error {
	c, ok := f.manifest.Config()
	if !ok {
		return sunya.Errorf(sunya.FailedPrecondition, "", "image %s has no configuration", f.ref)
	}
	if c.Size > maxConfig {
		return sunya.Errorf(sunya.FailedPrecondition, "", "the configuration of image %s has %v, more than %v", f.ref, sunya.Bytes(c.Size), sunya.Bytes(maxConfig))
	}
	body, err := s.blob(ctx, f.place, c)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(body, maxConfig))
	if err = errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("read configuration of %s: %w", f.ref, err)
	}
	if c.MediaType == HostConfig {
		// It says what of this machine is shown to the program: nobody but this
		// server may.
		if f.manifest.Pulled {
			return sunya.Errorf(sunya.FailedPrecondition, "", "image %s cannot be run: it was built on the runtimes of another machine, and stands on them; build it here", f.ref)
		}
		f.host = new(hostDocument)
		return f.broken(json.Unmarshal(text, f.host))
	}
	f.config = new(document)
	if err := f.broken(json.Unmarshal(text, f.config)); err != nil {
		return err
	}
	return s.check(f)
}

func (f *found) broken(err error) error {
	if err == nil {
		return nil
	}
	return &sunya.Error{Code: sunya.FailedPrecondition, Err: err, Message: fmt.Sprintf("image %s cannot be run: its configuration is not one of a container image", f.ref)}
}

// check says whether this machine can run the image.
func (s *Service) check(f *found) error {
	os, arch := f.config.OS, f.config.Architecture
	if os != "" && os != "linux" || arch != "" && arch != s.Arch {
		return sunya.Errorf(sunya.FailedPrecondition, "", "image %s is for %s/%s, and this machine runs linux/%s: build it with --platform linux/%s", f.ref, os, arch, s.Arch, s.Arch)
	}
	if got, want := len(f.config.RootFS.DiffIDs), len(f.manifest.Layers()); got != want {
		return sunya.Errorf(sunya.FailedPrecondition, "", "image %s cannot be run: its configuration names %d layers and its manifest %d: it is an artifact, or broken", f.ref, got, want)
	}
	return nil
}

// settings are what the image says about how it is run.
func (f *found) settings() Config {
	if f.host != nil {
		return f.host.settings()
	}
	c := f.config.Config
	return Config{
		Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, User: c.User, WorkingDir: c.WorkingDir, Labels: c.Labels,
		ExposedPorts: slices.Sorted(maps.Keys(c.ExposedPorts)),
	}
}
