package simulate

import (
	"cmp"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/freeze"
	"github.com/sunya-cloud/sunya/internal/core/pool"
)

// A frozen instance is let go for a moment now and then, so that heartbeats of
// user-chosen servers survive (core/instance): every 14 s less up to a quarter.
const (
	heartbeat    = 14*time.Second - 14*time.Second/8
	heartbeatFor = 20 * time.Millisecond
)

// instance is one that boots or has booted.
type instance struct {
	pool.Member
	svc    *service
	place  int           // in run.live
	since  time.Duration // since when it boots, is busy or is without requests
	busy   bool
	booted bool
	gone   bool
	first  *request // in it

	patience freeze.Patience
}

// enter takes a request, and returns what it waits for.
func (i *instance) enter(now time.Duration, r *request) (thaw time.Duration) {
	r.prev, r.next = nil, i.first
	if i.first != nil {
		i.first.prev = r
	}
	i.first = r
	if i.busy {
		return 0
	}
	if slept := i.rest(now); slept > 0 {
		i.patience.Woken(slept)
		thaw = i.svc.run.cfg.Thaw
		i.svc.run.report.Thaws++
	}
	i.busy, i.since = true, now
	return thaw
}

// leave gives a request back.
func (i *instance) leave(now time.Duration, r *request) {
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		i.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.prev, r.next = nil, nil
	if i.first == nil {
		i.account(busy, i.since, now)
		i.busy, i.since = false, now
	}
}

// rest accounts for the time without requests until now, and returns how much of it
// the instance was frozen.
func (i *instance) rest(now time.Duration) (slept time.Duration) {
	freeze := i.since + i.freezeAfter()
	if now <= freeze {
		i.account(idle, i.since, now)
		return 0
	}
	i.account(idle, i.since, freeze)
	i.account(frozen, freeze, now)
	i.svc.run.report.Seconds.Heartbeats += (heartbeatFor * ((now - freeze) / heartbeat)).Seconds()
	return now - freeze
}

// freezeAfter is how long it waits for a request.
func (i *instance) freezeAfter() time.Duration {
	return cmp.Or(i.svc.run.cfg.FreezeAfter, i.patience.After())
}

// end accounts for what is open.
func (i *instance) end(now time.Duration) {
	switch {
	case !i.booted:
		i.account(booting, i.since, now)
	case i.busy:
		i.account(busy, i.since, now)
	default:
		i.rest(now)
	}
	i.gone = true
}

func (i *instance) account(q quantity, from, to time.Duration) {
	i.svc.run.record.add(q, from, to, 1)
	s := &i.svc.run.report.Seconds
	switch d := (to - from).Seconds(); q {
	case booting:
		s.Booting += d
	case busy:
		s.Busy += d
	case idle:
		s.Idle += d
	case frozen:
		s.Frozen += d
	}
}
