// Package freeze decides how long an instance without a request stays awake. It is
// pure: the instances that serve and those of the simulator follow the same rule.
package freeze

import "time"

// The bounds of a Patience. Longest is where it begins.
const (
	Shortest = Longest / 32
	Longest  = time.Second
)

// Patience is how long an instance waits for its next request before it is frozen.
// It learns: a freeze that lasted for no longer than the wait before it came too
// early, and the wait doubles; any other came too late, and the wait halves. So
// an instance that is asked now and then sleeps soon, and one whose requests come
// close to each other is not woken for each of them. The zero value is a new
// instance's. docs/adr/0032-how-soon-to-freeze.md has the figures.
type Patience struct{ halvings uint8 }

// After is the wait, Shortest to Longest.
func (p Patience) After() time.Duration { return max(Longest>>p.halvings, Shortest) }

// Woken tells how long a freeze lasted that a request ended.
func (p *Patience) Woken(frozen time.Duration) {
	switch {
	case frozen <= p.After():
		p.halvings = max(p.halvings, 1) - 1
	case p.After() > Shortest:
		p.halvings++
	}
}
