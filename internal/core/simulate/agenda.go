package simulate

import "time"

// event is something that happens at a moment. inst and req say to what; both
// nil: to the service.
type event struct {
	at    time.Duration
	order uint64 // in which events of the same moment were planned, above the kind
	svc   *service
	inst  *instance
	req   *request
}

// kind is what an event is.
type kind uint8

const (
	arrival kind = iota
	tick         // Pool.Due
	ready        // an instance has booted
	finish       // a request is over
	death        // an instance ends by itself
	look         // those who stand in line look for room
	kinds   = 8
)

func (e event) kind() kind { return kind(e.order % kinds) }

// agenda is the events to come, as a heap with four children a node: its depth is
// half of a binary one's.
type agenda struct {
	events  []event
	planned uint64
}

func (a *agenda) plan(e event, k kind) uint64 {
	a.planned++
	e.order = a.planned*kinds + uint64(k)
	a.events = append(a.events, e)
	i := len(a.events) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !before(&e, &a.events[up]) {
			break
		}
		a.events[i] = a.events[up]
		i = up
	}
	a.events[i] = e
	return e.order
}

// next takes the earliest event.
func (a *agenda) next() (event, bool) {
	if len(a.events) == 0 {
		return event{}, false
	}
	first := a.events[0]
	last := len(a.events) - 1
	e := a.events[last]
	a.events[last] = event{}
	a.events = a.events[:last]
	if last > 0 {
		a.sink(e)
	}
	return first, true
}

// sink puts e in the place of the first.
func (a *agenda) sink(e event) {
	i, n := 0, len(a.events)
	for {
		child := 4*i + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, n); c++ {
			if before(&a.events[c], &a.events[least]) {
				least = c
			}
		}
		if !before(&a.events[least], &e) {
			break
		}
		a.events[i] = a.events[least]
		i = least
	}
	a.events[i] = e
}

func before(a, b *event) bool { return a.at < b.at || a.at == b.at && a.order < b.order }
