package pubsub_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

const (
	topicName = "projects/p/topics/letters"
	subName   = "projects/p/subscriptions/mine"
)

// world is a broker that runs on a real store.
type world struct {
	*pubsub.Broker
	t     *testing.T
	store *sqlite.Events
	pause func() // ends Run
}

// resume runs the broker.
func (w *world) resume() {
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = w.Run(ctx) })
	w.pause = func() {
		cancel()
		run.Wait()
	}
}

// server runs a broker on the store of a directory until stop or the end of the
// test.
func server(t *testing.T, dir string, change ...func(*pubsub.Parts)) (w *world, stop func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlite.OpenEvents(t.Context(), filepath.Join(dir, "events.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	p := pubsub.Parts{Store: store, Now: time.Now, Log: log}
	for _, f := range change {
		f(&p)
	}
	w = &world{Broker: pubsub.New(p), t: t, store: store}
	w.resume()
	stop = sync.OnceFunc(func() {
		w.pause()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return w, stop
}

func newWorld(t *testing.T, s pubsub.Subscription) *world {
	w, _ := server(t, t.TempDir())
	w.create(s)
	return w
}

// create makes the topic and a subscription with the usual names.
func (w *world) create(s pubsub.Subscription) {
	w.t.Helper()
	if _, err := w.CreateTopic(w.t.Context(), pubsub.Topic{Name: topicName}); err != nil {
		w.t.Fatal(err)
	}
	s.Name, s.Topic = subName, topicName
	if _, err := w.CreateSubscription(w.t.Context(), s); err != nil {
		w.t.Fatal(err)
	}
}

// publish sends texts, each as a message; "key:text" has an ordering key.
func (w *world) publish(texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		m := pubsub.Message{Data: []byte(text)}
		if len(text) > 1 && text[1] == ':' {
			m.OrderingKey = text[:1]
		}
		if _, err := w.Publish(w.t.Context(), topicName, []pubsub.Message{m}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// pull returns what there is within a second.
func (w *world) pull(n int) []pubsub.Received {
	w.t.Helper()
	got, err := w.Pull(w.t.Context(), subName, n, time.Second)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) ack(list ...pubsub.Received) {
	w.t.Helper()
	got, err := w.Acknowledge(w.t.Context(), subName, ids(list), true)
	if err != nil || len(got.Invalid) > 0 {
		w.t.Fatal(got, err)
	}
}

func (w *world) nack(list ...pubsub.Received) {
	w.t.Helper()
	if _, err := w.ModifyAckDeadline(w.t.Context(), subName, ids(list), 0); err != nil {
		w.t.Fatal(err)
	}
}

func ids(list []pubsub.Received) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].AckID
	}
	return out
}

func texts(list []pubsub.Received) []string {
	out := []string{}
	for i := range list {
		out = append(out, string(list[i].Data))
	}
	return out
}

func (w *world) want(got []pubsub.Received, want ...string) {
	w.t.Helper()
	if !slices.Equal(texts(got), append([]string{}, want...)) {
		w.t.Errorf("got %q, want %q", texts(got), want)
	}
}

func numbered(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("m%04d", i))
	}
	return out
}
