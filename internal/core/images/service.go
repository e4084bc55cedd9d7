package images

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"time"

	specs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// Parts is what a Service works with.
type Parts struct {
	Registry *registry.Service
	Remote   Remote
	Unpacker layers.Unpacker
	Own      Own
	Mirrors  Mirrors
	// Arch is the architecture that this machine runs, in Go's words; empty:
	// that of this program.
	Arch string
	Now  func() time.Time
	Log  *slog.Logger
}

// Service finds images, wherever they are, and makes them ready to run. It is
// safe for concurrent use.
type Service struct {
	Parts
	blobs chan struct{} // slots of blobs that are being pulled
	under flights       // blobs that are being pulled
}

// pulls is how many blobs are pulled at once: more do not come sooner.
const pulls = 6

var (
	_ Fetcher  = (*Service)(nil)
	_ Resolver = (*Service)(nil)
)

// New returns a Service.
func New(p Parts) *Service {
	if p.Arch == "" {
		p.Arch = runtime.GOARCH
	}
	p.Log = p.Log.With("component", "images")
	return &Service{Parts: p, blobs: make(chan struct{}, pulls)}
}

// found is an image whose manifest and configuration are here.
type found struct {
	place
	manifest *registry.Manifest
	config   *document // nil for an image of the host stack
	host     *hostDocument
}

// document is the configuration of an image, as it is stored.
type document = specs.Image

// Resolve implements Resolver.
func (s *Service) Resolve(ctx context.Context, project, reference string) (*Description, error) {
	f, err := s.find(ctx, project, reference)
	if err != nil {
		return nil, err
	}
	return &Description{Reference: f.ref.String(), Digest: f.manifest.Digest, Bytes: f.manifest.Bytes(), Config: f.settings()}, nil
}

// Fetch implements Fetcher.
func (s *Service) Fetch(ctx context.Context, project, reference string, log io.Writer) (*Fetched, error) {
	f, err := s.find(ctx, project, reference)
	if err != nil {
		return nil, err
	}
	if f.host != nil {
		say(log, "Image %s is %s, built on this machine", f.ref, short(f.manifest.Digest))
		return f.host.fetched(f), nil
	}
	if s.Unpacker == nil {
		return nil, sunya.Errorf(sunya.Unimplemented, "", "image %s cannot be run: this machine has no way to unpack container images", f.ref)
	}
	say(log, "Image %s is %s for linux/%s: %s, %v", f.ref, short(f.manifest.Digest), s.Arch, counted(len(f.manifest.Layers())), sunya.Bytes(f.manifest.Bytes()))
	unpacked, err := s.unpack(ctx, f, log)
	if err != nil {
		return nil, err
	}
	return &Fetched{
		Image: sunya.Image{
			Stack: sunya.ContainerStack, Layers: unpacked, Runtime: "Container " + f.ref.String(),
			Reference: f.ref.String(), Digest: f.manifest.Digest,
		},
		Config: f.settings(),
	}, nil
}

// say writes a line that the user reads.
func say(log io.Writer, format string, args ...any) {
	// The log is the only place to complain to.
	_, _ = io.WriteString(log, fmt.Sprintf(format, args...)+"\n")
}

func counted(layers int) string {
	if layers == 1 {
		return "1 layer"
	}
	return fmt.Sprint(layers, " layers")
}

// short is a digest as people compare them.
func short(digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return algorithm + ":" + hex[:min(len(hex), 12)]
}
