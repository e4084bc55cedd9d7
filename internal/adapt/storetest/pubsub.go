package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// PubSub is the contract of pubsub.Store.
func PubSub(t *testing.T, open func(t testing.TB) pubsub.Store) {
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, s pubsub.Store)
	}{
		{"topics", pubsubTopics},
		{"subscriptions", pubsubSubscriptions},
		{"messages", pubsubMessages},
		{"many messages", pubsubMany},
		{"progress", pubsubProgress},
		{"snapshots", pubsubSnapshots},
		{"deleted topics", pubsubDeleted},
		{"upkeep", pubsubUpkeep},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

func topicName(id string) string { return "projects/p/topics/" + id }
func subName(id string) string   { return "projects/p/subscriptions/" + id }

func makeTopic(t *testing.T, s pubsub.Store, id string) pubsub.TopicRecord {
	t.Helper()
	rec, err := s.CreateTopic(t.Context(), pubsub.Topic{Name: topicName(id), Labels: map[string]string{"id": id}})
	must(t, err)
	return rec
}

func makeSubscription(t *testing.T, s pubsub.Store, sub pubsub.Subscription, cursor int64) pubsub.SubscriptionRecord {
	t.Helper()
	rec, err := s.CreateSubscription(t.Context(), sub, cursor)
	must(t, err)
	return rec
}

func pubsubTopics(t *testing.T, s pubsub.Store) {
	ctx := t.Context()
	b, a := makeTopic(t, s, "bbb"), makeTopic(t, s, "aaa")
	if a.Number == b.Number || a.Number <= 0 || a.Next != 1 {
		t.Errorf("numbers %d and %d, next %d", a.Number, b.Number, a.Next)
	}
	_, err := s.CreateTopic(ctx, pubsub.Topic{Name: topicName("aaa")})
	wantCode(t, err, sunya.AlreadyExists)
	_, err = s.Topic(ctx, topicName("none"))
	wantCode(t, err, sunya.NotFound)
	wantCode(t, s.UpdateTopic(ctx, pubsub.Topic{Name: topicName("none")}), sunya.NotFound)

	a.Retention = time.Hour
	must(t, s.UpdateTopic(ctx, a.Topic))
	got, err := s.Topic(ctx, a.Name)
	must(t, err)
	wantSame(t, got, a)
	list, err := s.ListTopics(ctx, "p", "", 1)
	must(t, err)
	wantSame(t, list, []pubsub.Topic{a.Topic})
	list, err = s.ListTopics(ctx, "p", a.Name, 0)
	must(t, err)
	wantSame(t, list, []pubsub.Topic{b.Topic})
	list, err = s.ListTopics(ctx, "q", "", 0)
	must(t, err)
	wantSame(t, list, []pubsub.Topic(nil))
}

func pubsubSubscriptions(t *testing.T, s pubsub.Store) {
	ctx := t.Context()
	topic := makeTopic(t, s, "letters")
	_, err := s.CreateSubscription(ctx, pubsub.Subscription{Name: subName("mine"), Topic: topicName("none")}, 1)
	wantCode(t, err, sunya.NotFound)
	pulls := makeSubscription(t, s, pubsub.Subscription{Name: subName("pulls"), Topic: topic.Name, Retention: time.Hour, DeadLetter: &pubsub.DeadLetter{Topic: topic.Name, MaxAttempts: 5}}, 1)
	pushes := makeSubscription(t, s, pubsub.Subscription{Name: subName("pushes"), Topic: topic.Name, Push: &pubsub.Push{Endpoint: "http://localhost/"}}, 1)
	_, err = s.CreateSubscription(ctx, pulls.Subscription, 1)
	wantCode(t, err, sunya.AlreadyExists)

	got, err := s.Subscription(ctx, pulls.Name)
	must(t, err)
	wantSame(t, got, pulls)
	rec, err := s.Topic(ctx, topic.Name)
	must(t, err)
	wantSame(t, rec.Subscriptions, []pubsub.SubscriptionRecord{pulls, pushes})
	for _, q := range []pubsub.SubscriptionQuery{{Project: "p"}, {Topic: topic.Name}} {
		list, err := s.ListSubscriptions(ctx, q)
		must(t, err)
		wantSame(t, list, []pubsub.Subscription{pulls.Subscription, pushes.Subscription})
	}

	names, err := s.Pushing(ctx)
	must(t, err)
	wantSame(t, names, []string(nil)) // there is nothing to push
	must(t, s.Commit(ctx, &pubsub.Batch{Appends: []pubsub.Append{{Topic: topic.Number, Next: 2}}}))
	names, err = s.Pushing(ctx)
	must(t, err)
	wantSame(t, names, []string{pushes.Name})
	pushes.Push = nil
	must(t, s.UpdateSubscription(ctx, pushes.Subscription))
	names, err = s.Pushing(ctx)
	must(t, err)
	wantSame(t, names, []string(nil))

	must(t, s.DeleteSubscription(ctx, pulls.Name))
	wantCode(t, s.DeleteSubscription(ctx, pulls.Name), sunya.NotFound)
	_, err = s.Subscription(ctx, pulls.Name)
	wantCode(t, err, sunya.NotFound)
}

// written is messages from one sequence number to before another, a second
// apart.
func written(topic pubsub.TopicRecord, from, to int64) (out []pubsub.Stored) {
	for seq := from; seq < to; seq++ {
		m := pubsub.Stored{Seq: seq, Message: pubsub.Message{
			ID: fmt.Sprint(pubsub.Number(topic.Number, seq)), PublishTime: at(int(seq)), Data: []byte(fmt.Sprint("m", seq)),
		}}
		if seq%2 == 0 {
			m.OrderingKey, m.Attributes = "even", map[string]string{"n": fmt.Sprint(seq), "": "\x00é"}
		}
		out = append(out, m)
	}
	return out
}

func pubsubMessages(t *testing.T, s pubsub.Store) {
	ctx := t.Context()
	a, b := makeTopic(t, s, "aaa"), makeTopic(t, s, "bbb")
	must(t, s.Commit(ctx, &pubsub.Batch{Appends: []pubsub.Append{
		{Topic: a.Number, Messages: written(a, 1, 8), Next: 8},
		{Topic: b.Number, Messages: written(b, 1, 3), Next: 3},
	}}))
	got, err := s.Read(ctx, a.Number, 3, 2, 1<<20)
	must(t, err)
	wantSame(t, got, written(a, 3, 5))
	got, err = s.Read(ctx, a.Number, 5, 100, 1) // the first whatever its size
	must(t, err)
	wantSame(t, got, written(a, 5, 6))
	got, err = s.Read(ctx, a.Number, 8, 100, 1<<20)
	must(t, err)
	wantSame(t, got, []pubsub.Stored(nil))

	for _, tt := range []struct {
		at   time.Time
		want int64
	}{{at(0), 1}, {at(4), 4}, {at(4).Add(1), 5}, {at(100), 8}} {
		first, err := s.FirstSince(ctx, a.Number, tt.at)
		must(t, err)
		if first != tt.want {
			t.Errorf("first since %v is %d, want %d", tt.at, first, tt.want)
		}
	}

	for _, want := range []int{2, 2, 0} {
		n, err := s.Trim(ctx, a.Number, 5, 2)
		must(t, err)
		if n != want {
			t.Errorf("trimmed %d, want %d", n, want)
		}
	}
	got, err = s.Read(ctx, a.Number, 1, 100, 1<<20)
	must(t, err)
	wantSame(t, got, written(a, 5, 8))
	first, err := s.FirstSince(ctx, a.Number, at(0))
	must(t, err)
	if first != 5 {
		t.Errorf("first is %d, want 5", first)
	}
	names, err := s.Backlogged(ctx)
	must(t, err)
	wantSame(t, names, []string{a.Name, b.Name})
	_, err = s.Trim(ctx, b.Number, 3, 100)
	must(t, err)
	names, err = s.Backlogged(ctx)
	must(t, err)
	wantSame(t, names, []string{a.Name})
	rec, err := s.Topic(ctx, b.Name)
	must(t, err)
	if rec.Next != 3 {
		t.Errorf("next is %d, want 3: no number comes twice", rec.Next)
	}
}

// chunk is bits of acknowledgements that can be told apart.
func chunk(fill byte) []byte {
	out := make([]byte, pubsub.ChunkBits/8)
	for i := range out {
		out[i] = fill
	}
	return out
}

func pubsubProgress(t *testing.T, s pubsub.Store) {
	ctx := t.Context()
	topic := makeTopic(t, s, "letters")
	sub := makeSubscription(t, s, pubsub.Subscription{Name: subName("mine"), Topic: topic.Name}, 3)
	other := makeSubscription(t, s, pubsub.Subscription{Name: subName("other"), Topic: topic.Name}, 1)
	p, retried, err := s.Load(ctx, sub.Number)
	must(t, err)
	wantSame(t, p, pubsub.Progress{Owner: sub.Number, Cursor: 3})
	wantSame(t, retried, []pubsub.Retried(nil))

	must(t, s.Commit(ctx, &pubsub.Batch{
		Progress: []pubsub.Progress{{Owner: sub.Number, Cursor: 5, Chunks: map[int64][]byte{0: chunk(1), 2: chunk(2)}}},
		Retries: []pubsub.RetryChange{
			{Subscription: sub.Number, Retried: pubsub.Retried{Seq: 9, Attempts: 1, Due: at(1)}},
			{Subscription: sub.Number, Retried: pubsub.Retried{Seq: 7, Attempts: 1, Due: at(1)}},
			{Subscription: sub.Number, Retried: pubsub.Retried{Seq: 9, Attempts: 2, Due: at(2)}},
		},
		Handed: []pubsub.Handed{{Subscription: sub.Number, Below: 12, Until: at(30)}},
	}))
	must(t, s.Commit(ctx, &pubsub.Batch{
		Progress: []pubsub.Progress{{Owner: sub.Number, Cursor: pubsub.ChunkBits + 1, Chunks: map[int64][]byte{2: chunk(3)}}},
		Retries:  []pubsub.RetryChange{{Subscription: sub.Number, Retried: pubsub.Retried{Seq: 7}}},
	}))
	p, retried, err = s.Load(ctx, sub.Number)
	must(t, err)
	wantSame(t, p, pubsub.Progress{Owner: sub.Number, Cursor: pubsub.ChunkBits + 1, Chunks: map[int64][]byte{2: chunk(3)}})
	wantSame(t, retried, []pubsub.Retried{{Seq: 9, Attempts: 2, Due: at(2)}})
	rec, err := s.Subscription(ctx, sub.Name)
	must(t, err)
	if rec.Handed != 12 || !rec.HandedUntil.Equal(at(30)) {
		t.Errorf("handed %d until %v", rec.Handed, rec.HandedUntil)
	}

	must(t, s.Commit(ctx, &pubsub.Batch{Progress: []pubsub.Progress{{Owner: sub.Number, Cursor: 2, Chunks: map[int64][]byte{1: chunk(4)}, Reset: true}}}))
	p, _, err = s.Load(ctx, sub.Number)
	must(t, err)
	wantSame(t, p, pubsub.Progress{Owner: sub.Number, Cursor: 2, Chunks: map[int64][]byte{1: chunk(4)}})
	p, _, err = s.Load(ctx, other.Number)
	must(t, err)
	wantSame(t, p, pubsub.Progress{Owner: other.Number, Cursor: 1})

	must(t, s.DeleteSubscription(ctx, sub.Name))
	must(t, s.Commit(ctx, &pubsub.Batch{ // it was under way
		Progress: []pubsub.Progress{{Owner: sub.Number, Cursor: 9, Chunks: map[int64][]byte{0: chunk(9)}}},
		Retries:  []pubsub.RetryChange{{Subscription: sub.Number, Retried: pubsub.Retried{Seq: 9, Attempts: 3}}},
	}))
	_, _, err = s.Load(ctx, sub.Number)
	wantCode(t, err, sunya.NotFound)
}

func pubsubSnapshots(t *testing.T, s pubsub.Store) {
	ctx := t.Context()
	topic := makeTopic(t, s, "letters")
	want := pubsub.Snapshot{Name: "projects/p/snapshots/snap", Topic: topic.Name, Expire: at(9), Labels: map[string]string{"a": "b"}}
	from, err := s.SnapshotsFrom(ctx, topic.Number)
	must(t, err)
	if from != 0 {
		t.Errorf("snapshots begin at %d, and there are none", from)
	}
	_, err = s.CreateSnapshot(ctx, want, pubsub.Progress{Cursor: 4, Chunks: map[int64][]byte{3: chunk(5)}})
	must(t, err)
	_, err = s.CreateSnapshot(ctx, want, pubsub.Progress{Cursor: 4})
	wantCode(t, err, sunya.AlreadyExists)
	got, p, err := s.Snapshot(ctx, want.Name)
	must(t, err)
	wantSame(t, got, want)
	p.Owner = 0
	wantSame(t, p, pubsub.Progress{Cursor: 4, Chunks: map[int64][]byte{3: chunk(5)}})
	if from, err = s.SnapshotsFrom(ctx, topic.Number); err != nil || from != 4 {
		t.Errorf("snapshots begin at %d (%v), want 4", from, err)
	}
	for _, q := range [][2]string{{"p", ""}, {"", topic.Name}} {
		list, err := s.ListSnapshots(ctx, q[0], q[1], "", 0)
		must(t, err)
		wantSame(t, list, []pubsub.Snapshot{want})
	}
	subs, err := s.ListSubscriptions(ctx, pubsub.SubscriptionQuery{Project: "p"})
	must(t, err)
	wantSame(t, subs, []pubsub.Subscription(nil))

	want.Expire = at(20)
	must(t, s.UpdateSnapshot(ctx, want))
	must(t, s.ExpireSnapshots(ctx, at(19)))
	_, _, err = s.Snapshot(ctx, want.Name)
	must(t, err)
	must(t, s.ExpireSnapshots(ctx, at(20)))
	_, _, err = s.Snapshot(ctx, want.Name)
	wantCode(t, err, sunya.NotFound)
	wantCode(t, s.DeleteSnapshot(ctx, want.Name), sunya.NotFound)
}

func pubsubDeleted(t *testing.T, s pubsub.Store) {
	ctx := t.Context()
	topic, other := makeTopic(t, s, "letters"), makeTopic(t, s, "other")
	sub := makeSubscription(t, s, pubsub.Subscription{Name: subName("mine"), Topic: topic.Name}, 1)
	_, err := s.CreateSnapshot(ctx, pubsub.Snapshot{Name: "projects/p/snapshots/snap", Topic: topic.Name, Expire: at(9)}, pubsub.Progress{Cursor: 1})
	must(t, err)
	must(t, s.Commit(ctx, &pubsub.Batch{Appends: []pubsub.Append{
		{Topic: topic.Number, Messages: written(topic, 1, 3), Next: 3}, {Topic: other.Number, Messages: written(other, 1, 3), Next: 3},
	}}))
	must(t, s.DeleteTopic(ctx, topic.Name))
	wantCode(t, s.DeleteTopic(ctx, topic.Name), sunya.NotFound)
	rec, err := s.Subscription(ctx, sub.Name)
	must(t, err)
	if rec.Topic != pubsub.DeletedTopic || rec.TopicNumber != 0 {
		t.Errorf("the subscription is of %q, %d", rec.Topic, rec.TopicNumber)
	}
	_, _, err = s.Snapshot(ctx, "projects/p/snapshots/snap")
	wantCode(t, err, sunya.NotFound)
	names, err := s.Backlogged(ctx)
	must(t, err)
	wantSame(t, names, []string{other.Name})
	if again := makeTopic(t, s, "letters"); again.Number == topic.Number || again.Next != 1 {
		t.Errorf("the new topic has number %d and next %d", again.Number, again.Next)
	}
}
