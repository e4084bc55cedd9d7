package pubsub_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

func TestWhatIsAcknowledgedDoesNotComeAgain(t *testing.T) {
	dir := t.TempDir()
	w, stop := server(t, dir)
	w.create(pubsub.Subscription{})
	w.publish("a", "b", "c")
	got := w.pull(10)
	w.want(got, "a", "b", "c")
	w.ack(got[0], got[2])
	stop()

	w, _ = server(t, dir)
	again := w.pull(10)
	w.want(again, "b")
	w.ack(again[0])
	w.publish("d")
	w.want(w.pull(10), "d")
}

func TestAckIDsOfAnEarlierServerAreGood(t *testing.T) {
	dir := t.TempDir()
	w, stop := server(t, dir)
	w.create(pubsub.Subscription{})
	w.publish("a", "b")
	got := w.pull(10)
	stop()
	w, _ = server(t, dir)
	w.ack(got[0])
	w.want(w.pull(10), "b")
}

func TestASubscriptionGetsWhatIsPublishedAfterIt(t *testing.T) {
	w := newWorld(t, pubsub.Subscription{})
	w.publish("before")
	other := pubsub.Subscription{Name: "projects/p/subscriptions/other", Topic: topicName}
	if _, err := w.CreateSubscription(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	w.publish("after")
	w.want(w.pull(10), "before", "after")
	got, err := w.Pull(t.Context(), other.Name, 10, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	w.want(got, "after")
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pubsub.Subscription{AckDeadline: 20 * time.Second})
		w.publish("a", "b")
		got := w.pull(10)
		time.Sleep(15 * time.Second)
		if _, err := w.ModifyAckDeadline(t.Context(), subName, ids(got[1:]), time.Minute); err != nil {
			t.Fatal(err)
		}
		w.want(w.pull(10))
		time.Sleep(5 * time.Second)
		w.want(w.pull(10), "a")
		w.nack(got[1])
		w.want(w.pull(10), "b")
	})
}

func TestPullWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pubsub.Subscription{})
		done := make(chan []pubsub.Received)
		go func() {
			got, err := w.Pull(t.Context(), subName, 10, time.Minute)
			if err != nil {
				t.Error(err)
			}
			done <- got
		}()
		time.Sleep(10 * time.Second)
		w.publish("late")
		w.want(<-done, "late")
	})
}

func TestRetryRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pubsub.Subscription{Retry: &pubsub.Retry{Min: 10 * time.Second, Max: 30 * time.Second}})
		w.publish("a")
		got := w.pull(1)
		for _, rest := range []time.Duration{10, 20, 30, 30} {
			w.nack(got...)
			begin := time.Now()
			var err error
			got, err = w.Pull(t.Context(), subName, 1, time.Hour)
			if err != nil || len(got) != 1 || time.Since(begin) != rest*time.Second {
				t.Fatalf("after %v: %v, %v; want %d s", time.Since(begin), texts(got), err, rest)
			}
		}
	})
}

func TestOrder(t *testing.T) {
	w := newWorld(t, pubsub.Subscription{Ordered: true})
	w.publish("a:1", "b:1", "a:2", "free", "a:3", "b:2")
	got := w.pull(3)
	w.want(got, "a:1", "b:1", "a:2")
	rest := w.pull(10)
	w.want(rest, "free") // the others wait behind those of their key
	w.nack(got[0])       // and takes a:2 along
	w.ack(got[1])
	w.ack(rest...)
	next := w.pull(10)
	slices.SortFunc(next, func(a, b pubsub.Received) int { return strings.Compare(string(a.Data), string(b.Data)) })
	w.want(next, "a:1", "a:2", "a:3", "b:2")
	w.ack(next[1], next[2], next[3])
	w.want(w.pull(1))
	w.ack(next[0])
	w.publish("a:4")
	w.want(w.pull(10), "a:4")
}

func TestDeadLetter(t *testing.T) {
	const dead = "projects/p/topics/dead"
	w, _ := server(t, t.TempDir())
	if _, err := w.CreateTopic(t.Context(), pubsub.Topic{Name: dead}); err != nil {
		t.Fatal(err)
	}
	grave := pubsub.Subscription{Name: "projects/p/subscriptions/grave", Topic: dead}
	if _, err := w.CreateSubscription(t.Context(), grave); err != nil {
		t.Fatal(err)
	}
	w.create(pubsub.Subscription{DeadLetter: &pubsub.DeadLetter{Topic: dead}})
	w.publish("poison")
	for i := range 5 {
		got := w.pull(1)
		if len(got) != 1 || got[0].Attempt != i+1 {
			t.Fatalf("attempt %d: %+v", i+1, got)
		}
		w.nack(got...)
	}
	got, err := w.Pull(t.Context(), grave.Name, 1, 10*time.Second)
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	a := got[0].Attributes
	if string(got[0].Data) != "poison" || a["CloudPubSubDeadLetterSourceSubscription"] != "mine" || a["CloudPubSubDeadLetterSourceDeliveryCount"] != "5" {
		t.Errorf("%+v", got[0])
	}
	w.want(w.pull(1))
}

func TestFilteredMessagesAreAcknowledged(t *testing.T) {
	w := newWorld(t, pubsub.Subscription{Filter: `attributes.kind = "b"`})
	for _, kind := range []string{"a", "b", "a"} {
		if _, err := w.Publish(t.Context(), topicName, []pubsub.Message{{Data: []byte(kind), Attributes: map[string]string{"kind": kind}}}); err != nil {
			t.Fatal(err)
		}
	}
	got := w.pull(10)
	w.want(got, "b")
	w.ack(got...)
	w.Tidy(t.Context())
	if names, err := w.store.Backlogged(t.Context()); err != nil || len(names) > 0 {
		t.Errorf("messages are left: %v, %v", names, err)
	}
}

func TestSeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pubsub.Subscription{RetainAcked: true})
		w.publish("a", "b")
		w.ack(w.pull(1)...)
		snap := "projects/p/snapshots/snap"
		if _, err := w.CreateSnapshot(t.Context(), pubsub.Snapshot{Name: snap}, subName); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		middle := time.Now()
		w.publish("c")
		w.ack(w.pull(10)...)
		w.Tidy(t.Context())
		if err := w.SeekTime(t.Context(), subName, middle); err != nil {
			t.Fatal(err)
		}
		w.want(w.pull(10), "c")
		if err := w.SeekSnapshot(t.Context(), subName, snap); err != nil {
			t.Fatal(err)
		}
		w.want(w.pull(10), "b", "c")
		if err := w.SeekTime(t.Context(), subName, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.want(w.pull(10))
		if err := w.SeekTime(t.Context(), subName, time.Unix(0, 1)); err != nil {
			t.Fatal(err)
		}
		w.want(w.pull(10), "a", "b", "c")
	})
}

func TestExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w, stop := server(t, dir)
		w.create(pubsub.Subscription{ExactlyOnce: true})
		w.publish("a", "b", "c")
		got := w.pull(10)
		w.ack(got[0])
		if again, err := w.Acknowledge(t.Context(), subName, ids(got[:1]), true); err != nil || len(again.Invalid) != 1 {
			t.Errorf("second acknowledgement: %+v, %v", again, err)
		}
		time.Sleep(5 * time.Second)
		stop()
		w, _ = server(t, dir)
		w.ack(got[1]) // good: its deadline has not passed
		begin := time.Now()
		late, err := w.Pull(t.Context(), subName, 10, time.Minute)
		if err != nil || time.Since(begin) < 4*time.Second {
			t.Errorf("delivered again after %v (%v), before the deadline", time.Since(begin), err)
		}
		w.want(late, "c")
		if out, err := w.Acknowledge(t.Context(), subName, ids(got[2:]), true); err != nil || len(out.Invalid) != 1 {
			t.Errorf("late acknowledgement: %+v, %v", out, err)
		}
	})
}

func TestBacklogAndManyConsumers(t *testing.T) {
	w := newWorld(t, pubsub.Subscription{AckDeadline: time.Minute})
	const n = 5000
	for from := 0; from < n; from += 500 {
		var batch []pubsub.Message
		for _, text := range numbered(from, from+500) {
			batch = append(batch, pubsub.Message{Data: []byte(text)})
		}
		if _, err := w.Publish(t.Context(), topicName, batch); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(chan string, 2*n)
	done := make(chan error, 10)
	for range 10 {
		go func() {
			for {
				got, err := w.Pull(t.Context(), subName, 97, 500*time.Millisecond)
				if err != nil || len(got) == 0 {
					done <- err
					return
				}
				for _, s := range texts(got) {
					seen <- s
				}
				if _, err := w.Acknowledge(t.Context(), subName, ids(got), false); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range 10 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	close(seen)
	var all []string
	for s := range seen {
		all = append(all, s)
	}
	slices.Sort(all)
	if !slices.Equal(all, numbered(0, n)) {
		t.Errorf("%d messages came, want each of %d once", len(all), n)
	}
}

func TestErrors(t *testing.T) {
	w := newWorld(t, pubsub.Subscription{})
	ctx := t.Context()
	for name, tt := range map[string]struct {
		do   func() error
		want sunya.Code
	}{
		"unknown topic": {func() error {
			_, err := w.Publish(ctx, "projects/p/topics/none", []pubsub.Message{{Data: []byte("x")}})
			return err
		}, sunya.NotFound},
		"empty message": {func() error { _, err := w.Publish(ctx, topicName, []pubsub.Message{{}}); return err }, sunya.InvalidArgument},
		"too large": {func() error {
			_, err := w.Publish(ctx, topicName, []pubsub.Message{{Data: make([]byte, pubsub.MaxPublishBytes+1)}})
			return err
		}, sunya.InvalidArgument},
		"two keys": {func() error {
			_, err := w.Publish(ctx, topicName, []pubsub.Message{{Data: []byte("x"), OrderingKey: "a"}, {Data: []byte("x"), OrderingKey: "b"}})
			return err
		}, sunya.InvalidArgument},
		"topic again": {func() error { _, err := w.CreateTopic(ctx, pubsub.Topic{Name: topicName}); return err }, sunya.AlreadyExists},
		"bad topic":   {func() error { _, err := w.CreateTopic(ctx, pubsub.Topic{Name: "projects/p/topics/googly"}); return err }, sunya.InvalidArgument},
		"bad label": {func() error {
			_, err := w.CreateTopic(ctx, pubsub.Topic{Name: topicName + "x", Labels: map[string]string{"A": "b"}})
			return err
		}, sunya.InvalidArgument},
		"bad ack id":    {func() error { _, err := w.Acknowledge(ctx, subName, []string{"!"}, true); return err }, sunya.InvalidArgument},
		"no messages":   {func() error { _, err := w.Pull(ctx, subName, 0, 0); return err }, sunya.InvalidArgument},
		"long deadline": {func() error { _, err := w.ModifyAckDeadline(ctx, subName, nil, time.Hour); return err }, sunya.InvalidArgument},
		"unknown sub":   {func() error { _, err := w.Pull(ctx, "projects/p/subscriptions/none", 1, 0); return err }, sunya.NotFound},
		"changed filter": {func() error {
			_, err := w.UpdateSubscription(ctx, subName, func(s *pubsub.Subscription) error { s.Filter = "attributes:a"; return nil })
			return err
		}, sunya.InvalidArgument},
		"dead letter topic": {func() error {
			_, err := w.UpdateSubscription(ctx, subName, func(s *pubsub.Subscription) error {
				s.DeadLetter = &pubsub.DeadLetter{Topic: "projects/p/topics/none"}
				return nil
			})
			return err
		}, sunya.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.do(); sunya.CodeOf(err) != tt.want {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestDeletedTopic(t *testing.T) {
	w := newWorld(t, pubsub.Subscription{})
	w.publish("a")
	if err := w.DeleteTopic(t.Context(), topicName); err != nil {
		t.Fatal(err)
	}
	w.want(w.pull(1))
	s, err := w.Subscription(t.Context(), subName)
	if err != nil || s.Topic != pubsub.DeletedTopic {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := w.Publish(t.Context(), topicName, []pubsub.Message{{Data: []byte("x")}}); sunya.CodeOf(err) != sunya.NotFound {
		t.Error(err)
	}
	if _, err := w.CreateTopic(t.Context(), pubsub.Topic{Name: topicName}); err != nil {
		t.Fatal(err)
	}
	w.publish("b") // to the new one
	w.want(w.pull(1))
}

func TestWhatRestsIsForgottenAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pubsub.Subscription{AckDeadline: 10 * time.Second})
		w.publish("a", "b")
		w.ack(w.pull(1)...)
		time.Sleep(10 * time.Minute)
		w.Tidy(t.Context())
		if topics, subs := w.InMemory(); topics+subs > 0 {
			t.Errorf("%d topics and %d subscriptions are in memory", topics, subs)
		}
		w.publish("c")
		w.want(w.pull(10), "b", "c")
	})
}

func TestRunsAgain(t *testing.T) {
	w := newWorld(t, pubsub.Subscription{})
	w.publish("a")
	w.pause()
	if _, err := w.Publish(t.Context(), topicName, []pubsub.Message{{Data: []byte("x")}}); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("publishing without Run: %v", err)
	}
	w.resume()
	for { // until it runs
		_, err := w.Publish(t.Context(), topicName, []pubsub.Message{{Data: []byte("b")}})
		if err == nil {
			break
		}
		if sunya.CodeOf(err) != sunya.Unavailable {
			t.Fatal(err)
		}
	}
	got := w.pull(10)
	w.want(got, "a", "b")
	w.ack(got...)
}
