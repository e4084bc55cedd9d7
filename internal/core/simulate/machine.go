package simulate

import (
	"time"

	"github.com/sunya-cloud/sunya/internal/core/room"
)

// machine is where instances boot, by the rules of core/room: who finds no room
// stands in line.
type machine struct {
	limits  Machine
	room    *room.Room
	booting int
	memory  int64 // what instances that have booted use
	moved   bool  // somebody may have room who had none
	looks   bool  // another look is planned
}

func newMachine(limits Machine) machine {
	return machine{limits: limits, room: room.New(room.Options{})}
}

// look is the machine as the platform sees it.
func (r *run) look() room.Machine {
	m, l := room.Machine{At: r.clock()}, r.machine.limits
	if l.Cores > 0 {
		m.Cores, m.Idle = l.Cores, max(float64(l.Cores-r.machine.booting), 0)
	}
	if l.MemoryBytes > 0 {
		m.Known, m.Free = true, l.MemoryBytes-r.machine.memory
	}
	return m
}

// lookEvery is how often those who stand in line look again, as in core/activator.
const lookEvery = 50 * time.Millisecond

// admit lets in who has room.
func (r *run) admit() {
	r.machine.moved = false
	for evict := true; ; {
		step := r.machine.room.Next(r.clock(), r.look(), evict)
		switch {
		case step.Victim:
			evict = r.evict(step.Waited)
		case step.Start != "":
			s := r.byName[step.Start]
			s.held--
			s.begin()
			s.act()
		case step.Refuse != "":
			s := r.byName[step.Refuse]
			s.held -= step.N
			s.instances -= step.N
			s.pool.NoRoom(r.clock(), step.N)
			s.act()
		default:
			if step.Waiting && !r.machine.looks {
				r.machine.looks = true
				r.agenda.plan(event{at: r.now + lookEvery}, look)
			}
			return
		}
	}
}

// evict stops the instance, of all that can be spared for somebody who has waited
// for so long, that is idle for longest.
// It reports whether there was one.
func (r *run) evict(waited time.Duration) bool {
	var best *service
	var since time.Time
	for _, s := range r.services {
		if m, idle := s.pool.Victim(r.clock(), waited); m != nil && (best == nil || idle.Before(since)) {
			best, since = s, idle
		}
	}
	if best == nil {
		return false
	}
	r.report.Evictions++
	best.pool.Evict(r.clock(), waited, "its memory is needed for another")
	best.act()
	return true
}

// start orders an instance.
func (s *service) start() {
	r := s.run
	s.instances++
	if s.instances > r.cfg.MaxInstances {
		r.report.Violations.MaxInstances++
	}
	switch r.machine.room.Ask(r.clock(), s.name, s.memory, r.look()) {
	case room.Go:
		s.begin()
	case room.Wait:
		s.held++
		r.machine.moved = true
	default:
		s.instances--
		s.pool.NoRoom(r.clock(), 1)
	}
}

// bootSpread is how much one boot differs from the others of its service, at most
// and to both sides: a choice.
const bootSpread = 0.2

// begin boots an instance, unless it is needless by now.
func (s *service) begin() {
	r := s.run
	if !s.pool.Begin(r.clock()) {
		s.instances--
		r.machine.room.Booted(s.name, 0)
		r.machine.room.Ended(s.name, false)
		r.machine.moved = true
		return
	}
	r.machine.booting++
	r.report.Boots++
	took := time.Duration(float64(s.boot) * (1 + bootSpread*(2*r.rng.Float64()-1)))
	i := &instance{svc: s, since: r.now, place: len(r.live)}
	r.live = append(r.live, i)
	r.agenda.plan(event{at: r.now + took, svc: s, inst: i}, ready)
}
