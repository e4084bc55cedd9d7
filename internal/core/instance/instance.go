// Package instance keeps the running sandboxes of revisions: it starts,
// freezes, thaws, drains and stops them, and carries their output to the log.
//
// An instance without a request in flight is frozen after a second or sooner
// (core/freeze), so that it costs no CPU, and thawed by the next request. Programs with heartbeats of
// their own (gunicorn's master kills a worker that is silent for 30 s) survive
// because every frozen instance is let go for some milliseconds at least every
// 14 s, and is knocked at: the kernel stops the clock of a select that is
// frozen, so a worker that waits there would sleep through its moment. A
// connection that is closed at once wakes it, and no server minds.
package instance

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/agenda"
	"github.com/sunya-cloud/sunya/internal/core/freeze"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/served"
	"github.com/sunya-cloud/sunya/internal/core/upstream"
)

// Instance is one running sandbox of a revision. Its methods are safe for
// concurrent use.
type Instance struct {
	m         *Manager
	rev       *sunya.Revision
	box       sandbox.Sandbox
	out       *output
	transport *http.Transport
	upstream  *upstream.Pool
	due       agenda.Entry[*Instance]
	done      chan struct{} // closed by supervise, when nothing of it is left
	told      served.Life   // under mu
	frozen    atomic.Bool   // its processes stand still, or are about to

	mu       sync.Mutex
	state    sunya.InstanceState
	inFlight int
	freezeAt time.Time // when it may freeze, while nothing is in flight
	patience freeze.Patience
	frozeAt  time.Time // when it was frozen last; a heartbeat is within
	pagedOut bool      // its memory has been moved to swap since
	lookAt   time.Time // when the freezer looks again; zero: never
	beatAt   time.Time // when a frozen one is let go for a moment
	beating  bool      // it was let go for a moment, and for nothing else
	lives    []*life
	killed   bool        // for a reason that the log has
	used     served.Used // when it was last looked at
}

func (m *Manager) newInstance(rev *sunya.Revision, box sandbox.Sandbox) *Instance {
	i := &Instance{
		m:     m,
		rev:   rev,
		box:   box,
		state: sunya.InstanceStarting,
		done:  make(chan struct{}),
	}
	i.due.Item = i
	i.told = m.Registrar.Born(rev, i.ID())
	i.out = m.carryOutput(rev, i.ID(), rev.ContainerName, box)
	i.transport = newTransport(i)
	i.upstream = newUpstream(i)
	m.add(i)
	return i
}

// ID returns the instance's id, which is its sandbox's.
func (i *Instance) ID() string { return i.box.Spec().ID }

// Revision returns what it is an instance of.
func (i *Instance) Revision() *sunya.Revision { return i.rev }

// Done is closed when the instance has ended and nothing of it is left.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Exited is closed when the program has ended, before its output is carried to
// the end and Done is closed.
func (i *Instance) Exited() <-chan struct{} { return i.box.Done() }

// Transport returns the connection pool of this instance. It ignores the host
// of a URL and is closed when the instance ends.
func (i *Instance) Transport() *http.Transport { return i.transport }

// Upstream returns the connections of this instance over which it is spoken to
// with HTTP/1.1. They are closed when the instance ends.
func (i *Instance) Upstream() *upstream.Pool { return i.upstream }

// Dial opens a connection to the program's port. Enter first: a frozen program
// accepts nothing.
func (i *Instance) Dial(ctx context.Context) (net.Conn, error) { return i.box.Dial(ctx) }

// Usage reads what the instance uses at the moment.
func (i *Instance) Usage(ctx context.Context) (sandbox.Usage, error) { return i.box.Usage(ctx) }

// Status returns the instance as seen from outside.
func (i *Instance) Status() sunya.Instance {
	came := i.came()
	i.mu.Lock()
	defer i.mu.Unlock()
	return sunya.Instance{
		ID:        i.ID(),
		Revision:  i.rev.Name,
		State:     i.state,
		StartTime: i.box.StartTime(),
		InFlight:  i.inFlight,
		Start:     came,
	}
}

// Frozen reports whether Enter would have to thaw it.
func (i *Instance) Frozen() bool { return i.frozen.Load() }

// LogLines returns the last lines of its output.
func (i *Instance) LogLines() []string { return i.out.lines() }

// newTransport returns the pool of connections to i. Limits: robustness.md
// rule 26.
func newTransport(i *Instance) *http.Transport {
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return i.box.Dial(ctx)
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    max(i.rev.Concurrency, 1),
		MaxResponseHeaderBytes: 256 << 10,
	}
	if i.rev.Protocol == sunya.H2C {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	t.IdleConnTimeout = i.keepIdle()
	return t
}

// newUpstream returns the pool of connections of the gateway's own.
func newUpstream(i *Instance) *upstream.Pool {
	return &upstream.Pool{Open: i.box.Dial, MaxIdle: max(i.rev.Concurrency, 1), Keep: i.keepIdle(), Ask: i.m.Ask}
}

// keepIdle is how long an idle connection is kept; 0: for ever. Servers close
// idle connections themselves, some after 2 s. A frozen one cannot, so there the
// connections are kept.
func (i *Instance) keepIdle() time.Duration {
	if i.rev.Scaling.NoFreeze {
		return 1500 * time.Millisecond
	}
	return 0
}
