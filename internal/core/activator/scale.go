package activator

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
	"github.com/sunya-cloud/sunya/internal/core/instance"
)

// scale starts as many instances as are wanted and neither there nor on their
// way. mu is held.
func (p *pool) scale(why instance.Reason) {
	now := p.a.now()
	if p.backoff.Wait(now) > 0 {
		return
	}
	s := p.sample(now)
	s.LastSeen = time.Time{} // that a request was here is a reason to stay, not to start
	for autoscale.Desired(p.policy, s, now) > len(p.members)+p.starting {
		if !p.launch(p.starter(p.reason(why))) {
			return
		}
	}
}

// reason is why the next instance is started: one that nobody will wait for is
// not what a request found missing. mu is held.
func (p *pool) reason(why instance.Reason) instance.Reason {
	waited := p.waiters.Len() > p.starting*p.policy.Concurrency
	switch {
	case why != instance.ColdStart:
		return why
	case !waited:
		return instance.Spare
	case len(p.members)+p.starting > 0:
		return instance.ScaleOut
	}
	return why
}

// starter begins the life of an instance.
type starter func(ctx context.Context) (*instance.Instance, error)

func (p *pool) starter(why instance.Reason) starter {
	return func(ctx context.Context) (*instance.Instance, error) {
		return p.a.instances.Start(ctx, p.rev, why)
	}
}

// launch begins the life of an instance in the background; it fails only when
// the activator is closed. mu is held.
func (p *pool) launch(start starter) bool {
	ok := p.a.spawn(func() { p.live(start) })
	if ok {
		p.starting++
	}
	return ok
}

// live is the life of one instance in its pool, from start to end.
func (p *pool) live(start starter) {
	inst, err := start(p.a.starts)
	if err != nil {
		p.failed(err)
		return
	}
	m, ok := p.join(inst)
	if !ok {
		p.a.stop(inst, "the server shuts down")
	}
	<-inst.Done()
	p.ended(m)
}

// join takes a ready instance into service, unless the pool is closed.
func (p *pool) join(inst *instance.Instance) (m *member, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m = &member{inst: inst, lastUsed: p.a.now(), retired: p.closed}
	p.starting--
	if p.closed {
		return m, false
	}
	p.backoff.Ready()
	p.members = append(p.members, m)
	p.dispatch(m, true)
	p.a.nudge()
	return m, true
}

// failed records a start that came to nothing. Who waits is told, unless other
// instances will serve them.
func (p *pool) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	p.backoff.Failed(p.a.now())
	p.lastErr = err
	if p.starting == 0 && len(p.members) == 0 {
		p.failWaiters(err)
	}
	p.a.nudge()
}

// ended takes an instance out of service that has ended.
func (p *pool) ended(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(m)
	if !m.retired {
		now := p.a.now()
		p.backoff.Ended(now, now.Sub(m.inst.Status().StartTime))
	}
	p.replace()
	p.a.nudge()
}

// replace sees to it that those who wait are served or told. mu is held.
func (p *pool) replace() {
	if p.waiters.Len() == 0 {
		return
	}
	p.scale(instance.ColdStart)
	if p.starting == 0 && len(p.members) == 0 {
		p.failWaiters(errBackoff(p.rev, p.lastErr, p.backoff.Wait(p.a.now())))
	}
}

// tidy stops what is idle, starts what is missing and says when to look again;
// zero for never.
func (p *pool) tidy(now time.Time) (again time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return time.Time{}
	}
	why := instance.Minimum
	if p.waiters.Len() > 0 {
		why = instance.ColdStart
	}
	p.scale(why)
	again = p.retireIdle(now)
	if p.dropIfEmpty(now) {
		return time.Time{}
	}
	if wait := p.backoff.Wait(now); wait > 0 && p.policy.Min+p.policy.MinIdle > 0 {
		again = earlier(again, now.Add(wait))
	}
	if due := p.nextPressing(now); !due.IsZero() {
		again = earlier(again, due)
	}
	if len(p.members) == 0 {
		again = earlier(again, now.Add(instance.LongEnough)) // when failures are forgotten
	}
	return again
}

// linger is how long an instance of an unrouted revision stays for requests
// that were routed just before, and surplus how long one stays that the policy
// calls too many: traffic comes in bursts.
const (
	linger  = time.Second
	surplus = 10 * time.Second
)

// retireIdle stops the instances that are idle for long enough and not wanted.
// mu is held.
func (p *pool) retireIdle(now time.Time) (again time.Time) {
	idle, policy := p.policy.Idle, p.policy
	if p.draining {
		idle = min(linger, idle)
		policy.Idle = idle
	}
	sample := p.sample(now)
	spare := len(p.members) - autoscale.Desired(policy, sample, now)
	extra := len(p.members) - autoscale.Limit(policy, sample)
	look := idle // when a busy one may have become idle
	if policy.MaxIdle > 0 {
		look = min(idle, surplus)
	}
	for _, m := range append([]*member(nil), p.members...) {
		stay := idle
		if extra > 0 {
			stay = min(idle, surplus)
		}
		due := m.lastUsed.Add(stay)
		switch {
		case m.used > 0:
			again = earlier(again, now.Add(look))
		case now.Before(due):
			again = earlier(again, due)
		case spare > 0:
			spare--
			extra--
			p.retire(m)
		default:
			again = earlier(again, now.Add(idle))
		}
	}
	return again
}

// retire takes m out of service and stops it. mu is held.
func (p *pool) retire(m *member) {
	why := "idle for " + p.policy.Idle.String()
	switch {
	case m.leaving != "":
		why = m.leaving
	case p.draining:
		why = "no longer routed"
	case p.policy.MaxIdle > 0 && p.a.now().Sub(m.lastUsed) < p.policy.Idle:
		why = "more idle instances than wanted"
	}
	if p.a.spawn(func() { p.a.stop(m.inst, why) }) {
		m.retired = true
		p.remove(m)
	}
}

// dropIfEmpty forgets the pool when there is nothing to remember. mu is held.
func (p *pool) dropIfEmpty(now time.Time) bool {
	if len(p.members)+p.starting+p.waiters.Len()+p.policy.Min+p.policy.MinIdle > 0 || !p.backoff.Clean(now) {
		return false
	}
	p.gone = true
	p.a.pools.CompareAndDelete(p.rev.Name, p)
	return true
}

// earlier returns the first of two moments; zero stands for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
