package activator

import (
	"cmp"
	"container/list"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/autoscale"
	"github.com/sunya-cloud/sunya/internal/core/instance"
)

// pool is the instances of one revision and the requests that wait for them.
type pool struct {
	a   *Activator
	rev *sunya.Revision

	mu       sync.Mutex
	policy   autoscale.Policy
	members  []*member // ready
	starting int
	waiters  list.List // of *waiter, the oldest first
	lastSeen time.Time
	draining bool // nothing is routed here any more
	gone     bool // no longer in Activator.pools
	closed   bool // by Shutdown
	backoff  instance.Backoff
	lastErr  error // of the last start that failed
}

// member is an instance with its slots.
type member struct {
	inst     *instance.Instance
	used     int
	lastUsed time.Time
	retired  bool   // the pool itself wants its end
	leaving  string // why it ends once its requests are over, else empty
}

// waiter is a request without a slot.
type waiter struct {
	got   chan grant // buffered; at most one is sent
	since time.Time
}

// grant is what a waiter waits for.
type grant struct {
	m    *member
	cold bool // m has just started
	err  error
}

func newPool(a *Activator, rev *sunya.Revision) *pool {
	p := &pool{a: a, rev: rev, policy: autoscale.Policy{
		Concurrency: max(rev.Concurrency, 1),
		TargetUtil:  rev.Scaling.TargetUtil,
		Max:         a.most(rev),
		MaxIdle:     rev.Scaling.MaxIdle,
		Idle:        a.opts.Idle,
	}}
	if rev.Scaling.Idle > 0 {
		p.policy.Idle = rev.Scaling.Idle
	}
	return p
}

// take gives a slot that is free, or puts the request at the end of the queue.
// mu is held; exactly one of the results is set.
func (p *pool) take(why instance.Reason, prefer string) (*member, *waiter, error) {
	now := p.a.now()
	p.lastSeen = now
	if m := cmp.Or(p.preferred(prefer), p.fullest()); m != nil {
		m.used++
		p.scale(why)
		return m, nil, nil
	}
	if err := p.refuse(now); err != nil {
		return nil, nil, err
	}
	w := &waiter{got: make(chan grant, 1), since: now}
	p.waiters.PushBack(w)
	p.scale(why)
	if p.rev.Scaling.MinPending > 0 {
		p.a.nudge() // to look again when it has waited long enough
	}
	if p.starting == 0 && len(p.members) == 0 {
		p.failWaiters(errClosed(p.rev)) // only a closed activator starts nothing
	}
	return nil, w, nil
}

// refuse says why a request may not wait. mu is held.
func (p *pool) refuse(now time.Time) error {
	if p.policy.Max == 0 && len(p.members) == 0 {
		return errNone(p.rev)
	}
	if wait := p.backoff.Wait(now); wait > 0 && p.starting == 0 && len(p.members) == 0 {
		return errBackoff(p.rev, p.lastErr, wait)
	}
	if p.waiters.Len() >= p.a.opts.MaxQueue {
		return errQueueFull(p.rev, p.waiters.Len())
	}
	return nil
}

// preferred returns the member whose id ends so, if it has a free slot.
func (p *pool) preferred(end string) *member {
	if end == "" {
		return nil
	}
	for _, m := range p.members {
		if m.used < p.policy.Concurrency && strings.HasSuffix(m.inst.ID(), end) {
			return m
		}
	}
	return nil
}

// fullest returns the most loaded member that has a free slot, so that the
// others can rest; among equals the one used last, which may still be warm.
func (p *pool) fullest() *member {
	var best *member
	for _, m := range p.members {
		if m.used >= p.policy.Concurrency {
			continue
		}
		if best == nil || m.used > best.used || m.used == best.used && m.lastUsed.After(best.lastUsed) {
			best = m
		}
	}
	return best
}

// release returns a slot, to the oldest waiter if there is one.
func (p *pool) release(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.used--
	m.lastUsed = p.a.now()
	p.lastSeen = m.lastUsed
	if slices.Contains(p.members, m) {
		p.dispatch(m, false)
	}
	if m.used > 0 {
		return
	}
	if m.leaving != "" && !m.retired {
		p.retire(m)
	}
	if p.draining {
		p.a.nudge()
	}
}

// dispatch gives the free slots of m to waiters. mu is held.
func (p *pool) dispatch(m *member, cold bool) {
	for m.used < p.policy.Concurrency && p.waiters.Len() > 0 {
		w := p.waiters.Remove(p.waiters.Front()).(*waiter)
		m.used++
		w.got <- grant{m: m, cold: cold}
	}
}

// failWaiters ends the wait of all. mu is held.
func (p *pool) failWaiters(err error) {
	for p.waiters.Len() > 0 {
		w := p.waiters.Remove(p.waiters.Front()).(*waiter)
		w.got <- grant{err: err}
	}
}

// abandon takes a waiter out of the queue, or gives back what it was granted
// at the same moment.
func (p *pool) abandon(w *waiter) {
	p.mu.Lock()
	for e := p.waiters.Front(); e != nil; e = e.Next() {
		if e.Value == w {
			p.waiters.Remove(e)
			p.mu.Unlock()
			return
		}
	}
	p.mu.Unlock()
	if g := <-w.got; g.m != nil {
		p.release(g.m)
	}
}

// sample is what the autoscaler decides on: requests in instances that have
// ended need no other. mu is held.
func (p *pool) sample(now time.Time) autoscale.Sample {
	s := autoscale.Sample{Queued: p.pressing(now), LastSeen: p.lastSeen}
	for _, m := range p.members {
		s.InFlight += m.used
		if m.used > 0 {
			s.Busy++
		}
	}
	return s
}

// pressing is how many waiters are to be given another instance: all of them
// where there is none, else those that have waited for long enough. mu is held.
func (p *pool) pressing(now time.Time) int {
	if p.rev.Scaling.MinPending <= 0 || len(p.members)+p.starting == 0 {
		return p.waiters.Len()
	}
	n := 0
	for e := p.waiters.Front(); e != nil && !now.Before(p.due(e)); e = e.Next() {
		n++
	}
	return n
}

// due is when a waiter is to be given another instance.
func (p *pool) due(e *list.Element) time.Time {
	return e.Value.(*waiter).since.Add(p.rev.Scaling.MinPending)
}

// nextPressing is when the next waiter will be pressing; zero for never. mu is
// held.
func (p *pool) nextPressing(now time.Time) time.Time {
	if p.rev.Scaling.MinPending <= 0 {
		return time.Time{}
	}
	for e := p.waiters.Front(); e != nil; e = e.Next() {
		if due := p.due(e); now.Before(due) {
			return due
		}
	}
	return time.Time{}
}

// remove takes a member out of service. mu is held.
func (p *pool) remove(m *member) bool {
	i := slices.Index(p.members, m)
	if i < 0 {
		return false
	}
	p.members = slices.Delete(p.members, i, i+1)
	return true
}
