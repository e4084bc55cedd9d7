package pool

import "time"

// Ended takes an instance out of service of which nothing is left.
func (p *Pool) Ended(now time.Time, m *Member) {
	p.withdraw(now, m)
	if !m.retired {
		p.backoff.Ended(now, now.Sub(m.Since))
	}
	p.replace(now)
}

// Leave takes an instance out of service, which ends once its requests are over;
// false when it served no more.
func (p *Pool) Leave(now time.Time, m *Member, why string) bool {
	if !p.withdraw(now, m) {
		return false
	}
	m.leaving = why
	if m.used == 0 {
		p.stop(m, why)
	}
	p.replace(now)
	return true
}

// Doubt says that an instance broke a request off and it is not known why. For a
// second others are given requests first: one that is about to end is not met
// again by the request that met it.
func (p *Pool) Doubt(now time.Time, m *Member) {
	m.doubt = now.Add(doubtFor)
	if m.serving && m.used < p.cfg.Concurrency {
		p.free.remove(m)
		p.free.add(now, m)
	}
}

const doubtFor = time.Second

// Lost takes an instance out of service that has ended, before Ended is known.
func (p *Pool) Lost(now time.Time, m *Member) {
	if p.withdraw(now, m) {
		p.replace(now)
	}
}

// replace sees to it that those who wait are served or told, and that the minimum
// is there.
func (p *Pool) replace(now time.Time) {
	p.scale(now, Minimum)
	if p.starting == 0 && len(p.members) == 0 {
		p.refuse(p.notNow(now))
	}
	p.dueAt(now.Add(p.backoff.Wait(now)))
}

// notNow says why no instance is started at the moment.
func (p *Pool) notNow(now time.Time) *Refusal {
	if now.Before(p.roomAt) {
		return noRoom(0)
	}
	return p.backOff(now)
}

func (p *Pool) serve(now time.Time, m *Member) {
	m.serving, m.index = true, len(p.members)
	p.members = append(p.members, m)
	if p.byKey == nil {
		p.byKey = make(map[string]*Member)
	}
	p.byKey[key(m.ID)] = m
	p.free.add(now, m)
}

// withdraw takes a member out of service; false when it served no more.
func (p *Pool) withdraw(now time.Time, m *Member) bool {
	if !m.serving {
		return false
	}
	p.windows.Observe(now, p.inFlight)
	if m.used < p.cfg.Concurrency {
		p.free.remove(m)
	}
	p.inFlight -= m.used
	if m.used > 0 {
		p.busy--
	}
	last := len(p.members) - 1
	p.members[m.index] = p.members[last]
	p.members[m.index].index = m.index
	p.members[last] = nil
	p.members = p.members[:last]
	if k := key(m.ID); p.byKey[k] == m {
		delete(p.byKey, k)
	}
	m.serving = false
	return true
}

// stop asks for the end of a member that has no requests.
func (p *Pool) stop(m *Member, why string) {
	m.retired = true
	p.actions = append(p.actions, Action{Stop: m, Why: why})
}

// Close takes everything out of service for good; every wait ends.
func (p *Pool) Close(now time.Time, why string) {
	p.closed = true
	p.refuse(&Refusal{Cause: Closed})
	p.cfg.Min, p.cfg.MinIdle = 0, 0
	for len(p.members) > 0 {
		m := p.members[len(p.members)-1]
		p.withdraw(now, m)
		p.stop(m, why)
	}
}
