package simulate

import "time"

// machine is where instances boot: each that may not waits for its turn.
type machine struct {
	limits  Machine
	booting int
	memory  int64
	line    []*service // that want an instance, the oldest first
	skipped int        // of line: those that have one
}

// ask begins a boot, or stands in line for it.
func (r *run) ask(s *service) {
	if r.machine.waiting() || !r.machine.has(s) {
		r.machine.line = append(r.machine.line, s)
		return
	}
	r.boot(s)
}

func (m *machine) waiting() bool { return len(m.line) > m.skipped }

func (m *machine) has(s *service) bool {
	return (m.limits.Boots == 0 || m.booting < m.limits.Boots) &&
		(m.limits.MemoryBytes == 0 || m.memory+s.memory <= m.limits.MemoryBytes)
}

// freed lets those begin who can.
func (r *run) freed() {
	m := &r.machine
	for m.waiting() && m.has(m.line[m.skipped]) {
		m.skipped++
		r.boot(m.line[m.skipped-1])
	}
	if m.skipped > len(m.line)/2 {
		m.line = append(m.line[:0], m.line[m.skipped:]...)
		m.skipped = 0
	}
}

// bootSpread is how much one boot differs from the others of its service, at most
// and to both sides: a choice.
const bootSpread = 0.2

func (r *run) boot(s *service) {
	r.machine.booting++
	r.machine.memory += s.memory
	r.report.Boots++
	took := time.Duration(float64(s.boot) * (1 + bootSpread*(2*r.rng.Float64()-1)))
	i := &instance{svc: s, since: r.now}
	i.place = len(r.live)
	r.live = append(r.live, i)
	r.agenda.plan(event{at: r.now + took, svc: s, inst: i}, ready)
}
