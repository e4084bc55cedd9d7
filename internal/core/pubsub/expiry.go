package pubsub

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
)

// usage is which subscriptions were used since the last time they aged: somebody
// asked for messages, acknowledged or moved, or an endpoint took a push.
type usage struct {
	mu    sync.Mutex
	since time.Time // of the last ageing; zero before the first
	used  map[int64]struct{}
}

// note counts a use of a subscription.
func (u *usage) note(number int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.used[number] = struct{}{}
}

// take begins anew; by is how long it has counted, nothing at first.
func (u *usage) take(now time.Time) (used []int64, by time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.since.IsZero() {
		by = max(now.Sub(u.since), 0)
	}
	used = slices.Sorted(maps.Keys(u.used))
	u.since = now
	clear(u.used)
	return used, by
}

// expire lets subscriptions age that nobody uses, and removes those that are
// too old (google.pubsub.v1.ExpirationPolicy). Only time in which the broker
// runs counts: whoever switches a server off for a month keeps his
// subscriptions.
func (b *Broker) expire(ctx context.Context) error {
	b.noteWaiting()
	used, by := b.usage.take(b.now())
	if err := b.store.Age(ctx, by, used); err != nil {
		return err
	}
	names, err := b.store.Expired(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := b.DeleteSubscription(ctx, name); err != nil && sunya.CodeOf(err) != sunya.NotFound {
			return err
		}
		b.log.InfoContext(ctx, "removed a subscription that nobody used", "subscription", name)
	}
	return nil
}

// noteWaiting counts those who wait for messages, and get none.
func (b *Broker) noteWaiting() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.subs {
		if f.awaited() {
			b.usage.note(f.number)
		}
	}
}

// awaited reports whether somebody waits for messages; a pusher that gets
// nothing taken does not count.
func (f *feed) awaited() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.users > 0 && !f.pushing
}
