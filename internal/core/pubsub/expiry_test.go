package pubsub_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// clock is a time that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

func TestUnusedSubscriptionsExpire(t *testing.T) {
	var c clock
	dir := t.TempDir()
	withClock := func(p *pubsub.Parts) { p.Now = c.now }
	w, stop := server(t, dir, withClock)
	const day = 24 * time.Hour
	w.create(pubsub.Subscription{Expiration: 2 * day})
	w.Tidy(t.Context())
	exists := func(want bool) {
		t.Helper()
		_, err := w.Subscription(t.Context(), subName)
		if got := sunya.CodeOf(err) != sunya.NotFound; got != want {
			t.Fatalf("the subscription exists: %v (%v), want %v", got, err, want)
		}
	}
	age := func(d time.Duration) {
		c.forward(d)
		w.Tidy(t.Context())
	}
	age(day)
	exists(true)
	w.publish("a") // is no use of the subscription
	w.ack(w.pull(1)...)
	age(day)
	age(day)
	exists(true)

	stream, err := w.Stream(t.Context(), subName, pubsub.StreamOptions{AckDeadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	age(3 * day)
	exists(true)
	stream.Close()

	stop()
	c.forward(30 * day) // while no server runs
	w, _ = server(t, dir, withClock)
	w.Tidy(t.Context())
	age(day)
	exists(true)
	age(day + time.Minute)
	exists(false)
}

func TestBacklogs(t *testing.T) {
	w := newWorld(t, pubsub.Subscription{})
	backlog := func() pubsub.Backlog {
		t.Helper()
		list, err := w.Backlogs(t.Context())
		if err != nil || len(list) != 1 || list[0].Subscription != subName || list[0].Topic != topicName {
			t.Fatalf("%+v, %v", list, err)
		}
		return list[0]
	}
	if b := backlog(); b.Messages != 0 || !b.Oldest.IsZero() {
		t.Errorf("%+v, want nothing", b)
	}
	w.publish("a", "b", "c", "d")
	got := w.pull(4)
	w.ack(got[0], got[2])
	if b := backlog(); b.Messages != 2 || !b.Oldest.Equal(got[1].PublishTime) {
		t.Errorf("%+v, want 2 since %v", b, got[1].PublishTime)
	}
	w.ack(got[1], got[3])
	if b := backlog(); b.Messages != 0 || !b.Oldest.IsZero() {
		t.Errorf("%+v, want nothing", b)
	}
}
