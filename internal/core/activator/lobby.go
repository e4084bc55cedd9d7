package activator

import (
	"context"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/room"
)

// lobby is where starts wait for room on the machine. Its mu is taken while a
// keeper's is held, never the other way round.
type lobby struct {
	wake chan struct{} // buffered, never closed: somebody waits, or something has ended
	look func() room.Machine
	now  func() time.Time

	mu      sync.Mutex
	room    *room.Room
	machine room.Machine // as it was seen last
}

func newLobby(o Options, now func() time.Time) *lobby {
	look := o.Machine
	if look == nil {
		look = func() room.Machine { return room.Machine{} }
	}
	return &lobby{
		wake: make(chan struct{}, 1),
		look: look,
		now:  now,
		room: room.New(room.Options{MaxMemory: o.MaxMemory, Reserve: o.Reserve}),
	}
}

// lookEvery is how old what is known of the machine may be, and how often those
// who wait look again.
const lookEvery = 50 * time.Millisecond

// seen is the machine as it was a moment ago. mu is held.
func (l *lobby) seen(now time.Time) room.Machine {
	if now.Sub(l.machine.At) >= lookEvery {
		l.machine = l.look()
		l.machine.At = now
	}
	return l.machine
}

// tell tells the room of an event that may let somebody in.
func (l *lobby) tell(event func(r *room.Room)) {
	l.mu.Lock()
	event(l.room)
	l.mu.Unlock()
	l.nudge()
}

func (l *lobby) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// ask asks for one start of k.
func (l *lobby) ask(k *keeper) room.Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	v := l.room.Ask(now, k.rev.Name, k.memory(), l.seen(now))
	if v == room.Wait {
		l.nudge()
	}
	return v
}

// cancel gives back the room of a start that is not made.
func (l *lobby) cancel(revision string) {
	l.tell(func(r *room.Room) {
		r.Booted(revision, 0)
		r.Ended(revision, false)
	})
}

func (l *lobby) next(evict bool) room.Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	return l.room.Next(now, l.seen(now), evict)
}

// memory is what one instance may use; 0: no limit.
func (k *keeper) memory() int64 {
	sum := k.rev.MemoryBytes
	for _, c := range k.rev.Sidecars {
		sum += c.MemoryBytes
	}
	return sum
}

// admit lets in who has room, and returns when to look again; zero for not until
// something happens.
func (a *Activator) admit() (again time.Time) {
	evict := true
	for {
		step := a.lobby.next(evict)
		switch {
		case step.Victim:
			evict = a.evict(step.Waited)
		case step.Start != "":
			a.begin(step.Start)
		case step.Refuse != "":
			a.refuse(step.Refuse, step.N)
		case step.Waiting:
			return a.now().Add(lookEvery)
		default:
			return time.Time{}
		}
	}
}

// begin starts an instance of a revision whose turn it is, unless it has become
// needless.
func (a *Activator) begin(revision string) {
	v, ok := a.keepers.Load(revision)
	if ok {
		k := v.(*keeper)
		k.mu.Lock()
		defer k.mu.Unlock()
		ok = k.begin()
	}
	if !ok {
		a.lobby.cancel(revision)
	}
}

// begin launches the oldest start that waits; false when it is not wanted any
// more. mu is held.
func (k *keeper) begin() bool {
	if len(k.held) == 0 {
		return false
	}
	why := k.held[0]
	k.held = k.held[1:]
	wanted := k.pool.Begin(k.a.now())
	if wanted && !k.launch(k.starter(why), false) {
		k.close()
	}
	k.settle("")
	return wanted
}

// refuse tells a revision that n of its starts are not made.
func (a *Activator) refuse(revision string, n int) {
	v, ok := a.keepers.Load(revision)
	if !ok {
		return
	}
	k := v.(*keeper)
	k.on(func() {
		n = min(n, len(k.held))
		k.held = k.held[n:]
		k.pool.NoRoom(a.now(), n)
	})
	a.log.Warn("no room for instances", "revision", revision, "starts", n)
}

// evict stops the instance, of all that can be spared for somebody who has waited
// for so long, that is idle for longest. It reports whether there was one.
func (a *Activator) evict(waited time.Duration) bool {
	var best *keeper
	var since time.Time
	now := a.now()
	for _, k := range a.all() {
		k.mu.Lock()
		m, idle := k.pool.Victim(now, waited)
		k.mu.Unlock()
		if m != nil && (best == nil || idle.Before(since)) {
			best, since = k, idle
		}
	}
	if best == nil {
		return false
	}
	gone := false
	best.on(func() { gone = best.pool.Evict(a.now(), waited, "its memory is needed for another") })
	return gone
}

// weigh tells the room how much an instance uses.
func (a *Activator) weigh(ctx context.Context, inst *instance.Instance) {
	u, err := inst.Usage(ctx)
	if err != nil || u.MemoryBytes == 0 {
		return // it has ended, or nobody counts
	}
	a.lobby.tell(func(r *room.Room) { r.Seen(inst.Revision().Name, u.MemoryBytes) })
}
