package pool

import (
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
)

// scale starts as many instances as are wanted and neither there nor on their
// way. calm is why, when nobody waits for the next one.
func (p *Pool) scale(now time.Time, calm Reason) {
	if p.closed || p.backoff.Wait(now) > 0 || now.Before(p.roomAt) {
		return
	}
	if there := len(p.members) + p.starting; now.Before(p.lookAt) && autoscale.Enough(p.cfg.Policy, p.inFlight+p.queue.n, there) {
		return // as most requests find it
	}
	p.lookAt = now.Add(lookEvery)
	o := p.observe(now)
	if autoscale.Panics(p.cfg.Policy, o) {
		p.calmAt = now.Add(autoscale.StableWindow)
	}
	for n := autoscale.Desired(p.cfg.Policy, o) - len(p.members) - p.starting; n > 0; n-- {
		p.actions = append(p.actions, Action{Start: p.reason(calm)})
		p.starting++
		p.held++
	}
}

// lookEvery is how often the windows are asked while nothing else asks for more.
const lookEvery = time.Second

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

// observe is what the autoscaler decides on: requests in instances that are
// leaving need no other.
func (p *Pool) observe(now time.Time) autoscale.Observation {
	p.windows.Observe(now, p.inFlight)
	o := autoscale.Observation{
		InFlight: p.inFlight,
		Queued:   p.queue.n,
		Busy:     p.busy,
		Ready:    len(p.members),
		Starting: p.starting,
		Stable:   p.windows.Stable(),
		Panic:    p.windows.Panic(),
		Hold:     p.windows.Hold(),
		Boot:     p.boot,
		LastSeen: p.lastSeen,
		Panicked: now.Before(p.calmAt),
	}
	if p.queue.n > 0 {
		p.ages(now, &o)
	}
	return o
}

// ages counts who has waited for long enough to be given another instance: all
// where there is none.
func (p *Pool) ages(now time.Time, o *autoscale.Observation) {
	if p.cfg.MinPending > 0 && len(p.members)+p.starting-p.held > 0 {
		o.Queued = p.queue.reach(pressing, now.Add(-p.cfg.MinPending))
	}
	if late := p.late(); late > 0 {
		o.Overdue = p.queue.reach(overdue, now.Add(-late))
	}
}

// late is how long nobody should wait: for longer than a start takes, unless the
// revision says otherwise; 0: unknown.
func (p *Pool) late() time.Duration {
	if p.cfg.MaxPending > 0 {
		return p.cfg.MaxPending
	}
	if p.boot > 0 {
		return p.cfg.MinPending + p.boot
	}
	return 0
}

// Keep sets the instances that are kept ready: at least, and besides the busy
// ones. Whoever is kept is routed.
func (p *Pool) Keep(now time.Time, least, idle int) {
	if p.closed {
		return
	}
	p.cfg.Min, p.cfg.MinIdle, p.draining = least, idle, false
	p.look(now)
}

// Limit sets how many instances there may be.
func (p *Pool) Limit(now time.Time, most int) {
	p.cfg.Max = most
	p.look(now)
}

// Drain says that nothing is routed here any more: instances end with what they
// have. A request that comes all the same is served.
func (p *Pool) Drain(now time.Time) {
	p.cfg.Min, p.cfg.MinIdle, p.draining = 0, 0, true
	p.look(now)
}

// Forgive forgets failures, so that the next request starts an instance.
func (p *Pool) Forgive() { p.backoff, p.draining = Backoff{}, false }

func (p *Pool) look(now time.Time) {
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
	p.dueForWaiters(now)
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
		p.refuseFirst(p.tooLong(now, now.Sub(w.since)))
	}
}

// tooLong says whose fault it is that a request has waited for so long.
func (p *Pool) tooLong(now time.Time, waited time.Duration) *Refusal {
	if p.held > 0 || now.Before(p.roomAt) {
		return noRoom(waited)
	}
	return &Refusal{Cause: Busy, Waited: waited}
}

// patience is when a wait is over.
func (p *Pool) patience(w *Waiter) time.Time {
	if p.starting > p.held {
		return w.since.Add(max(p.cfg.QueueTimeout, p.cfg.StartLimit))
	}
	return w.since.Add(p.cfg.QueueTimeout)
}

// dueForWaiters looks for the next wait that is over or, after a moment, comes of
// age.
func (p *Pool) dueForWaiters(after time.Time) {
	if w := p.queue.first; w != nil {
		p.dueAt(p.patience(w))
	}
	for i, d := range [ages]time.Duration{pressing: p.cfg.MinPending, overdue: p.late()} {
		if w := p.queue.ages[i].next; w != nil && d > 0 && w.since.Add(d).After(after) {
			p.dueAt(w.since.Add(d))
		}
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
	if tooMany {
		return min(p.idle(), surplus)
	}
	return p.idle()
}

// retireIdle stops the instances that are idle for long enough and not wanted,
// the longest idle first.
func (p *Pool) retireIdle(now time.Time) {
	policy, o := p.cfg.Policy, p.observe(now)
	if p.draining {
		policy.Idle, o.Stable, o.Panicked = p.idle(), 0, false
	}
	spare := len(p.members) - autoscale.Keep(policy, o, now)
	extra := len(p.members) - autoscale.Limit(policy, o)
	for ; ; spare, extra = spare-1, extra-1 {
		m := p.free.longestIdle()
		if m == nil {
			return
		}
		due := m.lastUsed.Add(p.stay(extra > 0))
		if now.Before(due) {
			p.dueAt(due)
		}
		if now.Before(due) || spare <= 0 {
			p.dueWhenSpare(now, policy.Idle, o)
			return
		}
		p.withdraw(now, m)
		p.stop(m, p.whyIdle(now, m))
	}
}

// again is how often the windows are asked whether what they kept may go.
const again = 10 * time.Second

// dueWhenSpare looks again when what is kept now may no longer be.
func (p *Pool) dueWhenSpare(now time.Time, idle time.Duration, o autoscale.Observation) {
	if gone := p.lastSeen.Add(idle); now.Before(gone) {
		p.dueAt(gone)
	}
	if o.Panicked {
		p.dueAt(p.calmAt)
	} else if o.Stable > 0 {
		p.dueAt(now.Add(again))
	}
}

// How long an instance is spared for others: settled is how long it must be idle,
// less what they have waited, and tenure how long it must have been there at least.
const (
	settled = 2 * time.Second // it is frozen by then
	tenure  = 2 * time.Second
)

// Victim returns the instance that is missed least by those who have waited for so
// long, which is idle since the moment returned; nil when none can be spared.
func (p *Pool) Victim(now time.Time, waited time.Duration) (*Member, time.Time) {
	m := p.free.longestIdle()
	if m == nil || p.cfg.NoEvict || now.Sub(m.lastUsed) < settled-waited || now.Sub(m.Since) < tenure {
		return nil, time.Time{}
	}
	if len(p.members) <= autoscale.Desired(p.cfg.Policy, p.observe(now)) {
		return nil, time.Time{}
	}
	return m, m.lastUsed
}

// Evict stops what Victim returns.
func (p *Pool) Evict(now time.Time, waited time.Duration, why string) bool {
	m, _ := p.Victim(now, waited)
	if m == nil {
		return false
	}
	p.withdraw(now, m)
	p.stop(m, why)
	p.dueAt(now)
	return true
}

func (p *Pool) whyIdle(now time.Time, m *Member) string {
	switch {
	case p.draining:
		return "no longer routed"
	case now.Sub(m.lastUsed) < p.cfg.Idle && p.cfg.MaxIdle > 0:
		return "more idle instances than wanted"
	case now.Sub(m.lastUsed) < p.cfg.Idle:
		return "more instances than allowed"
	}
	return "idle for " + p.cfg.Idle.String()
}
