package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/postgres"
	"github.com/sunya-cloud/sunya/internal/adapt/postgres/postgrestest"
	"github.com/sunya-cloud/sunya/internal/adapt/storetest"
	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/schema"
)

func open(t testing.TB, url string) *postgres.Events {
	t.Helper()
	e, err := postgres.OpenEvents(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestPubSub(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	storetest.PubSub(t, func(t testing.TB) pubsub.Store { return open(t, server.Database()) })
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	storetest.Schemas(t, func(t testing.TB) schema.Store { return open(t, server.Database()) })
}

func TestOneWriter(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	url := server.Database()
	first := open(t, url)
	second := make(chan error, 1)
	go func() {
		e, err := postgres.OpenEvents(t.Context(), url, slog.New(slog.DiscardHandler))
		if err == nil {
			_ = e.Close()
		}
		second <- err
	}()
	topic := createTopic(t, first, "letters")
	if err := <-second; sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), "another server writes") {
		t.Errorf("the second server was told %v", err)
	}

	t.Run("gives its place to the next one", func(t *testing.T) {
		first.Hold()
		err := first.Commit(t.Context(), &pubsub.Batch{Appends: []pubsub.Append{{Topic: topic.Number, Next: 2}}})
		if sunya.CodeOf(err) != sunya.Unavailable {
			t.Errorf("a write was told %v, want Unavailable", err)
		}
		if _, err := first.Topic(t.Context(), topic.Name); err != nil {
			t.Errorf("a read was told %v", err)
		}
		next := open(t, url)
		commit(t, next, topic, 1, 2)
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
		first.Resume()
		commit(t, first, topic, 2, 3)
	})

	t.Run("stops when another one has written", func(t *testing.T) {
		server.Kill() // the lock is gone
		server.Up()
		open(t, url) // somebody else is first
		err := first.Commit(t.Context(), &pubsub.Batch{Appends: []pubsub.Append{{Topic: topic.Number, Next: 9}}})
		if sunya.CodeOf(err) != sunya.FailedPrecondition {
			t.Errorf("a write was told %v, want FailedPrecondition", err)
		}
	})
}

func createTopic(t *testing.T, e *postgres.Events, id string) pubsub.TopicRecord {
	t.Helper()
	rec, err := e.CreateTopic(t.Context(), pubsub.Topic{Name: "projects/p/topics/" + id})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func messages(topic pubsub.TopicRecord, from, to int64) (out []pubsub.Stored) {
	for seq := from; seq < to; seq++ {
		out = append(out, pubsub.Stored{Seq: seq, Message: pubsub.Message{PublishTime: time.Unix(seq, 0), Data: fmt.Append(nil, seq)}})
	}
	return out
}

func commit(t *testing.T, e *postgres.Events, topic pubsub.TopicRecord, from, to int64) {
	t.Helper()
	err := e.Commit(t.Context(), &pubsub.Batch{Appends: []pubsub.Append{{Topic: topic.Number, Messages: messages(topic, from, to), Next: to}}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCrashes: Postgres falls over again and again while batches are stored;
// those who store them notice nothing, and each is there once.
func TestCrashes(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	e := open(t, server.Database())
	topic := createTopic(t, e, "letters")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan int64, 1)
	go func() {
		seq := int64(1)
		for ; ctx.Err() == nil; seq += 3 {
			err := e.Commit(context.WithoutCancel(ctx), &pubsub.Batch{Appends: []pubsub.Append{{Topic: topic.Number, Messages: messages(topic, seq, seq+3), Next: seq + 3}}})
			if err != nil {
				t.Error(err)
				break
			}
		}
		done <- seq
	}()
	for range 5 {
		time.Sleep(100 * time.Millisecond) // a random moment
		server.Kill()
		server.Up()
	}
	cancel()
	next := <-done
	rec, err := e.Topic(t.Context(), topic.Name)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Read(t.Context(), topic.Number, 1, int(next), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Next != next || int64(len(got)) != next-1 {
		t.Errorf("%d messages, next is %d; stored were those before %d", len(got), rec.Next, next)
	}
}

// TestGivenUp: a batch that was given up while Postgres was away is not there when
// it comes back.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	e := open(t, server.Database())
	topic := createTopic(t, e, "letters")
	commit(t, e, topic, 1, 3)
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := e.Commit(ctx, &pubsub.Batch{Appends: []pubsub.Append{{Topic: topic.Number, Messages: messages(topic, 3, 9), Next: 9}}})
	if sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("told %v, want Unavailable", err)
	}
	_, err = e.Topic(t.Context(), topic.Name)
	if sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("reading was told %v, want Unavailable", err)
	}
	server.Up()
	commit(t, e, topic, 3, 4)
	got, err := e.Read(t.Context(), topic.Number, 1, 100, 1<<20)
	if err != nil || len(got) != 3 {
		t.Errorf("%d messages (%v), want 3", len(got), err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	e := open(t, server.Database())
	for _, c := range e.Check(t.Context()) {
		if c.Status != health.OK {
			t.Errorf("%+v", c)
		}
	}
	server.Kill()
	for _, c := range e.Check(t.Context()) {
		if c.Status != health.Fail || c.Fix == "" {
			t.Errorf("without a server: %+v", c)
		}
	}
}

func TestURL(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"postgres://sunya:secret@db.example.org/events?sslmode=require", ""},
		{"postgresql:///events?host=/run/postgresql&synchronous_commit=remote_apply", ""},
		{"mysql://db/events", "postgres://USER@HOST/DATABASE"},
		{"postgres://db:x/events", "not the URL"},
		{"postgres://db/events?synchronous_commit=off", "would lose messages"},
	} {
		err := postgres.CheckURL(tt.url)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.url, err, tt.want)
		}
	}
	if err := postgres.CheckURL("postgres://u:secret@db:x/events"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the password is told: %v", err)
	}
}
