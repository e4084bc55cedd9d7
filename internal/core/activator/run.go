package activator

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/room"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Run stops idle instances and keeps the minimum of those that ask for one,
// until ctx ends. Instances go on running afterwards: see Shutdown.
func (a *Activator) Run(ctx context.Context) error {
	for {
		var timer <-chan time.Time
		if next := earlier(a.tick(), a.admit()); !next.IsZero() {
			timer = time.After(max(next.Sub(a.now()), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.agenda.Wake():
		case <-a.lobby.wake:
		case <-timer:
		}
	}
}

// tick does what is due and returns when to look again; zero for not until the
// agenda says.
func (a *Activator) tick() (next time.Time) {
	for {
		k, ok, next := a.agenda.Take(a.now())
		if !ok {
			return next
		}
		k.tick()
	}
}

// earlier returns the first of two moments; zero stands for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (a *Activator) all() []*keeper {
	var out []*keeper
	a.keepers.Range(func(_, k any) bool {
		out = append(out, k.(*keeper))
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
		a.adopt(inst)
	}
	a.log.Info("adopted", "instances", len(left))
}

func (a *Activator) adopt(inst *instance.Instance) {
	k := a.locked(inst.Revision())
	defer k.mu.Unlock()
	resume := func(ctx context.Context) (*instance.Instance, error) { return inst, inst.Resume(ctx) }
	if k.launch(resume, true) {
		k.pool.Adopt(a.now())
		a.lobby.tell(func(r *room.Room) { r.Adopted(k.rev.Name, k.memory()) })
	}
	k.settle("")
}

// Hold takes a slot in an instance for a request that another server has in it.
// False when it has none to give, is not ready or not there.
func (a *Activator) Hold(id string) (*Lease, bool) {
	for _, k := range a.all() {
		if l := k.hold(id); l != nil {
			return l, true
		}
	}
	return nil, false
}

func (k *keeper) hold(id string) *Lease {
	k.mu.Lock()
	m := k.pool.Find(id)
	if m == nil || k.pool.Peek(id) != m {
		k.mu.Unlock()
		return nil
	}
	k.pool.Take(k.a.now(), id)
	k.settle("")
	k.mu.Unlock()
	l := k.lease(m)
	if _, err := l.Instance.Enter(context.Background()); err != nil {
		k.a.lost(l, err)
		return nil
	}
	return l
}

// Unsettled is how many instances are on their way and how many requests wait.
func (a *Activator) Unsettled() (starting, waiting int) {
	for _, k := range a.all() {
		k.mu.Lock()
		starting += k.pool.Starting()
		waiting += k.pool.Queued()
		k.mu.Unlock()
	}
	return starting, waiting
}

// Shutdown refuses new requests and stops every instance. Requests that are
// still in one are cut off after the grace period: drain the listeners first.
// It returns when nothing is left, or the error of ctx.
func (a *Activator) Shutdown(ctx context.Context) error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.stopStarts()
	for _, k := range a.all() {
		k.mu.Lock()
		k.close()
		k.mu.Unlock()
	}
	ended := make(chan struct{})
	go func() {
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

// stopTimeout bounds a stop; the sandbox's own grace period is within it.
const stopTimeout = 30 * time.Second

func (a *Activator) stop(inst *instance.Instance, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	a.weigh(ctx, inst)
	if err := inst.Stop(ctx, why); err != nil {
		a.log.Error("stop instance", "instance", inst.ID(), "err", err)
	}
}
