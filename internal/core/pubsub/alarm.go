package pubsub

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// alarm calls feeds when a deadline of theirs passes: one goroutine and one
// timer for all of them.
type alarm struct {
	nudge chan struct{}

	mu    sync.Mutex
	calls moments[*call]
}

// call is when a feed is to be called, at the latest.
type call struct {
	slot
	f *feed
}

func (a *alarm) init() { a.nudge = make(chan struct{}, 1) }

// at has f called at t or earlier.
func (a *alarm) at(f *feed, t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := f.call
	switch {
	case c == nil:
		f.call = &call{slot: slot{at: t}, f: f}
		heap.Push(&a.calls, f.call)
	case t.Before(c.at):
		c.at = t
		heap.Fix(&a.calls, c.index)
	default:
		return
	}
	if a.calls[0] == f.call {
		select {
		case a.nudge <- struct{}{}:
		default:
		}
	}
}

// due takes out the feeds whose moment has come, and says when the next has;
// zero for never.
func (a *alarm) due(now time.Time) (feeds []*feed, next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		c, ok := a.calls.first(now)
		if !ok {
			break
		}
		heap.Pop(&a.calls)
		c.f.call = nil
		feeds = append(feeds, c.f)
	}
	if len(a.calls) > 0 {
		next = a.calls[0].at
	}
	return feeds, next
}

func (a *alarm) run(ctx context.Context, now func() time.Time) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		feeds, next := a.due(now())
		for _, f := range feeds {
			f.ring()
		}
		if len(feeds) > 0 {
			continue
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(max(next.Sub(now()), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-a.nudge:
		case <-timer.C:
		}
	}
}
