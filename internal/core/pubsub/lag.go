package pubsub

import (
	"context"
	"strconv"
)

// Backlog is Backlogs for one subscription; NotFound. One without a topic has
// none.
func (b *Broker) Backlog(ctx context.Context, name string) (Backlog, error) {
	rec, err := b.store.Subscription(ctx, name)
	if err != nil || rec.TopicNumber == 0 {
		return Backlog{}, err
	}
	t, err := b.store.Topic(ctx, rec.Topic)
	if err != nil {
		return Backlog{}, err
	}
	acks, _, err := b.store.Load(ctx, rec.Number)
	if err != nil {
		return Backlog{}, err
	}
	return b.backlog(ctx, &Place{
		Subscription: name, Topic: rec.Topic, Number: rec.Number, TopicNumber: rec.TopicNumber, Cursor: acks.Cursor, Next: t.Next,
	})
}

// NextID returns the id that the next message of a topic gets, as long as
// nobody else publishes to it; NotFound.
func (b *Broker) NextID(ctx context.Context, name string) (string, error) {
	t, err := b.topic(ctx, name)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(Number(t.number, t.readable()), 10), nil
}
