package instance

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// group is the sandboxes of one instance. To the rest it is one: that of the
// container that answers requests, with which the instance lives and ends.
type group struct {
	sandbox.Sandbox // of the container that answers requests
	sidecars        []*sidecar
}

// sidecar is another container of an instance.
type sidecar struct {
	c   *sunya.Container
	box sandbox.Sandbox
	out *output
}

var (
	_ sandbox.Sandbox = (*group)(nil)
	_ sandbox.Pager   = (*group)(nil)
)

// all returns every sandbox there is, the one that answers requests last.
func (g *group) all() []sandbox.Sandbox {
	var out []sandbox.Sandbox
	for _, s := range g.sidecars {
		out = append(out, s.box)
	}
	if g.Sandbox != nil {
		out = append(out, g.Sandbox)
	}
	return out
}

// each does something with every sandbox at the same time.
func (g *group) each(do func(sandbox.Sandbox) error) error {
	boxes := g.all()
	errs := make([]error, len(boxes))
	var wait sync.WaitGroup
	for i, box := range boxes {
		wait.Go(func() { errs[i] = do(box) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// Freeze implements sandbox.Sandbox. A sidecar that has ended stays as it is.
func (g *group) Freeze(ctx context.Context) error {
	return g.each(func(b sandbox.Sandbox) error {
		if b != g.Sandbox && ended(b) {
			return nil
		}
		return b.Freeze(ctx)
	})
}

// Thaw implements sandbox.Sandbox.
func (g *group) Thaw(ctx context.Context) error {
	return g.each(func(b sandbox.Sandbox) error {
		if b != g.Sandbox && ended(b) {
			return nil
		}
		return b.Thaw(ctx)
	})
}

// PageOut implements sandbox.Pager.
func (g *group) PageOut(ctx context.Context) error {
	return g.each(func(b sandbox.Sandbox) error {
		if p, ok := b.(sandbox.Pager); ok && !ended(b) {
			return p.PageOut(ctx)
		}
		return nil
	})
}

// Stop implements sandbox.Sandbox. All have the same grace: what is flushed at
// the end may go through a sidecar.
func (g *group) Stop(ctx context.Context, grace time.Duration) error {
	return g.each(func(b sandbox.Sandbox) error { return b.Stop(ctx, grace) })
}

// Usage implements sandbox.Sandbox: of all together.
func (g *group) Usage(ctx context.Context) (sandbox.Usage, error) {
	var mu sync.Mutex
	var sum sandbox.Usage
	err := g.each(func(b sandbox.Sandbox) error {
		if b != g.Sandbox && ended(b) {
			return nil
		}
		u, err := b.Usage(ctx)
		mu.Lock()
		defer mu.Unlock()
		sum.MemoryBytes += u.MemoryBytes
		sum.CPU += u.CPU
		sum.PIDs += u.PIDs
		return err
	})
	return sum, err
}

// sidecarsOf are the other containers of an instance.
func (i *Instance) sidecarsOf() []*sidecar {
	if g, ok := i.box.(*group); ok {
		return g.sidecars
	}
	return nil
}
