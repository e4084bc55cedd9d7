package logs

import "time"

// PackSpan is the most time between the first and the last entry of a pack, so
// that a reader knows how far around a moment packs with entries of it begin.
const PackSpan = 250 * time.Millisecond

// Pack is entries of one log and resource in a compact form, which is read only
// when somebody asks.
type Pack struct {
	LogName     string
	Resource    Resource
	Count       int
	First, Last time.Time // the timestamps of its entries are within, inclusive
	Severest    Severity
	Body        []byte
}

// Backlog gathers entries on a path that is too hot for Entry, until the hub
// fetches them. Its methods are safe for concurrent use.
type Backlog interface {
	// Take returns what was gathered since it was last called, and by project
	// how many entries were dropped because too many were waiting.
	Take() (packs []Pack, lost map[string]int64)
	// Unpack returns the entries of a pack, in no particular order.
	Unpack(*Pack) ([]Entry, error)
}

// Project returns the project of the pack's log.
func (p *Pack) Project() string {
	e := Entry{LogName: p.LogName}
	return e.Project()
}
