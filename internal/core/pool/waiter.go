package pool

import "time"

// Waiter is a request without a slot. The caller sets Owner and leaves the rest
// alone; Member, Cold and Err say what came of it once an Action names it.
type Waiter struct {
	Owner any // the caller's own

	Member *Member // where it has a slot
	Cold   bool    // Member has just started
	Err    error   // why it has none, a *Refusal

	since      time.Time
	queued     bool
	reached    [ages]bool
	prev, next *Waiter
}

// The ages at which a waiter counts for more.
const (
	pressing = iota // it is to be given another instance, if that is worth it
	overdue         // it is to be given another instance
	ages
)

// queue is the waiters in the order of arrival.
type queue struct {
	first, last *Waiter
	n           int
	ages        [ages]age
}

// age is the waiters that have reached it, and the first that has not.
type age struct {
	n    int
	next *Waiter
}

func (q *queue) push(w *Waiter) {
	w.prev, w.next, w.queued, w.reached = q.last, nil, true, [ages]bool{}
	if q.last != nil {
		q.last.next = w
	} else {
		q.first = w
	}
	q.last = w
	for i := range q.ages {
		if q.ages[i].next == nil {
			q.ages[i].next = w
		}
	}
	q.n++
}

func (q *queue) remove(w *Waiter) {
	for i := range q.ages {
		a := &q.ages[i]
		if a.next == w {
			a.next = w.next
		}
		if w.reached[i] {
			a.n--
		}
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	q.n--
}

// reach counts those that came at or before t as having reached age i, and
// returns how many have.
func (q *queue) reach(i int, t time.Time) int {
	a := &q.ages[i]
	for ; a.next != nil && !a.next.since.After(t); a.next = a.next.next {
		a.next.reached[i] = true
		a.n++
	}
	return a.n
}
