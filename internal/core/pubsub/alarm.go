package pubsub

import (
	"context"
	"time"
)

// runAlarm calls feeds when a deadline of theirs passes, until ctx ends: one
// goroutine and one timer for all of them.
func (b *Broker) runAlarm(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		f, ok, next := b.alarm.Take(b.now())
		if ok {
			f.ring()
			continue
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(max(next.Sub(b.now()), time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-b.alarm.Wake():
		case <-timer.C:
		}
	}
}
