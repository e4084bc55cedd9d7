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
	pressing   bool // it is to be given another instance
	prev, next *Waiter
}

// queue is the waiters in the order of arrival.
type queue struct {
	first, last *Waiter
	calm        *Waiter // the first that is not pressing
	n, pressing int
}

func (q *queue) push(w *Waiter) {
	w.prev, w.next, w.queued, w.pressing = q.last, nil, true, false
	if q.last != nil {
		q.last.next = w
	} else {
		q.first = w
	}
	q.last = w
	if q.calm == nil {
		q.calm = w
	}
	q.n++
}

func (q *queue) remove(w *Waiter) {
	if q.calm == w {
		q.calm = w.next
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
	if w.pressing {
		q.pressing--
	}
	w.prev, w.next, w.queued = nil, nil, false
	q.n--
}

// press counts those as pressing that came at or before t.
func (q *queue) press(t time.Time) {
	for q.calm != nil && !q.calm.since.After(t) {
		q.calm.pressing = true
		q.pressing++
		q.calm = q.calm.next
	}
}
