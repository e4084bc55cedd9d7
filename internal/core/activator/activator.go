// Package activator gives requests their slot in an instance, and holds them
// in arrival order while none is free.
//
// A revision has a keeper, which keeps its pool, only while it has instances or requests: at rest it
// costs nothing here. A request that finds no slot, and that no instance which
// is about to be ready will absorb, starts an instance at once.
package activator

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/agenda"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/pool"
	"github.com/sunya-cloud/sunya/internal/core/room"
)

// Options are the platform's defaults. Zero values are the defaults named.
type Options struct {
	Idle         time.Duration // from the last request to stop, for revisions that do not say; 15 min
	MaxInstances int           // for revisions that do not say; 20
	MaxQueue     int           // requests of one revision that wait for a slot; 1000
	QueueTimeout time.Duration // longest wait while all instances are busy; 1 min

	// Machine looks at what the machine has left; nil: everything is there.
	Machine   func() room.Machine
	MaxMemory int64 // bytes for all instances together; 0: what the machine has
	Reserve   int64 // bytes of the machine that no instance is started into; 0: none
}

func (o Options) withDefaults() Options {
	return Options{
		Idle:         cmp.Or(o.Idle, 15*time.Minute),
		MaxInstances: cmp.Or(o.MaxInstances, 20),
		MaxQueue:     cmp.Or(o.MaxQueue, 1000),
		QueueTimeout: cmp.Or(o.QueueTimeout, time.Minute),
		Machine:      o.Machine,
		MaxMemory:    o.MaxMemory,
		Reserve:      o.Reserve,
	}
}

// Activator keeps the pools. It is safe for concurrent use.
type Activator struct {
	instances *instance.Manager
	opts      Options
	now       func() time.Time
	log       *slog.Logger
	keepers   sync.Map // revision name to *keeper
	parts     sync.Map // revision name to the sunya.Bounds that fall to it
	agenda    *agenda.Agenda[*keeper]
	lobby     *lobby

	// starts ends with the activator: a start outlives the request that
	// wanted it.
	starts     context.Context
	stopStarts context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup // one for each instance; Add only with mu held and not closed
}

// New returns an Activator; call Run to make it stop idle instances.
func New(m *instance.Manager, o Options, now func() time.Time, log *slog.Logger) *Activator {
	starts, stop := context.WithCancel(context.Background())
	return &Activator{
		instances:  m,
		opts:       o.withDefaults(),
		now:        now,
		log:        log.With("component", "activator"),
		agenda:     agenda.New[*keeper](),
		lobby:      newLobby(o, now),
		starts:     starts,
		stopStarts: stop,
	}
}

// keeper returns the keeper of rev, made now if there is none.
func (a *Activator) keeper(rev *sunya.Revision) *keeper {
	if k, ok := a.keepers.Load(rev.Name); ok {
		return k.(*keeper)
	}
	k, _ := a.keepers.LoadOrStore(rev.Name, newKeeper(a, rev))
	return k.(*keeper)
}

// locked returns the keeper of rev with its mu held.
func (a *Activator) locked(rev *sunya.Revision) *keeper {
	for {
		k := a.keeper(rev)
		k.mu.Lock()
		if !k.gone {
			return k
		}
		k.mu.Unlock()
	}
}

// tell tells the pool of rev of an event, unless there is none and the event is
// nothing to make one for.
func (a *Activator) tell(rev *sunya.Revision, always bool, event func(p *pool.Pool, now time.Time)) {
	if !always && !a.has(rev.Name) {
		return
	}
	k := a.locked(rev)
	defer k.mu.Unlock()
	event(k.pool, a.now())
	k.settle("")
}

// Warm keeps the minimum of instances that rev asks for, or its service does: it
// has traffic.
func (a *Activator) Warm(rev *sunya.Revision) {
	a.keep(rev, max(rev.Scaling.Min, a.part(rev).Min), rev.Scaling.MinIdle)
}

// Bound says what falls to rev, which has traffic, of its service's bounds. The
// zero value falls to a revision whose own bounds hold alone.
func (a *Activator) Bound(rev *sunya.Revision, part sunya.Bounds) {
	if part == (sunya.Bounds{}) {
		a.parts.Delete(rev.Name)
	} else {
		a.parts.Store(rev.Name, part)
	}
	a.tell(rev, false, func(p *pool.Pool, now time.Time) { p.Limit(now, a.most(rev)) })
	a.Warm(rev)
}

func (a *Activator) part(rev *sunya.Revision) sunya.Bounds {
	part, _ := a.parts.Load(rev.Name)
	b, _ := part.(sunya.Bounds)
	return b
}

// most is how many instances rev may have: as it says, and as its service does.
// The platform's default gives way to what is wanted at least.
func (a *Activator) most(rev *sunya.Revision) int {
	part := a.part(rev)
	n := max(a.opts.MaxInstances, rev.Scaling.Min, rev.Scaling.MinIdle, part.Min)
	if rev.Scaling.Max > 0 {
		n = rev.Scaling.Max
	}
	if part.Limited {
		n = min(max(n, part.Min), part.Max)
	}
	return n
}

// Cool keeps no minimum any more, unless rev always has one: rev is reached
// only by its own host.
func (a *Activator) Cool(rev *sunya.Revision) {
	least := 0
	if rev.Scaling.Always {
		least = rev.Scaling.Min
	}
	a.keep(rev, least, 0)
}

func (a *Activator) keep(rev *sunya.Revision, least, idle int) {
	if rev.HasProgram() {
		a.tell(rev, least+idle > 0, func(p *pool.Pool, now time.Time) { p.Keep(now, least, idle) })
	}
}

// Drain lets rev finish what was routed to it and stops its instances then.
func (a *Activator) Drain(rev *sunya.Revision) {
	a.tell(rev, false, (*pool.Pool).Drain)
}

func (a *Activator) has(revision string) bool {
	_, ok := a.keepers.Load(revision)
	return ok
}

// Instances returns all instances, by revision.
func (a *Activator) Instances() []sunya.Instance { return a.instances.Instances() }

// spawn runs f on a goroutine that Shutdown waits for; it refuses once that
// has begun.
func (a *Activator) spawn(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.wg.Go(f)
	return true
}
