package storetest

import (
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// pubsubUpkeep is how subscriptions age, and how far they have come.
func pubsubUpkeep(t *testing.T, s pubsub.Store) {
	ctx := t.Context()
	topic := makeTopic(t, s, "letters")
	short := makeSubscription(t, s, pubsub.Subscription{Name: subName("short"), Topic: topic.Name, Expiration: time.Hour}, 3)
	long := makeSubscription(t, s, pubsub.Subscription{Name: subName("long"), Topic: topic.Name, Expiration: 2 * time.Hour, Push: &pubsub.Push{Endpoint: "http://localhost/"}}, 1)
	makeSubscription(t, s, pubsub.Subscription{Name: subName("never"), Topic: topic.Name, Expiration: pubsub.Never}, 1)
	makeSubscription(t, s, pubsub.Subscription{Name: subName("detached"), Topic: topic.Name, Expiration: pubsub.Never, Detached: true}, 1)
	_, err := s.CreateSnapshot(ctx, pubsub.Snapshot{Name: "projects/p/snapshots/snap", Topic: topic.Name, Expire: at(9)}, pubsub.Progress{Cursor: 1})
	must(t, err)
	for _, step := range []struct {
		by   time.Duration
		used []int64
		want []string
	}{
		{time.Hour - 1, nil, nil},
		{1, nil, []string{short.Name}},
		{time.Hour, []int64{short.Number}, []string{long.Name}},
		{time.Hour, []int64{long.Number, 1 << 20}, []string{short.Name}},
	} {
		must(t, s.Age(ctx, step.by, step.used))
		names, err := s.Expired(ctx)
		must(t, err)
		wantSame(t, names, step.want)
	}

	must(t, s.Commit(ctx, &pubsub.Batch{
		Appends:  []pubsub.Append{{Topic: topic.Number, Messages: written(topic, 1, 3), Next: 3}},
		Progress: []pubsub.Progress{{Owner: long.Number, Cursor: 2}},
	}))
	orphan := makeTopic(t, s, "gone")
	makeSubscription(t, s, pubsub.Subscription{Name: subName("orphan"), Topic: orphan.Name}, 1)
	must(t, s.DeleteTopic(ctx, orphan.Name))
	places, err := s.Places(ctx)
	must(t, err)
	place := func(r pubsub.SubscriptionRecord, name string, cursor int64) pubsub.Place {
		return pubsub.Place{Subscription: subName(name), Topic: topic.Name, Number: r.Number, TopicNumber: topic.Number, Cursor: cursor, Next: 3}
	}
	never, err := s.Subscription(ctx, subName("never"))
	must(t, err)
	wantSame(t, places, []pubsub.Place{place(long, "long", 2), place(never, "never", 1), place(short, "short", 3)})
}
