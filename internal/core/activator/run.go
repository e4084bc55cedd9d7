package activator

import (
	"context"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Run stops idle instances and keeps the minimum of those that ask for one,
// until ctx ends. Instances go on running afterwards: see Shutdown.
func (a *Activator) Run(ctx context.Context) error {
	for {
		var timer <-chan time.Time
		if next := a.tidy(); !next.IsZero() {
			timer = time.After(max(next.Sub(a.now()), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.wake:
		case <-timer:
		}
	}
}

func (a *Activator) tidy() (next time.Time) {
	for _, p := range a.all() {
		if again := p.tidy(a.now()); !again.IsZero() {
			next = earlier(next, again)
		}
	}
	return next
}

func (a *Activator) all() []*pool {
	var out []*pool
	a.pools.Range(func(_, p any) bool {
		out = append(out, p.(*pool))
		return true
	})
	return out
}

// Adopt takes the instances among the sandboxes that an earlier server left
// running into service. Call it once, after the catalog is loaded and before the first request. It
// returns before they are ready; requests wait for them as for a start.
func (a *Activator) Adopt(ctx context.Context, boxes []sandbox.Sandbox) {
	left := a.instances.Adopt(ctx, boxes)
	for _, inst := range left {
		a.with(inst.Revision(), func(p *pool) {
			p.lastSeen = a.now()
			p.launch(func(ctx context.Context) (*instance.Instance, error) {
				return inst, inst.Resume(ctx)
			})
		})
	}
	a.log.Info("adopted", "instances", len(left))
}

// Shutdown refuses new requests and stops every instance. Requests that are
// still in one are cut off after the grace period: drain the listeners first.
// It returns when nothing is left, or the error of ctx.
func (a *Activator) Shutdown(ctx context.Context) error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.stopStarts()
	var stops sync.WaitGroup
	for _, p := range a.all() {
		for _, m := range p.close() {
			stops.Go(func() { a.stop(m.inst, "the server shuts down") })
		}
	}
	ended := make(chan struct{})
	go func() {
		stops.Wait()
		a.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close takes all members out of service and returns them.
func (p *pool) close() []*member {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.failWaiters(errClosed(p.rev))
	out := p.members
	for _, m := range out {
		m.retired = true
	}
	p.members, p.policy.Min, p.policy.MinIdle = nil, 0, 0
	return out
}

// stopTimeout bounds a stop; the sandbox's own grace period is within it.
const stopTimeout = 30 * time.Second

func (a *Activator) stop(inst *instance.Instance, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := inst.Stop(ctx, why); err != nil {
		a.log.Error("stop instance", "instance", inst.ID(), "err", err)
	}
}
