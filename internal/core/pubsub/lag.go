package pubsub

import (
	"context"
	"strconv"
	"time"
)

// Lag is how far a subscription is behind.
type Lag struct {
	Messages int64     // not acknowledged; with a filter, those it will drop as well
	Oldest   time.Time // when the first of them was published; zero without any
}

// Lag returns how far a subscription is behind; NotFound.
func (b *Broker) Lag(ctx context.Context, name string) (Lag, error) {
	f, err := b.hold(ctx, name)
	if err != nil {
		return Lag{}, err
	}
	defer f.release()
	t := f.topic()
	if t == nil {
		return Lag{}, nil
	}
	from, n, err := f.behind(ctx, t.readable())
	if err != nil || n == 0 {
		return Lag{}, err
	}
	found, err := b.store.Read(ctx, t.number, from, 1, 1)
	if err != nil || len(found) == 0 {
		return Lag{}, err
	}
	return Lag{Messages: n, Oldest: found[0].PublishTime}, nil
}

// behind returns the first message before head that is not acknowledged, and how
// many those are.
func (f *feed) behind(ctx context.Context, head int64) (from, n int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.open(ctx); err != nil {
		return 0, 0, err
	}
	return f.q.acks.cursor, f.q.acks.unacked(head), nil
}

// InUse reports whether a subscription is in memory: one that pushes and is not
// has nothing to push.
func (b *Broker) InUse(name string) bool { return b.loadedFeed(name) != nil }

// NextID returns the id that the next message of a topic gets, as long as
// nobody else publishes to it; NotFound.
func (b *Broker) NextID(ctx context.Context, name string) (string, error) {
	t, err := b.topic(ctx, name)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(Number(t.number, t.readable()), 10), nil
}
