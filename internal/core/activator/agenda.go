package activator

import (
	"container/heap"
	"sync"
	"time"
)

// agenda is when which keeper has something to do, so that one goroutine and
// one timer serve them all.
type agenda struct {
	wake chan struct{} // buffered, never closed: the first appointment is a new one

	mu    sync.Mutex
	queue appointments
}

// appointment is a keeper's place in the agenda, guarded by agenda.mu.
type appointment struct {
	at    time.Time
	place int // in agenda.queue, from 1; 0: none
}

func newAgenda() agenda { return agenda{wake: make(chan struct{}, 1)} }

// plan moves the appointment of k, or makes one.
func (g *agenda) plan(k *keeper, at time.Time) {
	g.mu.Lock()
	k.next.at = at
	if k.next.place == 0 {
		heap.Push(&g.queue, k)
	} else {
		heap.Fix(&g.queue, k.next.place-1)
	}
	first := g.queue[0] == k
	g.mu.Unlock()
	if first {
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
}

// take takes a keeper out that is due at now; nil when there is none, and then
// when the next one will be, zero for never.
func (g *agenda) take(now time.Time) (k *keeper, next time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		return nil, time.Time{}
	}
	if first := g.queue[0]; now.Before(first.next.at) {
		return nil, first.next.at
	}
	return heap.Pop(&g.queue).(*keeper), time.Time{}
}

// appointments is a heap, the earliest first.
type appointments []*keeper

func (q appointments) Len() int           { return len(q) }
func (q appointments) Less(i, j int) bool { return q[i].next.at.Before(q[j].next.at) }

func (q appointments) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].next.place, q[j].next.place = i+1, j+1
}

func (q *appointments) Push(x any) {
	k := x.(*keeper)
	*q = append(*q, k)
	k.next.place = len(*q)
}

func (q *appointments) Pop() any {
	last := len(*q) - 1
	k := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	k.next.place = 0
	return k
}
