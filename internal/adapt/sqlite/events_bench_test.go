package sqlite_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// BenchmarkCommit stores messages of 1 KiB in synced batches of 200.
func BenchmarkCommit(b *testing.B) {
	const batch = 200
	e, err := sqlite.OpenEvents(b.Context(), filepath.Join(b.TempDir(), "events.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	topic, err := e.CreateTopic(b.Context(), pubsub.Topic{Name: "projects/p/topics/letters"})
	if err != nil {
		b.Fatal(err)
	}
	data := bytes.Repeat([]byte("x"), 1<<10)
	next := int64(1)
	for b.Loop() {
		a := pubsub.Append{Topic: topic.Number, Next: next + batch}
		for i := range int64(batch) {
			a.Messages = append(a.Messages, pubsub.Stored{Seq: next + i, Message: pubsub.Message{PublishTime: time.Now(), Data: data}})
		}
		next += batch
		if err := e.Commit(b.Context(), &pubsub.Batch{Appends: []pubsub.Append{a}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(next-1)/b.Elapsed().Seconds(), "messages/s")
}
