package served

import (
	"time"

	"github.com/sunya-cloud/sunya"
)

// Registrar is told of every instance.
type Registrar interface {
	// Born returns what is to be told of an instance that is being started, or
	// adopted from an earlier server. Each life ends with Ended.
	Born(rev *sunya.Revision, instance string) Life
}

// Life is told what happens to one instance, with the moment at which it did.
// The calls of one instance come one after the other, some of them on the
// request path, with its lock held: they return soon.
type Life interface {
	// Ready says that it takes requests from now on; took is the time since its
	// start was decided, and waited says that a request waited for it.
	Ready(now time.Time, took time.Duration, waited bool)
	// Adopted is called in place of Ready, for one that another server started;
	// it had used as much by then.
	Adopted(now time.Time, used Used)
	// Busy says that it has requests in flight now, Idle that it has none any
	// more. They take turns, beginning with Busy.
	Busy(now time.Time)
	Idle(now time.Time)
	// Frozen says that it stands still, Thawed that it goes on; took is how long
	// that took. A heartbeat is not told; a request that meets one is no thaw, so
	// that Frozen may follow Frozen.
	Frozen(now time.Time, used Used)
	Thawed(now time.Time, took time.Duration)
	// Ended says that it is gone; Idle may still follow. Without Ready or Adopted
	// before, it did not come to life.
	Ended(now time.Time, used Used)
}

// Used is what an instance has used since its start; zero where unknown.
type Used struct {
	CPU         time.Duration
	MemoryBytes int64 // at the moment
}

// Registrars tells several registrars, one after the other.
type Registrars []Registrar

// Born implements Registrar.
func (all Registrars) Born(rev *sunya.Revision, instance string) Life {
	out := make(lives, len(all))
	for i, r := range all {
		out[i] = r.Born(rev, instance)
	}
	return out
}

// lives tells several lives.
type lives []Life

// Ready implements Life.
func (all lives) Ready(now time.Time, took time.Duration, waited bool) {
	for _, l := range all {
		l.Ready(now, took, waited)
	}
}

// Adopted implements Life.
func (all lives) Adopted(now time.Time, used Used) {
	for _, l := range all {
		l.Adopted(now, used)
	}
}

// Busy implements Life.
func (all lives) Busy(now time.Time) {
	for _, l := range all {
		l.Busy(now)
	}
}

// Idle implements Life.
func (all lives) Idle(now time.Time) {
	for _, l := range all {
		l.Idle(now)
	}
}

// Frozen implements Life.
func (all lives) Frozen(now time.Time, used Used) {
	for _, l := range all {
		l.Frozen(now, used)
	}
}

// Thawed implements Life.
func (all lives) Thawed(now time.Time, took time.Duration) {
	for _, l := range all {
		l.Thawed(now, took)
	}
}

// Ended implements Life.
func (all lives) Ended(now time.Time, used Used) {
	for _, l := range all {
		l.Ended(now, used)
	}
}
