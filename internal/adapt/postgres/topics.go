package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// CreateTopic implements pubsub.Store.
func (e *Events) CreateTopic(ctx context.Context, t pubsub.Topic) (rec pubsub.TopicRecord, err error) {
	document, err := json.Marshal(t)
	if err != nil {
		return rec, err
	}
	rec = pubsub.TopicRecord{Topic: t, Next: 1}
	project, _ := pubsub.ParseName("name", pubsub.Topics, t.Name) // checked by the broker
	err = e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		// A sequence would lose numbers with each creation that fails.
		if err := tx.QueryRow(ctx, "UPDATE writer SET topics = topics + 1 RETURNING topics").Scan(&rec.Number); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO topics (number, project, name, document) VALUES ($1, $2, $3, $4)", rec.Number, project, t.Name, document)
		return exists(err, t.Name, "the topic")
	})
	return rec, err
}

// Topic implements pubsub.Store.
func (e *Events) Topic(ctx context.Context, name string) (rec pubsub.TopicRecord, err error) {
	var document []byte
	row := e.read.QueryRow(ctx, "SELECT number, next, document FROM topics WHERE name = $1", name)
	if err := row.Scan(&rec.Number, &rec.Next, &document); err != nil {
		return rec, notFound(err, name, "the topic")
	}
	if err := json.Unmarshal(document, &rec.Topic); err != nil {
		return rec, err
	}
	rec.Subscriptions, err = list(ctx, e.read, scanSubscription, selectSubscription+" WHERE topic = $1 AND NOT snapshot ORDER BY name", rec.Number)
	return rec, err
}

// UpdateTopic implements pubsub.Store.
func (e *Events) UpdateTopic(ctx context.Context, t pubsub.Topic) error {
	return e.replace(ctx, t.Name, "the topic", "UPDATE topics SET document = $2 WHERE name = $1", t)
}

// replace stores a document; NotFound when there is none to replace.
func (e *Events) replace(ctx context.Context, name, kind, query string, v any, more ...any) error {
	document, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return e.change(ctx, name, kind, query, append([]any{name, document}, more...)...)
}

// change runs a statement on the record of a name; NotFound when it has none.
func (e *Events) change(ctx context.Context, name, kind, query string, args ...any) error {
	return e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		done, err := tx.Exec(ctx, query, args...)
		if err != nil || done.RowsAffected() > 0 {
			return err
		}
		return sunya.Errorf(sunya.NotFound, name, "%s does not exist", kind)
	})
}

// DeleteTopic implements pubsub.Store.
func (e *Events) DeleteTopic(ctx context.Context, name string) error {
	return e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var number int64
		if err := tx.QueryRow(ctx, "DELETE FROM topics WHERE name = $1 RETURNING number", name).Scan(&number); err != nil {
			return notFound(err, name, "the topic")
		}
		var b pgx.Batch
		b.Queue("DELETE FROM subscriptions WHERE topic = $1 AND snapshot", number)
		b.Queue("UPDATE subscriptions SET topic = 0, pushes = false WHERE topic = $1", number)
		b.Queue("DELETE FROM messages WHERE number >= $1 AND number < $2", pubsub.Number(number, 0), pubsub.Number(number+1, 0))
		return tx.SendBatch(ctx, &b).Close()
	})
}

// ListTopics implements pubsub.Store.
func (e *Events) ListTopics(ctx context.Context, project, after string, limit int) ([]pubsub.Topic, error) {
	return list(ctx, e.read, scanDocument[pubsub.Topic],
		"SELECT document FROM topics WHERE project = $1 AND name > $2 ORDER BY name LIMIT $3", project, after, limitOf(limit))
}

// scanDocument reads a row of one JSON column.
func scanDocument[T any](r pgx.Row) (v T, err error) {
	var document []byte
	if err := r.Scan(&document); err != nil {
		return v, err
	}
	err = json.Unmarshal(document, &v)
	return v, err
}

// limitOf is SQL's LIMIT for a limit of ours, where 0 or less is none.
func limitOf(n int) *int {
	if n <= 0 {
		return nil
	}
	return &n
}
