// Package autoscale decides how many instances a revision should have. It is
// pure: same arguments, same answer; the caller brings what it observes.
//
// Starting is immediate: a request that would wait longer for a slot than an
// instance takes to start makes one start now. Two windows of the past see to
// what no single request shows: load that lasts (the stable window), and load
// that has multiplied (the panic window). Stopping is slow: what the stable
// window says was needed stays, and after a panic nothing is stopped at all for
// one more stable window.
package autoscale

import (
	"math"
	"time"
)

// Policy is how a revision wants to be scaled.
type Policy struct {
	Concurrency int           // requests that one instance takes at once; below 1 counts as 1
	TargetUtil  float64       // share of Concurrency at which another is wanted; outside (0, 1] counts as 1
	Min, Max    int           // Max wins over Min
	MinIdle     int           // wanted besides the busy ones
	MaxIdle     int           // too many besides the busy ones, when exceeded; 0: no limit
	Idle        time.Duration // how long the last instance is kept without requests
}

// Observation is what a revision looks like at one moment.
type Observation struct {
	InFlight int // requests inside instances
	Queued   int // requests that wait for a slot, for long enough to be given an instance
	Overdue  int // of Queued: those who have waited for longer than they should have
	Busy     int // instances with a request
	Ready    int // instances that serve
	Starting int // instances on their way

	Stable float64 // requests that had, or should have had, a slot at once: average over StableWindow
	Panic  float64 // the same over PanicWindow

	Hold time.Duration // how long a request has its slot, on average; 0: unknown
	Boot time.Duration // how long a start takes; 0: unknown

	LastSeen time.Time // when a request was last seen; zero for never
	Panicked bool      // Panics was true less than a StableWindow ago
}

// panicAt is how many times the load that the instances are there for makes a
// panic (Knative's panic-threshold-percentage is 200).
const panicAt = 2

// Panics reports whether the load of the panic window is at least twice what
// the instances that serve are meant for.
func Panics(p Policy, o Observation) bool {
	return o.Panic >= panicAt*p.target()*float64(max(o.Ready, 1))
}

// Desired returns how many instances there should be now: enough that each is at
// its target and nobody waits much longer than a start takes, and the idle ones of
// the policy besides, never outside Min and Max.
func Desired(p Policy, o Observation) int {
	load := p.load(o)
	if o.InFlight+o.Queued > 0 {
		load = max(load, p.past(o))
	}
	return p.within(p.spare(p.instances(load), o))
}

// past is the load that the windows speak of: that of the last minute as far as
// it has not passed, or what it has multiplied to.
func (p Policy) past(o Observation) float64 {
	if Panics(p, o) {
		return o.Panic
	}
	return min(o.Stable, o.Panic)
}

// Enough reports whether the instances that are there or on their way are enough
// for a number of requests, whatever else is observed but the windows.
func Enough(p Policy, requests, instances int) bool {
	return p.MinIdle <= 0 && instances >= p.Min && float64(requests) <= p.target()*float64(instances)
}

// load is how many requests are to have slots when a start would be over. Those
// that are inside count unless they are over by then; those that wait, unless they
// are served by then, and afterwards a slot serves several of them in the time
// of a start. Where somebody is overdue all the same, requests have become longer
// than they were: the slots are doubled, again and again.
func (p Policy) load(o Observation) float64 {
	if o.Hold <= 0 || o.Boot <= 0 || o.Ready == 0 {
		return float64(o.InFlight + o.Queued)
	}
	turns := float64(o.Boot) / float64(o.Hold) // requests that one slot serves while an instance starts
	served := float64(o.Ready*max(p.Concurrency, 1)) * turns
	waits := max((float64(o.Queued)-served)/max(turns, 1), float64(min(o.Overdue, o.Ready*max(p.Concurrency, 1))))
	if waits <= 0 && turns > 1 {
		return min(float64(o.InFlight), 1)
	}
	return float64(o.InFlight) + max(waits, 0)
}

// Keep returns how many instances are not to be stopped because they are idle:
// what is wanted now and was in the stable window, one while the revision is not
// idle for long enough, and all after a panic.
func Keep(p Policy, o Observation, now time.Time) int {
	if o.Panicked {
		return o.Ready
	}
	n := p.spare(p.needed(o), o)
	if n == 0 && !o.LastSeen.IsZero() && now.Sub(o.LastSeen) < p.Idle {
		n = 1
	}
	return p.within(n)
}

// Limit returns how many instances are too many when exceeded; those may be
// stopped before their idle time is over.
func Limit(p Policy, o Observation) int {
	if p.MaxIdle <= 0 || o.Panicked {
		return max(p.Max, 0)
	}
	return p.within(max(p.needed(o), o.Busy) + max(p.MaxIdle, p.MinIdle))
}

// needed is how many instances are at their target now, or were in the stable
// window; whether the last one stays is said by Idle alone.
func (p Policy) needed(o Observation) int {
	n := p.instances(float64(o.InFlight + o.Queued))
	if past := p.instances(o.Stable); past > 1 {
		n = max(n, past)
	}
	return n
}

// spare adds the idle instances that are wanted besides n.
func (p Policy) spare(n int, o Observation) int {
	if p.MinIdle <= 0 {
		return n
	}
	return max(n, o.Busy) + p.MinIdle
}

// instances is how many are at their target with a load.
func (p Policy) instances(load float64) int {
	return int(math.Ceil(load / p.target()))
}

func (p Policy) within(n int) int { return min(max(n, p.Min, 0), max(p.Max, 0)) }

// target is the number of requests that one instance should have.
func (p Policy) target() float64 {
	util := p.TargetUtil
	if !(util > 0 && util <= 1) {
		util = 1
	}
	return max(float64(p.Concurrency)*util, 1)
}
