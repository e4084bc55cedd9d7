package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// unpack makes the layers of an image be on the disk, the lowest first.
func (s *Service) unpack(ctx context.Context, f *found, log io.Writer) ([]sunya.Layer, error) {
	wanted := f.manifest.Layers()
	out := make([]sunya.Layer, len(wanted))
	log = &lockedWriter{w: log}
	var pulled atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(layersAtOnce)
	for i, c := range wanted {
		group.Go(func() error {
			begin := s.Now()
			took := false
			a := layers.Archive{
				Digest: c.Digest, DiffID: f.config.RootFS.DiffIDs[i].String(), MediaType: c.MediaType, Size: c.Size,
				Open: func(ctx context.Context) (io.ReadCloser, error) {
					took = true
					return s.blob(ctx, f.place, c)
				},
			}
			l, err := s.Unpacker.Unpack(ctx, a)
			if err != nil {
				return layerError(f, i, err)
			}
			if out[i] = l; took {
				pulled.Add(1)
				say(log, "Layer %d of %d: %v unpacked (%s)", i+1, len(wanted), sunya.Bytes(c.Size), s.Now().Sub(begin).Round(time.Millisecond))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if pulled.Load() == 0 {
		say(log, "All of it was here already")
	}
	return out, nil
}

// layersAtOnce is how many layers of one image are pulled and unpacked at once.
const layersAtOnce = 3

// layerError says which layer of which image it was.
func layerError(f *found, i int, err error) error {
	var own *sunya.Error
	if !errors.As(err, &own) {
		return fmt.Errorf("unpack layer %d of %s: %w", i+1, f.ref, err)
	}
	out := *own
	if out.Code == sunya.InvalidArgument {
		out.Code = sunya.FailedPrecondition // not what was asked for is wrong, but what it led to
	}
	if !strings.Contains(out.Message, f.ref.Repository) {
		out.Message = fmt.Sprintf("layer %d of image %s: %s", i+1, f.ref, own.Message)
	}
	return &out
}

// lockedWriter keeps lines of several goroutines apart.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// blob returns the bytes of a blob of an image: those that are here, else those
// of its registry, which are here from then on.
func (s *Service) blob(ctx context.Context, p place, c registry.Content) (io.ReadCloser, error) {
	for _, repository := range p.repositories() {
		_, body, err := s.Registry.OpenBlob(ctx, repository, c.Digest)
		if sunya.CodeOf(err) != sunya.NotFound {
			return body, err
		}
	}
	if len(p.endpoints) == 0 {
		return nil, sunya.Errorf(sunya.FailedPrecondition, "", "image %s is incomplete: the registry does not have %s any more; push it again", p.ref, c.Digest)
	}
	if err := s.have(ctx, p, c); err != nil {
		return nil, err
	}
	_, body, err := s.Registry.OpenBlob(ctx, p.pulled, c.Digest)
	return body, err
}

// have makes a blob that is not here be here. Two that want the same one wait
// for one pull.
func (s *Service) have(ctx context.Context, p place, c registry.Content) error {
	return s.under.do(ctx, p.pulled+"@"+c.Digest, func(ctx context.Context) error {
		// Another image of the same registry may have brought it.
		if err := s.Registry.Mount(ctx, p.pulled, "", c.Digest); sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
		return s.pullBlob(ctx, p, c)
	})
}

func (s *Service) pullBlob(ctx context.Context, p place, c registry.Content) error {
	select {
	case s.blobs <- struct{}{}:
		defer func() { <-s.blobs }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var errs []error
	for _, e := range p.endpoints {
		err := again(ctx, func() error { return s.pullBlobFrom(ctx, p, e, c) })
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		errs = append(errs, s.failed(p, e, err))
	}
	return pick(errs)
}

func (s *Service) pullBlobFrom(ctx context.Context, p place, e Endpoint, c registry.Content) error {
	body, err := s.Remote.Blob(ctx, e, p.ref.Repository, c.Digest)
	if err != nil {
		return err
	}
	defer body.Close() // what matters has been read and verified, or not
	counted := &counter{r: io.LimitReader(body, max(c.Size, 0)+1)}
	if c.Size < 0 { // nobody has said
		counted.r = body
	}
	_, err = s.Registry.Put(ctx, p.pulled, c.Digest, counted)
	if c.Size >= 0 && err != nil && counted.ended && counted.n != c.Size {
		more := "fewer"
		if counted.n > c.Size {
			more = "more"
		}
		return sunya.Errorf(sunya.InvalidArgument, "", "%s has %s bytes than the %d of the manifest", c.Digest, more, c.Size)
	}
	return err
}

// counter counts what is read, and remembers the end.
type counter struct {
	r     io.Reader
	n     int64
	ended bool
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.ended = c.ended || err == io.EOF
	return n, err
}

// pauses are how long to wait before asking a registry again.
var pauses = []time.Duration{time.Second, 4 * time.Second}

// again repeats what may work the next time.
func again(ctx context.Context, do func() error) error {
	err := do()
	for _, pause := range pauses {
		if !slices.Contains([]sunya.Code{sunya.Unavailable, sunya.DeadlineExceeded}, sunya.CodeOf(err)) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		err = do()
	}
	return err
}

// flights are calls under way, which others that want the same wait for.
type flights struct {
	mu    sync.Mutex
	calls map[string]*flight
}

type flight struct {
	done chan struct{}
	err  error
}

// do calls f, or waits for a call with the same key. Who waits for one that was
// given up by its caller tries by itself.
func (s *flights) do(ctx context.Context, key string, f func(context.Context) error) error {
	for {
		s.mu.Lock()
		c, ok := s.calls[key]
		if !ok {
			if s.calls == nil {
				s.calls = map[string]*flight{}
			}
			c = &flight{done: make(chan struct{})}
			s.calls[key] = c
			s.mu.Unlock()
			c.err = f(ctx)
			s.mu.Lock()
			delete(s.calls, key)
			s.mu.Unlock()
			close(c.done)
			return c.err
		}
		s.mu.Unlock()
		select {
		case <-c.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !errors.Is(c.err, context.Canceled) && !errors.Is(c.err, context.DeadlineExceeded) {
			return c.err
		}
	}
}
