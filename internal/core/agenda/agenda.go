// Package agenda is when which of many things is due, so that one goroutine and
// one timer serve them all, and what is not due costs nothing.
package agenda

import (
	"container/heap"
	"sync"
	"time"
)

// Agenda orders things by the moment at which they are due. It is safe for
// concurrent use.
type Agenda[T any] struct {
	wake chan struct{} // buffered, never closed

	mu    sync.Mutex
	queue entries[T]
}

// Entry is the place of a thing in an agenda, at most one. Its owner sets Item
// once and leaves the rest to the agenda.
type Entry[T any] struct {
	Item  T
	at    time.Time
	place int // in the queue, from 1; 0: none
}

// New returns an empty agenda.
func New[T any]() *Agenda[T] { return &Agenda[T]{wake: make(chan struct{}, 1)} }

// Wake gets a value when the first moment has become an earlier one.
func (a *Agenda[T]) Wake() <-chan struct{} { return a.wake }

// Move has e due at a moment instead of any other.
func (a *Agenda[T]) Move(e *Entry[T], at time.Time) { a.set(e, at, false) }

// Latest has e due at a moment, or earlier if it is already.
func (a *Agenda[T]) Latest(e *Entry[T], at time.Time) { a.set(e, at, true) }

func (a *Agenda[T]) set(e *Entry[T], at time.Time, atMost bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case e.place == 0:
		e.at = at
		heap.Push(&a.queue, e)
	case atMost && !at.Before(e.at):
		return
	default:
		e.at = at
		heap.Fix(&a.queue, e.place-1)
	}
	if a.queue[0] == e {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

// Take takes out one thing that is due at now. When there is none, next is when
// the next one will be; zero for never.
func (a *Agenda[T]) Take(now time.Time) (item T, ok bool, next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return item, false, time.Time{}
	}
	if first := a.queue[0]; now.Before(first.at) {
		return item, false, first.at
	}
	return heap.Pop(&a.queue).(*Entry[T]).Item, true, time.Time{}
}

// entries is a heap, the earliest first.
type entries[T any] []*Entry[T]

func (q entries[T]) Len() int           { return len(q) }
func (q entries[T]) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q entries[T]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i+1, j+1
}

func (q *entries[T]) Push(x any) {
	e := x.(*Entry[T])
	*q = append(*q, e)
	e.place = len(*q)
}

func (q *entries[T]) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.place = 0
	return e
}
