// Package autoscale decides how many instances a revision should have. It is
// pure: same arguments, same answer; the caller brings the time.
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

// Sample is what a revision looks like at one moment.
type Sample struct {
	InFlight int       // requests inside instances
	Queued   int       // requests waiting for a slot, for long enough to be given an instance
	Busy     int       // instances with a request
	LastSeen time.Time // when a request was last seen; zero for never
}

// Desired returns the wanted number of instances at now: enough that each is
// at its target and the idle ones of the policy are there besides, one while the
// revision is not idle for long enough, never outside Min and Max.
func Desired(p Policy, s Sample, now time.Time) int {
	n := p.needed(s)
	if p.MinIdle > 0 {
		n = max(n, s.Busy) + p.MinIdle
	}
	if n == 0 && !s.LastSeen.IsZero() && now.Sub(s.LastSeen) < p.Idle {
		n = 1
	}
	return p.within(n)
}

// Limit returns how many instances are too many when exceeded; those may be
// stopped before their idle time is over.
func Limit(p Policy, s Sample) int {
	if p.MaxIdle <= 0 {
		return max(p.Max, 0)
	}
	return p.within(max(p.needed(s), s.Busy) + max(p.MaxIdle, p.MinIdle))
}

// needed is how many instances the requests ask for.
func (p Policy) needed(s Sample) int {
	return int(math.Ceil(float64(s.InFlight+s.Queued) / p.target()))
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
