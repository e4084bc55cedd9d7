package usernet

import "sync/atomic"

// gauge counts what is in use, up to max.
type gauge struct {
	used atomic.Int64
	max  int64
}

// take claims one and reports whether there was one left.
func (g *gauge) take() bool {
	if g.used.Add(1) > g.max {
		g.used.Add(-1)
		return false
	}
	return true
}

// give returns one.
func (g *gauge) give() { g.used.Add(-1) }
