package activator

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
)

// Lease is a request's slot in an instance.
type Lease struct {
	Instance  *instance.Instance
	ColdStart bool // the request waited for an instance to start
	Thawed    bool // the request woke a frozen instance

	p        *pool
	m        *member
	released atomic.Bool
}

// Release gives the slot back. Releasing twice is not an error.
func (l *Lease) Release() {
	if l.released.Swap(true) {
		return
	}
	l.Instance.Leave()
	l.p.release(l.m)
}

// Hang says that the program did not answer a request in its time: no other one
// will meet it, and the instance ends once those that it still has are over.
func (l *Lease) Hang() {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.remove(l.m) {
		return
	}
	l.m.leaving = "it did not answer a request in its time"
	p.replace()
	p.a.nudge()
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
	return a.acquire(ctx, rev, instance.ColdStart, prefer)
}

// Prove starts an instance of rev, unless one runs, and returns once it is
// ready and takes connections; it stays for the requests to come. Failures that
// were recorded before do not hold it back. The error is an *instance.StartError
// when the program is to blame.
func (a *Activator) Prove(ctx context.Context, rev *sunya.Revision) error {
	a.with(rev, func(p *pool) { p.backoff, p.draining = instance.Backoff{}, false })
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

// slot returns a slot in an instance that was ready a moment ago.
func (a *Activator) slot(ctx context.Context, rev *sunya.Revision, why instance.Reason, prefer string) (*Lease, error) {
	var (
		p   *pool
		g   grant
		w   *waiter
		err error
	)
	a.with(rev, func(own *pool) {
		p = own
		g.m, w, err = p.take(why, prefer)
	})
	if err != nil {
		return nil, err
	}
	if w != nil {
		if g = p.wait(ctx, w); g.err != nil {
			return nil, g.err
		}
	}
	return &Lease{Instance: g.m.inst, ColdStart: g.cold, p: p, m: g.m}, nil
}

// wait waits for a grant: as long as the queue may hold, and while an instance
// is starting as long as that may take.
func (p *pool) wait(ctx context.Context, w *waiter) grant {
	waited := p.a.opts.QueueTimeout
	timer := time.NewTimer(waited)
	defer timer.Stop()
	for {
		select {
		case g := <-w.got:
			return g
		case <-ctx.Done():
			p.abandon(w)
			return grant{err: context.Cause(ctx)}
		case <-timer.C:
			more := p.startLimit() - waited
			if more <= 0 {
				p.abandon(w)
				return grant{err: errBusy(p.rev, waited)}
			}
			waited += more
			timer.Reset(more)
		}
	}
}

// startLimit is how long a request waits at most for what is starting; 0 when
// nothing is.
func (p *pool) startLimit() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.starting == 0 {
		return 0
	}
	return instance.StartTimeout(p.rev) + startSlack
}

// startSlack is what a start may take around the program's own time.
const startSlack = 15 * time.Second

// lost takes an instance that could not be entered out of service.
func (a *Activator) lost(l *Lease, err error) {
	l.p.mu.Lock()
	there := l.p.remove(l.m)
	l.p.mu.Unlock()
	l.p.release(l.m)
	if !there || errors.Is(err, instance.ErrStopped) {
		return
	}
	a.log.Warn("instance does not wake", "instance", l.Instance.ID(), "err", err)
	stop := func() { a.stop(l.Instance, "it did not wake") }
	if !a.spawn(stop) {
		stop()
	}
}
