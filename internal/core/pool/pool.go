package pool

import (
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
)

// Config is what a pool is told when it is made.
type Config struct {
	autoscale.Policy
	MinPending   time.Duration // how long a request waits before another instance is started for it
	MaxPending   time.Duration // after which one is started whatever is foreseen; 0: as long as a start takes
	MaxQueue     int           // requests that may wait
	QueueTimeout time.Duration // longest wait while all instances are busy
	StartLimit   time.Duration // longest wait while one is starting, when that is more
	NoEvict      bool          // instances work while they have no requests: none is a Victim
}

// Pool is the instances of one revision and the requests that wait for them. It
// is not safe for concurrent use.
type Pool struct {
	cfg      Config
	members  []*Member // that serve
	byKey    map[string]*Member
	free     order // the members with a slot
	starting int
	held     int // of starting: those that have not begun
	queue    queue
	inFlight int // requests in members
	busy     int // members with requests
	lastSeen time.Time
	draining bool // nothing is routed here any more
	closed   bool
	backoff  Backoff
	lastErr  error // of the last start that failed
	windows  autoscale.Windows
	boot     time.Duration // how long a start takes, on average; 0: unknown
	roomAt   time.Time     // until when the machine has no room for another start
	calmAt   time.Time     // when the last panic is over
	lookAt   time.Time     // when the windows are asked again
	due      time.Time
	actions  []Action
}

// New returns a pool without instances.
func New(c Config) *Pool {
	c.Concurrency = max(c.Concurrency, 1)
	c.MaxPending = max(c.MaxPending, 0)
	return &Pool{cfg: c}
}

// Actions returns what is to be done since it was called last. The slice is good
// until the next event.
func (p *Pool) Actions() []Action {
	out := p.actions
	p.actions = nil
	if cap(out) <= keptActions {
		p.actions = out[:0]
	}
	return out
}

// keptActions is how much room for actions a pool keeps from one event to the next.
const keptActions = 64

// Due is when Tick is to be called; zero for never. It may be too early.
func (p *Pool) Due() time.Time { return p.due }

// Peek returns the instance in which Take would give a slot; nil: in none.
func (p *Pool) Peek(prefer string) *Member {
	if m := p.preferred(prefer); m != nil {
		return m
	}
	return p.free.fullest()
}

// Take gives the request that arrives a slot: in the instance whose id ends with
// prefer if that has one, else in the fullest. Nil when there is none.
func (p *Pool) Take(now time.Time, prefer string) *Member {
	m := p.Peek(prefer)
	if m == nil {
		return nil
	}
	p.arrived(now)
	p.enter(now, m)
	p.scale(now, Spare)
	return m
}

// preferred returns the member whose id ends so, if it has a free slot.
func (p *Pool) preferred(end string) *Member {
	if end == "" {
		return nil
	}
	if m := p.byKey[key(end)]; m != nil && m.used < p.cfg.Concurrency && m.doubt.IsZero() {
		return m
	}
	return nil
}

// Queue puts a request that Take had no slot for at the end of the queue, or
// says why it may not wait: its error is a *Refusal.
func (p *Pool) Queue(now time.Time, w *Waiter) error {
	p.arrived(now)
	if r := p.refusal(now); r != nil {
		return r
	}
	w.since = now
	p.queue.push(w)
	p.scale(now, Spare)
	p.dueForWaiters(time.Time{})
	return nil
}

func (p *Pool) arrived(now time.Time) {
	p.lastSeen = now
	p.windows.Observe(now, p.inFlight)
	p.windows.Arrived()
}

// refusal says why a request may not wait; nil: it may.
func (p *Pool) refusal(now time.Time) *Refusal {
	none := len(p.members)+p.starting == 0
	switch {
	case p.closed:
		return &Refusal{Cause: Closed}
	case p.cfg.Max == 0 && len(p.members) == 0:
		return &Refusal{Cause: None}
	case none && p.backoff.Wait(now) > 0:
		return p.backOff(now)
	case none && now.Before(p.roomAt):
		return noRoom(0)
	case p.queue.n >= p.cfg.MaxQueue:
		return &Refusal{Cause: QueueFull, Queued: p.queue.n}
	}
	return nil
}

func (p *Pool) backOff(now time.Time) *Refusal {
	return &Refusal{Cause: BackOff, After: p.backoff.Wait(now), Err: p.lastErr}
}

// Abandon ends a wait that nobody is interested in any more, and gives back what
// came of it.
func (p *Pool) Abandon(now time.Time, w *Waiter) {
	switch {
	case w.queued:
		p.queue.remove(w)
	case w.Member != nil:
		p.Release(now, w.Member)
	}
}

// Release gives a slot back, to the oldest waiter if there is one.
func (p *Pool) Release(now time.Time, m *Member) {
	m.lastUsed, p.lastSeen = now, now
	p.windows.Observe(now, p.inFlight)
	p.leave(now, m)
	if m.serving {
		p.windows.Done()
		p.dispatch(now, m, false)
	}
	switch {
	case m.used > 0:
	case m.leaving != "" && !m.retired:
		p.stop(m, m.leaving)
	case m.serving:
		p.dueAt(now.Add(p.stay(true)))
	}
}

// enter gives a request a slot in m, which has one.
func (p *Pool) enter(now time.Time, m *Member) {
	p.free.remove(m)
	if m.used == 0 {
		p.busy++
	}
	m.used++
	p.inFlight++
	if m.used < p.cfg.Concurrency {
		p.free.add(now, m)
	}
}

// leave takes one request out of m.
func (p *Pool) leave(now time.Time, m *Member) {
	if !m.serving {
		m.used--
		return
	}
	if m.used < p.cfg.Concurrency {
		p.free.remove(m)
	}
	m.used--
	p.inFlight--
	if m.used == 0 {
		p.busy--
	}
	p.free.add(now, m)
}

// dispatch gives the free slots of m to waiters.
func (p *Pool) dispatch(now time.Time, m *Member, cold bool) {
	for m.used < p.cfg.Concurrency && p.queue.first != nil {
		w := p.queue.first
		p.queue.remove(w)
		p.enter(now, m)
		w.Member, w.Cold = m, cold
		p.actions = append(p.actions, Action{Wake: w})
	}
}

// refuse ends the wait of all.
func (p *Pool) refuse(r *Refusal) {
	for p.queue.first != nil {
		p.refuseFirst(r)
	}
}

func (p *Pool) refuseFirst(r *Refusal) {
	w := p.queue.first
	p.queue.remove(w)
	w.Err = r
	p.actions = append(p.actions, Action{Wake: w})
}

// Members is how many instances serve.
func (p *Pool) Members() int { return len(p.members) }

// Starting is how many instances are on their way.
func (p *Pool) Starting() int { return p.starting }

// Queued is how many requests wait.
func (p *Pool) Queued() int { return p.queue.n }

// Find returns the member with the id; nil when none serves.
func (p *Pool) Find(id string) *Member {
	if m := p.byKey[key(id)]; m != nil && m.ID == id {
		return m
	}
	return nil
}
