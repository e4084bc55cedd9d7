// Package metrics counts what the server does, by revision, and keeps the recent
// past of every service for those who look.
//
// A revision has counters while something happens to it, and for an hour
// afterwards: services at rest cost nothing, however many there are. On the
// request path there are atomic additions and one lookup without a lock.
package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// World is what is true at the moment.
type World interface {
	Instances() []sunya.Instance
	// Waiting returns the requests that wait for a slot, by revision.
	Waiting() map[string]int
}

// The limits of what is remembered.
const (
	forgetAfter  = time.Hour // since a revision was last seen
	maxRevisions = 2000      // those not seen for longest are forgotten first
)

// Registry keeps the counters. It is safe for concurrent use.
type Registry struct {
	now    func() time.Time
	revs   sync.Map // revision name to *series
	wake   chan struct{}
	stages stages
	awake  atomic.Bool // the sampler has been told that there is something

	mu    sync.Mutex
	world World
	past  past
}

var (
	_ served.Observer  = (*Registry)(nil)
	_ served.Registrar = (*Registry)(nil)
)

// New returns a Registry; call Run to make it keep the past.
func New(now func() time.Time) *Registry {
	return &Registry{now: now, wake: make(chan struct{}, 1), past: newPast()}
}

// SetWorld says where instances are seen. Call it before Run.
func (g *Registry) SetWorld(w World) { g.world = w }

// series are the counters of one revision.
type series struct {
	subject served.Subject
	service string       // its full name
	seen    atomic.Int64 // unix seconds; when something last happened

	requests       [Classes]atomic.Int64
	latency        histogram
	waited         histogram // those that waited
	shed           atomic.Int64
	received, sent atomic.Int64

	starts, failures atomic.Int64
	cold, thaw       histogram // of instances that a request waited for
	ends             atomic.Int64

	last Counters // as of the last sample; the sampler's
}

// Classes is how many classes of statuses there are: 1xx to 5xx.
const Classes = 5

func class(status int) int { return min(max(status/100, 1), Classes) - 1 }

// Observe implements served.Observer.
func (g *Registry) Observe(r *served.Request) {
	s := g.of(r.Revision)
	s.requests[class(r.Status)].Add(1)
	s.latency.add(r.Latency)
	if r.Waited > 0 {
		s.waited.add(r.Waited)
	}
	if isShed(r) {
		s.shed.Add(1)
	}
	if r.Received > 0 {
		s.received.Add(r.Received)
	}
	if r.Sent > 0 {
		s.sent.Add(r.Sent)
	}
	g.touch(s, r.Begin.Add(r.Latency))
}

// isShed reports whether a request was turned away for want of an instance.
func isShed(r *served.Request) bool {
	return r.Instance == "" && (r.Status == 429 || r.Status == 503)
}

// of returns the series of a revision, made now if there is none.
func (g *Registry) of(rev *sunya.Revision) *series {
	if s, ok := g.revs.Load(rev.Name); ok {
		return s.(*series)
	}
	s, _ := g.revs.LoadOrStore(rev.Name, &series{subject: served.SubjectOf(rev), service: rev.Service})
	return s.(*series)
}

// touch notes that something happened, and wakes the sampler.
func (g *Registry) touch(s *series, now time.Time) {
	if sec := now.Unix(); s.seen.Load() != sec {
		s.seen.Store(sec)
	}
	g.stir()
}

// stir wakes the sampler.
func (g *Registry) stir() {
	if g.awake.Load() || g.awake.Swap(true) {
		return
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// Born implements served.Registrar.
func (g *Registry) Born(rev *sunya.Revision, _ string) served.Life {
	return &life{g: g, rev: rev}
}

// life counts what happens to an instance.
type life struct {
	g     *Registry
	rev   *sunya.Revision
	alive bool
}

func (l *life) note(now time.Time) *series {
	s := l.g.of(l.rev)
	l.g.touch(s, now)
	return s
}

// Ready implements served.Life.
func (l *life) Ready(now time.Time, took time.Duration, waited bool) {
	l.alive = true
	s := l.note(now)
	s.starts.Add(1)
	if waited {
		s.cold.add(took)
	}
}

// Adopted implements served.Life.
func (l *life) Adopted(now time.Time, _ served.Used) {
	l.alive = true
	l.note(now)
}

// Busy implements served.Life.
func (l *life) Busy(time.Time) { l.g.stir() }

// Idle implements served.Life.
func (l *life) Idle(time.Time) {}

// Frozen implements served.Life.
func (l *life) Frozen(now time.Time, _ served.Used) { l.note(now) }

// Thawed implements served.Life.
func (l *life) Thawed(now time.Time, took time.Duration) { l.note(now).thaw.add(took) }

// Ended implements served.Life.
func (l *life) Ended(now time.Time, _ served.Used) {
	s := l.note(now)
	if l.alive {
		s.ends.Add(1)
	} else {
		s.failures.Add(1)
	}
}
