package pool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
)

// model drives a pool with random events and keeps account of what it should do.
type model struct {
	t      testing.TB
	rnd    *rand.Rand
	p      *Pool
	now    time.Time
	turns  int       // starts that wait for their turn
	starts int       // under way
	alive  []*Member // not ended
	held   []*Member // one for each slot that somebody has
	queue  []*Waiter // in the order of arrival
	most   int       // the largest Max that was ever set
	nextID int
}

func newModel(t testing.TB, seed uint64) *model {
	rnd := rand.New(rand.NewPCG(seed, 1))
	c := Config{
		Policy: autoscale.Policy{
			Concurrency: 1 + rnd.IntN(5), TargetUtil: rnd.Float64(), Max: 1 + rnd.IntN(6),
			MaxIdle: rnd.IntN(3), Idle: time.Duration(rnd.IntN(30)) * time.Second,
		},
		MaxQueue: rnd.IntN(20), QueueTimeout: 5 * time.Second, StartLimit: 9 * time.Second,
		MinPending: time.Duration(rnd.IntN(3)) * time.Second, MaxPending: time.Duration(rnd.IntN(5)) * time.Second,
	}
	return &model{t: t, rnd: rnd, p: New(c), now: time.Unix(1e9, 0), most: c.Max}
}

func (m *model) arrive() {
	prefer := ""
	if len(m.alive) > 0 && m.rnd.IntN(4) == 0 {
		prefer = m.alive[m.rnd.IntN(len(m.alive))].ID
	}
	if got := m.p.Take(m.now, prefer); got != nil {
		if len(m.queue) > 0 {
			m.t.Error("somebody got a slot while others wait")
		}
		m.held = append(m.held, got)
		return
	}
	w := &Waiter{}
	if err := m.p.Queue(m.now, w); err == nil {
		m.queue = append(m.queue, w)
	}
}

// take removes a random element.
func take[T any](rnd *rand.Rand, from *[]T) (out T, ok bool) {
	if len(*from) == 0 {
		return out, false
	}
	i := rnd.IntN(len(*from))
	out = (*from)[i]
	*from = slices.Delete(*from, i, i+1)
	return out, true
}

func (m *model) step() {
	m.now = m.now.Add(time.Duration(m.rnd.IntN(1500)) * time.Millisecond)
	switch n := m.rnd.IntN(100); {
	case n < 35:
		m.arrive()
	case n < 60:
		if got, ok := take(m.rnd, &m.held); ok {
			m.p.Release(m.now, got)
		}
	case n < 65:
		if w, ok := take(m.rnd, &m.queue); ok {
			m.p.Abandon(m.now, w)
		}
	case n < 72:
		m.begin()
	case n < 80:
		m.start(m.rnd.IntN(5) > 0)
	case n < 83:
		m.end()
	case n < 85:
		if len(m.held) > 0 {
			m.p.Doubt(m.now, m.held[m.rnd.IntN(len(m.held))])
		}
		if len(m.alive) > 0 {
			m.p.Leave(m.now, m.alive[m.rnd.IntN(len(m.alive))], "asked to")
		}
	case n < 87:
		if len(m.alive) > 0 {
			m.p.Lost(m.now, m.alive[m.rnd.IntN(len(m.alive))])
		}
	case n < 88:
		if m.rnd.IntN(2) == 0 {
			m.p.Evict(m.now, time.Second, "evicted")
		}
		m.p.Keep(m.now, m.rnd.IntN(3), m.rnd.IntN(2))
	case n < 89:
		m.p.Drain(m.now)
	case n < 90:
		most := m.rnd.IntN(6)
		m.most = max(m.most, most)
		m.p.Limit(m.now, most)
	case !m.p.Due().IsZero() && !m.now.Before(m.p.Due()):
		m.tick()
	}
	m.settle()
	m.check()
}

func (m *model) tick() {
	m.p.Tick(m.now)
	if due := m.p.Due(); !due.IsZero() && !due.After(m.now) {
		m.t.Errorf("after a tick at %v the next is due at %v", m.now, due)
	}
}

func (m *model) begin() {
	switch {
	case m.turns == 0:
	case m.rnd.IntN(5) == 0:
		n := 1 + m.rnd.IntN(m.turns)
		m.turns -= n
		m.p.NoRoom(m.now, n)
	default:
		m.turns--
		if m.p.Begin(m.now) {
			m.starts++
		}
	}
}

func (m *model) start(ok bool) {
	if m.starts == 0 {
		return
	}
	m.starts--
	if !ok {
		m.p.Failed(m.now, errors.New("crash"))
		return
	}
	m.nextID++
	inst := &Member{ID: fmt.Sprintf("rev-%d", m.nextID), Since: m.now, Boot: time.Duration(m.rnd.IntN(3)) * time.Second}
	m.alive = append(m.alive, inst)
	m.p.Started(m.now, inst)
}

// end lets an instance die; who had a slot in it gives that back.
func (m *model) end() {
	dead, ok := take(m.rnd, &m.alive)
	if !ok {
		return
	}
	m.p.Ended(m.now, dead)
	m.settle()
	for i := 0; i < len(m.held); {
		if m.held[i] != dead {
			i++
			continue
		}
		m.held = slices.Delete(m.held, i, i+1)
		m.p.Release(m.now, dead)
	}
}

// settle does what the pool wants.
func (m *model) settle() {
	for _, act := range m.p.Actions() {
		switch {
		case act.Wake != nil:
			m.wake(act.Wake)
		case act.Stop != nil:
			if act.Stop.Used() != 0 {
				m.t.Error("an instance with requests was stopped")
			}
			if act.Why == "" {
				m.t.Error("stopped without a reason")
			}
			i := slices.Index(m.alive, act.Stop)
			if i >= 0 && m.rnd.IntN(2) == 0 { // ends soon, else later
				m.alive = slices.Delete(m.alive, i, i+1)
				defer func() { m.p.Ended(m.now, act.Stop); m.settle() }()
			}
		default:
			m.turns++
		}
	}
}

func (m *model) wake(w *Waiter) {
	if len(m.queue) == 0 || m.queue[0] != w {
		m.t.Fatal("woken out of order")
	}
	m.queue = m.queue[1:]
	if (w.Member == nil) == (w.Err == nil) {
		m.t.Errorf("woken with %v and %v", w.Member, w.Err)
	}
	if w.Member != nil {
		m.held = append(m.held, w.Member)
	}
}

func (m *model) check() {
	used := map[*Member]int{}
	for _, h := range m.held {
		used[h]++
	}
	inFlight, busy, free := 0, 0, false
	for i, x := range m.p.members {
		if x.used != used[x] || x.used > m.p.cfg.Concurrency || x.index != i {
			m.t.Errorf("%s has %d slots out at place %d, want %d, at most %d, at %d", x.ID, x.used, x.index, used[x], m.p.cfg.Concurrency, i)
		}
		free = free || x.used < m.p.cfg.Concurrency
		inFlight += x.used
		busy += min(x.used, 1)
	}
	if inFlight != m.p.inFlight || busy != m.p.busy {
		m.t.Errorf("in flight %d, busy %d; want %d, %d", m.p.inFlight, m.p.busy, inFlight, busy)
	}
	if len(m.p.members)+m.p.starting > m.most {
		m.t.Errorf("%d instances and %d on their way, want at most %d", len(m.p.members), m.p.starting, m.most)
	}
	if m.starts+m.turns != m.p.starting || m.turns != m.p.held {
		m.t.Errorf("%d starts are under way, %d wait; the pool says %d in all, %d", m.starts, m.turns, m.p.starting, m.p.held)
	}
	if m.p.Queued() != len(m.queue) {
		m.t.Errorf("%d wait, want %d", m.p.Queued(), len(m.queue))
	}
	if len(m.queue) == 0 {
		return
	}
	if free {
		m.t.Error("somebody waits while a slot is free")
	}
	if m.p.Due().IsZero() || m.p.Due().After(m.p.patience(m.queue[0])) {
		m.t.Errorf("the oldest wait ends at %v, and the pool looks at %v", m.p.patience(m.queue[0]), m.p.Due())
	}
}

// finish lets everything come to an end.
func (m *model) finish() {
	m.p.Keep(m.now, 0, 0)
	for range 1000 {
		for len(m.held) > 0 {
			got, _ := take(m.rnd, &m.held)
			m.p.Release(m.now, got)
			m.settle()
		}
		for m.turns > 0 {
			m.begin()
			m.settle()
		}
		for m.starts > 0 {
			m.start(true)
			m.settle()
		}
		if m.p.AtRest(m.now) {
			return
		}
		if m.p.Due().IsZero() {
			m.t.Fatalf("not at rest, and never looked at again: %+v", m.p)
		}
		m.now = m.now.Add(max(m.p.Due().Sub(m.now), 0))
		m.tick()
		m.settle()
		m.check()
	}
	m.t.Fatalf("never at rest: %+v", m.p)
}

// Whatever happens, no slot is given twice or lost, nobody is forgotten, and
// nothing is left in the end.
func TestRandomEvents(t *testing.T) {
	for seed := range uint64(300) {
		m := newModel(t, seed)
		for range 1000 {
			if m.step(); t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		m.finish()
	}
}

func FuzzPool(f *testing.F) {
	f.Add(uint64(1000), uint16(300))
	f.Fuzz(func(t *testing.T, seed uint64, events uint16) {
		m := newModel(t, seed)
		for range events % 2000 {
			m.step()
		}
		m.finish()
	})
}
