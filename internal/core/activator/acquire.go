package activator

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/pool"
)

// Lease is a request's slot in an instance.
type Lease struct {
	Instance  *instance.Instance
	ColdStart bool          // the request waited for an instance to start
	Thawed    bool          // the request woke a frozen instance
	Waited    time.Duration // for the slot; 0 when one was free

	k        *keeper
	m        *pool.Member
	released atomic.Bool
}

// Release gives the slot back. Releasing twice is not an error.
func (l *Lease) Release() {
	if l.released.Swap(true) {
		return
	}
	l.Instance.Leave()
	l.k.release(l.m)
}

func (k *keeper) release(m *pool.Member) {
	k.mu.Lock()
	k.pool.Release(k.a.now(), m)
	k.settle("")
	k.mu.Unlock()
}

// Doubt says that the program broke the request off: others are given requests
// first for a moment, so that a repeated one meets another instance.
func (l *Lease) Doubt() {
	l.k.on(func() { l.k.pool.Doubt(l.k.a.now(), l.m) })
}

// Hang says that the program did not answer a request in its time: no other one
// will meet it, and the instance ends once those that it still has are over.
func (l *Lease) Hang() {
	l.k.on(func() { l.k.pool.Leave(l.k.a.now(), l.m, "it did not answer a request in its time") })
}

// enterAttempts is how many instances that died under the request's hands it
// tries before it gives up.
const enterAttempts = 3

// Acquire returns a slot in an instance of rev, thawed and ready. It waits for
// one while there is none, in the order of arrival, and starts an instance if
// none of those that start will absorb the request. Errors are Unavailable (the
// revision does not start), ResourceExhausted (the queue is full, or all
// instances stayed busy) or that of ctx; RetryAfter says when to come again.
// prefer is the end of an instance's id: it is chosen if it has room. Empty: any.
func (a *Activator) Acquire(ctx context.Context, rev *sunya.Revision, prefer string) (*Lease, error) {
	return a.acquire(ctx, rev, "", prefer)
}

// TryAcquire makes l a slot where Acquire would give one at once: in an instance
// that is ready and not frozen. l may have been one that is released.
func (a *Activator) TryAcquire(l *Lease, rev *sunya.Revision, prefer string) bool {
	v, ok := a.keepers.Load(rev.Name)
	if !ok {
		return false
	}
	k := v.(*keeper)
	k.mu.Lock()
	m := k.pool.Peek(prefer)
	if m == nil || m.Owner.(*instance.Instance).Frozen() {
		k.mu.Unlock()
		return false
	}
	k.pool.Take(a.now(), prefer)
	k.settle("")
	k.mu.Unlock()
	*l = Lease{Instance: m.Owner.(*instance.Instance), k: k, m: m}
	var err error
	if l.Thawed, err = l.Instance.Enter(context.Background()); err != nil {
		a.lost(l, err)
		return false
	}
	return true
}

// Prove starts an instance of rev, unless one runs, and returns once it is
// ready and takes connections; it stays for the requests to come. Failures that
// were recorded before do not hold it back. The error is an *instance.StartError
// when the program is to blame.
func (a *Activator) Prove(ctx context.Context, rev *sunya.Revision) error {
	a.tell(rev, true, func(p *pool.Pool, _ time.Time) { p.Forgive() })
	l, err := a.acquire(ctx, rev, instance.Proof, "")
	if err != nil {
		return err
	}
	defer l.Release()
	return l.Instance.Accepts(ctx)
}

func (a *Activator) acquire(ctx context.Context, rev *sunya.Revision, why instance.Reason, prefer string) (*Lease, error) {
	var last error
	for range enterAttempts {
		l, err := a.slot(ctx, rev, why, prefer)
		if err != nil {
			return nil, err
		}
		if l.Thawed, last = l.Instance.Enter(ctx); last == nil {
			return l, nil
		}
		a.lost(l, last)
	}
	return nil, sunya.Errorf(sunya.Unavailable, rev.Name, "its instances end as soon as they are asked: %v", last)
}

// slot returns a slot in an instance that was ready a moment ago. why is the
// reason of what it starts, where the pool's own is not the best.
func (a *Activator) slot(ctx context.Context, rev *sunya.Revision, why instance.Reason, prefer string) (*Lease, error) {
	k, now := a.locked(rev), a.now()
	if m := k.pool.Take(now, prefer); m != nil {
		k.settle(why)
		k.mu.Unlock()
		return k.lease(m), nil
	}
	w := &waiter{over: make(chan struct{}, 1)}
	w.Owner = w
	err := k.pool.Queue(now, &w.Waiter)
	k.settle(why)
	k.mu.Unlock()
	if err == nil {
		err = k.wait(ctx, w)
	}
	if err != nil {
		return nil, explain(rev, err)
	}
	l := k.lease(w.Member)
	l.ColdStart, l.Waited = w.Cold, a.now().Sub(now)
	return l, nil
}

func (k *keeper) lease(m *pool.Member) *Lease {
	return &Lease{Instance: m.Owner.(*instance.Instance), k: k, m: m}
}

// wait waits until the pool has decided, or ctx ends.
func (k *keeper) wait(ctx context.Context, w *waiter) error {
	select {
	case <-w.over:
		return w.Err
	case <-ctx.Done():
		k.on(func() { k.pool.Abandon(k.a.now(), &w.Waiter) })
		return context.Cause(ctx)
	}
}

// lost takes an instance that could not be entered out of service.
func (a *Activator) lost(l *Lease, err error) {
	ended := errors.Is(err, instance.ErrStopped)
	l.k.on(func() {
		now := a.now()
		if ended {
			l.k.pool.Lost(now, l.m)
		} else {
			l.k.pool.Leave(now, l.m, "it did not wake")
		}
		l.k.pool.Release(now, l.m)
	})
	if !ended {
		a.log.Warn("instance does not wake", "instance", l.Instance.ID(), "err", err)
	}
}
