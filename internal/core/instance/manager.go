package instance

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/agenda"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/served"
	"github.com/sunya-cloud/sunya/internal/core/serving"
	"github.com/sunya-cloud/sunya/internal/core/upstream"
)

// Directory knows the services and revisions there are.
type Directory interface {
	Table() *serving.Table
}

// Output is called once for each container of an instance, by its name (empty where
// there is one), and returns what carries its streams
// ("stdout", "stderr") to the log, so that they can share a limit. That is
// called once a stream, on a goroutine of its own; it reads r to its end and
// closes it.
type Output func(rev *sunya.Revision, instanceID, container string) func(stream string, r io.ReadCloser)

// Parts is what a Manager works with.
type Parts struct {
	Engine    sandbox.Engine
	Layers    layers.Store
	Directory Directory
	Output    Output // nil: output is dropped
	// Sink takes what the platform has to say about instances, under the name
	// and resource that LogName gives; nil: nowhere.
	Sink    logs.Sink
	LogName func(rev *sunya.Revision) (name string, res logs.Resource)
	// Registrar is told of every instance; nil: nobody is.
	Registrar served.Registrar
	// CheckImage refuses an image that no longer fits this machine; nil: none
	// is refused.
	CheckImage func(sunya.Image) error
	// Crowded reports whether the memory of instances that sleep is better off in
	// swap; nil: it stays where it is.
	Crowded func() bool
	// Ask is upstream.Pool's; nil: requests are written and answers read.
	Ask func(net.Conn) upstream.Ask
	Now func() time.Time
	Log *slog.Logger
}

// The times of an instance's life.
const (
	heartbeat    = 14 * time.Second      // longest time until a frozen one is let go
	heartbeatFor = 20 * time.Millisecond // and for how long
	pageOutAfter = time.Minute           // without a request, where memory is wanted
	grace        = 10 * time.Second      // from SIGTERM to SIGKILL
	startTimeout = time.Minute           // for revisions that do not say
)

// Manager starts instances and looks after those that run.
type Manager struct {
	Parts
	log *slog.Logger
	due *agenda.Agenda[*Instance] // what needs looking after

	mu   sync.Mutex
	live map[*Instance]struct{}

	templates templates
	stopped   chan struct{} // closed when Run ends; another one when it runs again
}

// New returns a Manager; call Run to make it freeze and thaw.
func New(p Parts) *Manager {
	if p.Registrar == nil {
		p.Registrar = served.Registrars{}
	}
	return &Manager{
		Parts: p,
		log:   p.Log.With("component", "instance"),
		due:   agenda.New[*Instance](),
		live:  map[*Instance]struct{}{},

		stopped: make(chan struct{}),
	}
}

func (m *Manager) now() time.Time { return m.Now() }

// Run freezes idle instances and gives frozen ones their heartbeat, until ctx
// ends; it may be called again then. One timer serves all of them, and none runs
// while there is nothing to look after.
func (m *Manager) Run(ctx context.Context) error {
	defer close(m.running())
	for {
		var timer <-chan time.Time
		if next := m.tend(ctx); !next.IsZero() {
			timer = time.After(max(next.Sub(m.now()), 0))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-m.due.Wake():
		case <-timer:
		}
	}
}

// running returns what is closed when Run ends, which begins now.
func (m *Manager) running() chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.stopped:
		m.stopped = make(chan struct{})
	default:
	}
	return m.stopped
}

// end is closed when Run ends.
func (m *Manager) end() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stopped
}

// tend looks after the instances that need it, and returns when the next does;
// zero for never.
func (m *Manager) tend(ctx context.Context) (next time.Time) {
	for {
		i, ok, next := m.due.Take(m.now())
		if !ok {
			return next
		}
		if again := i.tend(ctx, m.now()); !again.IsZero() {
			m.due.Latest(&i.due, again) // it may have been asked for earlier meanwhile
		}
	}
}

// Instances returns those that are starting, running or stopping, the oldest
// of a revision first.
func (m *Manager) Instances() []sunya.Instance {
	var out []sunya.Instance
	for _, i := range m.instances() {
		out = append(out, i.Status())
	}
	slices.SortFunc(out, func(a, b sunya.Instance) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), a.StartTime.Compare(b.StartTime), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func (m *Manager) instances() []*Instance {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*Instance, 0, len(m.live))
	for i := range m.live {
		out = append(out, i)
	}
	return out
}

func (m *Manager) add(i *Instance) {
	m.mu.Lock()
	m.live[i] = struct{}{}
	m.mu.Unlock()
}

func (m *Manager) remove(i *Instance) {
	m.mu.Lock()
	delete(m.live, i)
	m.mu.Unlock()
}

// nudge makes Run look after an instance soon.
func (m *Manager) nudge(i *Instance) { m.due.Latest(&i.due, m.now()) }
