package pubsub

import (
	"context"
	"time"
)

// Backlog is what a subscription has not acknowledged. What its filter leaves
// out counts until a consumer has come so far.
type Backlog struct {
	Subscription, Topic string
	Messages            int64
	Oldest              time.Time // when the first of them was published; zero without messages
}

// Backlogs tells of every subscription that has a topic and is not detached, in
// byte order of their names. It works on what is stored, which acknowledgements
// reach within milliseconds, and keeps nothing in memory.
func (b *Broker) Backlogs(ctx context.Context) ([]Backlog, error) {
	places, err := b.store.Places(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Backlog, len(places))
	for i := range places {
		if out[i], err = b.backlog(ctx, &places[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *Broker) backlog(ctx context.Context, p *Place) (Backlog, error) {
	out := Backlog{Subscription: p.Subscription, Topic: p.Topic}
	if p.Cursor >= p.Next {
		return out, nil
	}
	first, err := b.store.Read(ctx, p.TopicNumber, p.Cursor, 1, 1)
	if err != nil || len(first) == 0 {
		return out, err
	}
	acks, _, err := b.store.Load(ctx, p.Number)
	if err != nil {
		return out, err
	}
	set := restore(acks)
	set.ackBelow(first[0].Seq) // what is not stored any more counts for nothing
	if out.Messages = set.unacked(p.Next); out.Messages > 0 {
		out.Oldest = first[0].PublishTime
	}
	return out, nil
}
