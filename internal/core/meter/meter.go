package meter

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// The times of the meter.
const (
	journalEvery = time.Second // what a kill may cost
	storeEvery   = time.Minute
	pruneEvery   = time.Hour
	keep         = 13 * 31 * 24 * time.Hour // thirteen months: a year can be compared with the one before
)

// Meter counts what revisions use. It is safe for concurrent use.
type Meter struct {
	store   Store
	journal Journal
	now     func() time.Time
	log     *slog.Logger

	accounts sync.Map // revision name to *account
	wake     chan struct{}
	awake    atomic.Bool
	left     atomic.Bool // by Leave

	mu    sync.Mutex
	lives map[*life]struct{}

	work    sync.Mutex // held by whoever collects
	seq     int64      // of the last batch
	pending ledger     // batches that are in the journal
	sending *batch     // what is on its way to the store; nil: nothing
	stored  time.Time  // when the store was last brought up to date
	leaving []*account // forgotten, but perhaps still in somebody's hands
	failing bool       // the last attempt to write failed, and was logged

	// horizon is the newest row there was when the meter was opened, and as
	// much later as it runs; Run's own.
	horizon time.Time
}

var (
	_ served.Observer  = (*Meter)(nil)
	_ served.Registrar = (*Meter)(nil)
)

// Open returns a Meter that goes on where the last one ended, however it ended.
// Call Run to make it write.
func Open(ctx context.Context, store Store, journal Journal, now func() time.Time, log *slog.Logger) (*Meter, error) {
	m := &Meter{
		store: store, journal: journal, now: now, log: log.With("component", "meter"),
		wake: make(chan struct{}, 1), lives: map[*life]struct{}{}, pending: ledger{},
	}
	var err error
	if m.horizon, err = store.NewestUsage(ctx); err != nil {
		return nil, fmt.Errorf("open the meter: %w", err)
	}
	orphans, err := journal.Orphans()
	if err != nil {
		return nil, fmt.Errorf("open the meter: %w", err)
	}
	for _, writer := range orphans {
		if err := m.inherit(ctx, writer); err != nil {
			return nil, fmt.Errorf("open the meter: %w", err)
		}
	}
	return m, nil
}

// Observe implements served.Observer.
func (m *Meter) Observe(r *served.Request) {
	a := m.account(r.Revision)
	a.requests.Add(1)
	if r.Received > 0 {
		a.received.Add(r.Received)
	}
	if r.Sent > 0 {
		a.sent.Add(r.Sent)
	}
	m.stir()
}

// account returns that of a revision, made now if there is none.
func (m *Meter) account(rev *sunya.Revision) *account {
	if a, ok := m.accounts.Load(rev.Name); ok {
		return a.(*account)
	}
	a, _ := m.accounts.LoadOrStore(rev.Name, newAccount(rev))
	return a.(*account)
}

// Born implements served.Registrar.
func (m *Meter) Born(rev *sunya.Revision, _ string) served.Life {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &life{m: m, a: m.account(rev)}
	l.a.lives++
	m.lives[l] = struct{}{}
	return l
}

// Leave ends the billable time of all instances: another server has them from now
// on and counts it. Requests that end here are counted here.
func (m *Meter) Leave(now time.Time) {
	m.left.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	for l := range m.lives {
		l.mu.Lock()
		l.end(now)
		l.mu.Unlock()
	}
	m.stir()
}

func (m *Meter) gone(l *life) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.lives, l)
	l.a.lives--
}

// stir wakes the meter.
func (m *Meter) stir() {
	if m.awake.Load() || m.awake.Swap(true) {
		return
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run writes down what is used, until ctx ends. Nothing is done while nothing is
// used, but for a look at what is too old.
func (m *Meter) Run(ctx context.Context) error {
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-prune.C:
			m.prune(ctx)
		case <-m.wake:
			m.follow(ctx)
		}
	}
}

// follow writes every second until nothing is used any more, or ctx ends.
func (m *Meter) follow(ctx context.Context) {
	tick := time.NewTicker(journalEvery)
	defer tick.Stop()
	for busy := true; busy; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.awake.Store(false)
			busy = m.beat(ctx) || m.awake.Load()
		}
	}
}

// beat collects and writes once, and reports whether there is more to come.
func (m *Meter) beat(ctx context.Context) (busy bool) {
	m.work.Lock()
	defer m.work.Unlock()
	now := m.now()
	found, open := m.collect(now)
	m.note(ctx, found)
	if since := now.Sub(m.stored); since >= storeEvery || since < 0 {
		m.stored = now
		m.report(ctx, "store usage", m.settle(ctx))
	}
	return open || len(found) > 0 || len(m.pending) > 0 || m.sending != nil
}

// collect takes what was used since the last time, and reports whether billable
// time runs.
func (m *Meter) collect(now time.Time) (rows []Row, open bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for l := range m.lives {
		open = l.accrue(now) || open
	}
	hour := now.UTC().Truncate(time.Hour)
	take := func(a *account) bool {
		u := a.collect()
		if u == (Usage{}) {
			return false
		}
		rows = append(rows, Row{Hour: hour, Subject: a.subject, Usage: u})
		return true
	}
	for _, a := range m.leaving {
		take(a)
	}
	m.leaving = nil
	m.accounts.Range(func(name, v any) bool {
		if a := v.(*account); !take(a) && a.lives == 0 {
			m.accounts.Delete(name)
			m.leaving = append(m.leaving, a)
		}
		return true
	})
	return rows, open
}

// Usage returns what was used, up to this moment.
func (m *Meter) Usage(ctx context.Context, q Query) ([]Row, error) {
	if err := m.flush(ctx); err != nil {
		return nil, err
	}
	return m.store.Usage(ctx, q)
}

// Close stores the rest, once nothing is served any more.
func (m *Meter) Close(ctx context.Context) error { return m.flush(ctx) }

// prune removes what is too old, by the clock and by the horizon: a clock that
// has jumped ahead removes nothing.
func (m *Meter) prune(ctx context.Context) {
	if m.horizon.IsZero() {
		return // there was nothing
	}
	m.horizon = m.horizon.Add(pruneEvery)
	limit := m.horizon
	if now := m.now(); now.Before(limit) {
		limit = now
	}
	if err := m.store.PruneUsage(ctx, limit.Add(-keep)); err != nil && ctx.Err() == nil {
		m.log.ErrorContext(ctx, "prune usage", "err", err)
	}
}
