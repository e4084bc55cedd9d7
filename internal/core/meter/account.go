package meter

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// account gathers what a revision uses until the next collection.
type account struct {
	subject   served.Subject
	cpuMillis int64 // vCPU of an instance
	memoryMiB int64
	always    bool // the processor is allocated while no request is in flight, too

	requests, starts, received, sent atomic.Int64
	billable, cpuUsed                atomic.Int64 // nanoseconds

	lives int // instances there are; Meter.mu
}

func newAccount(rev *sunya.Revision) *account {
	a := &account{subject: served.SubjectOf(rev), always: rev.Scaling.NoFreeze}
	a.add(&rev.Container)
	for i := range rev.Sidecars {
		a.add(&rev.Sidecars[i])
	}
	return a
}

func (a *account) add(c *sunya.Container) {
	a.cpuMillis += int64(c.CPUMillis)
	a.memoryMiB += c.MemoryBytes >> 20
}

// collect takes what was gathered. Less than the unit of a figure stays.
func (a *account) collect() Usage {
	u := Usage{
		Requests:      a.requests.Swap(0),
		Starts:        a.starts.Swap(0),
		CPUUsedMicros: whole(&a.cpuUsed, time.Microsecond),
		ReceivedBytes: a.received.Swap(0),
		SentBytes:     a.sent.Swap(0),
	}
	u.InstanceMillis = whole(&a.billable, time.Millisecond)
	u.CPUMicros = u.InstanceMillis * a.cpuMillis
	u.MemoryMiBMillis = u.InstanceMillis * a.memoryMiB
	return u
}

func whole(nanos *atomic.Int64, unit time.Duration) int64 {
	n := nanos.Load() / int64(unit)
	nanos.Add(-n * int64(unit))
	return n
}

// granule is what a stretch of billable time is rounded up to.
const granule = 100 * time.Millisecond

func roundUp(d time.Duration) time.Duration { return (d + granule - 1) / granule * granule }

// life is one instance.
type life struct {
	m *Meter
	a *account

	mu     sync.Mutex
	ready  bool
	open   bool      // billable time runs
	since  time.Time // when it began to
	billed time.Time // up to which it is in the account
	cpu    time.Duration
}

// Ready implements served.Life.
func (l *life) Ready(now time.Time, took time.Duration, _ bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = true
	l.a.starts.Add(1)
	l.begin(now.Add(-took))
	if !l.a.always {
		l.end(now)
	}
	l.m.stir()
}

// Adopted implements served.Life. What it used before was counted by the server
// that started it, or is not known.
func (l *life) Adopted(now time.Time, used served.Used) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready, l.cpu = true, used.CPU
	if l.a.always {
		l.begin(now)
	}
	l.m.stir()
}

// Busy implements served.Life.
func (l *life) Busy(now time.Time) {
	if l.a.always {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begin(now)
	l.m.stir()
}

// Idle implements served.Life.
func (l *life) Idle(now time.Time) {
	if l.a.always {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(now)
}

// Frozen implements served.Life.
func (l *life) Frozen(_ time.Time, used served.Used) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.use(used)
}

// Thawed implements served.Life.
func (l *life) Thawed(time.Time, time.Duration) {}

// Ended implements served.Life.
func (l *life) Ended(now time.Time, used served.Used) {
	l.mu.Lock()
	l.end(now)
	l.use(used)
	l.mu.Unlock()
	l.m.gone(l)
}

// use counts the processor time that was not counted yet; mu is held.
func (l *life) use(used served.Used) {
	if l.ready && used.CPU > l.cpu {
		l.a.cpuUsed.Add(int64(used.CPU - l.cpu))
		l.cpu = used.CPU
		l.m.stir()
	}
}

// begin lets billable time run from now on; mu is held.
func (l *life) begin(now time.Time) {
	if l.m.left.Load() {
		return // another server counts it
	}
	if !l.open {
		l.open, l.since = true, now
	}
}

// end ends the stretch of billable time; mu is held.
func (l *life) end(now time.Time) {
	if l.open {
		l.bill(l.since.Add(roundUp(now.Sub(l.since))))
		l.open = false
	}
}

// accrue puts the billable time up to now into the account.
func (l *life) accrue(now time.Time) (open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		l.bill(now)
	}
	return l.open
}

// bill counts the time up to a moment, from when it was not counted yet; mu is
// held.
func (l *life) bill(until time.Time) {
	from := l.since
	if l.billed.After(from) {
		from = l.billed
	}
	if until.After(from) {
		l.a.billable.Add(int64(until.Sub(from)))
		l.billed = until
	}
}
