package pool

import (
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
)

// scale starts as many instances as are wanted and neither there nor on their
// way. calm is why, when nobody waits for the next one.
func (p *Pool) scale(now time.Time, calm Reason) {
	if p.closed || p.backoff.Wait(now) > 0 {
		return
	}
	s := p.sample(now)
	s.LastSeen = time.Time{} // that a request was here is a reason to stay, not to start
	for n := autoscale.Desired(p.cfg.Policy, s, now) - len(p.members) - p.starting; n > 0; n-- {
		p.actions = append(p.actions, Action{Start: p.reason(calm)})
		p.starting++
	}
}

// reason is why the next instance is started: one that nobody will wait for is
// not what a request found missing.
func (p *Pool) reason(calm Reason) Reason {
	switch {
	case p.queue.n <= p.starting*p.cfg.Concurrency:
		return calm
	case len(p.members)+p.starting > 0:
		return ScaleOut
	}
	return ColdStart
}

// sample is what the autoscaler decides on: requests in instances that are
// leaving need no other.
func (p *Pool) sample(now time.Time) autoscale.Sample {
	return autoscale.Sample{
		InFlight: p.inFlight,
		Queued:   p.pressing(now),
		Busy:     p.busy,
		LastSeen: p.lastSeen,
	}
}

// pressing is how many waiters are to be given another instance: all of them
// where there is none, else those that have waited for long enough.
func (p *Pool) pressing(now time.Time) int {
	if p.cfg.MinPending <= 0 || len(p.members)+p.starting == 0 {
		return p.queue.n
	}
	p.queue.press(now.Add(-p.cfg.MinPending))
	return p.queue.pressing
}

// Keep sets the instances that are kept ready: at least, and besides the busy
// ones. Whoever is kept is routed.
func (p *Pool) Keep(now time.Time, least, idle int) {
	if p.closed {
		return
	}
	p.cfg.Min, p.cfg.MinIdle, p.draining = least, idle, false
	p.again(now)
}

// Limit sets how many instances there may be.
func (p *Pool) Limit(now time.Time, most int) {
	p.cfg.Max = most
	p.again(now)
}

// Drain says that nothing is routed here any more: instances end with what they
// have. A request that comes all the same is served.
func (p *Pool) Drain(now time.Time) {
	p.cfg.Min, p.cfg.MinIdle, p.draining = 0, 0, true
	p.again(now)
}

// Forgive forgets failures, so that the next request starts an instance.
func (p *Pool) Forgive() { p.backoff, p.draining = Backoff{}, false }

func (p *Pool) again(now time.Time) {
	p.scale(now, Minimum)
	p.dueAt(now)
}

// Tick ends waits that are over, stops what is idle, starts what is missing, and
// moves Due.
func (p *Pool) Tick(now time.Time) {
	p.due = time.Time{}
	p.expire(now)
	p.scale(now, Minimum)
	p.retireIdle(now)
	p.dueForWaiters()
	if wait := p.backoff.Wait(now); wait > 0 && p.cfg.Min+p.cfg.MinIdle+p.queue.n > 0 {
		p.dueAt(now.Add(wait))
	}
	if len(p.members) == 0 && !p.backoff.Clean(now) {
		p.dueAt(now.Add(LongEnough)) // when failures are forgotten
	}
}

// AtRest reports whether there is nothing to remember: the pool may be dropped.
func (p *Pool) AtRest(now time.Time) bool {
	return len(p.members)+p.starting+p.queue.n+p.cfg.Min+p.cfg.MinIdle == 0 && p.backoff.Clean(now)
}

// expire refuses those who have waited for too long.
func (p *Pool) expire(now time.Time) {
	for w := p.queue.first; w != nil && !now.Before(p.patience(w)); w = p.queue.first {
		p.refuseFirst(&Refusal{Cause: Busy, Waited: now.Sub(w.since)})
	}
}

// patience is when a wait is over.
func (p *Pool) patience(w *Waiter) time.Time {
	if p.starting > 0 {
		return w.since.Add(max(p.cfg.QueueTimeout, p.cfg.StartLimit))
	}
	return w.since.Add(p.cfg.QueueTimeout)
}

// dueForWaiters looks for the next wait that is over or becomes pressing.
func (p *Pool) dueForWaiters() {
	if w := p.queue.first; w != nil {
		p.dueAt(p.patience(w))
	}
	if w := p.queue.calm; w != nil && p.cfg.MinPending > 0 {
		p.dueAt(w.since.Add(p.cfg.MinPending))
	}
}

// dueAt makes Due no later than t.
func (p *Pool) dueAt(t time.Time) {
	if p.due.IsZero() || t.Before(p.due) {
		p.due = t
	}
}

// linger is how long an instance of an unrouted revision stays for requests
// that were routed just before, and surplus how long one stays that the policy
// calls too many: traffic comes in bursts.
const (
	linger  = time.Second
	surplus = 10 * time.Second
)

// idle is how long an instance stays without requests.
func (p *Pool) idle() time.Duration {
	if p.draining {
		return min(linger, p.cfg.Idle)
	}
	return p.cfg.Idle
}

// stay is how long an instance stays without requests where there may be too
// many.
func (p *Pool) stay(tooMany bool) time.Duration {
	if tooMany && p.cfg.MaxIdle > 0 {
		return min(p.idle(), surplus)
	}
	return p.idle()
}

// retireIdle stops the instances that are idle for long enough and not wanted,
// the longest idle first.
func (p *Pool) retireIdle(now time.Time) {
	policy := p.cfg.Policy
	policy.Idle = p.idle()
	sample := p.sample(now)
	spare := len(p.members) - autoscale.Desired(policy, sample, now)
	extra := len(p.members) - autoscale.Limit(policy, sample)
	for ; ; spare, extra = spare-1, extra-1 {
		m := p.free.longestIdle()
		if m == nil {
			return
		}
		switch due := m.lastUsed.Add(p.stay(extra > 0)); {
		case now.Before(due):
			p.dueAt(due)
			return
		case spare <= 0:
			p.dueWhenSpare(now, policy.Idle)
			return
		}
		p.withdraw(m)
		p.stop(m, p.whyIdle(now, m))
	}
}

// dueWhenSpare looks again when the last request is so long ago that no instance
// is kept for the next.
func (p *Pool) dueWhenSpare(now time.Time, idle time.Duration) {
	if gone := p.lastSeen.Add(idle); now.Before(gone) {
		p.dueAt(gone)
	}
}

func (p *Pool) whyIdle(now time.Time, m *Member) string {
	switch {
	case p.draining:
		return "no longer routed"
	case p.cfg.MaxIdle > 0 && now.Sub(m.lastUsed) < p.cfg.Idle:
		return "more idle instances than wanted"
	}
	return "idle for " + p.cfg.Idle.String()
}
