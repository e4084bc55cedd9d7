package postgres

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// CreateSnapshot implements pubsub.Store.
func (e *Events) CreateSnapshot(ctx context.Context, s pubsub.Snapshot, p pubsub.Progress) (pubsub.Snapshot, error) {
	document, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	project, _ := pubsub.ParseName("name", pubsub.Snapshots, s.Name)
	return s, e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var topic int64
		if err := tx.QueryRow(ctx, "SELECT number FROM topics WHERE name = $1", s.Topic).Scan(&topic); err != nil {
			return notFound(err, s.Topic, "the topic")
		}
		p.Owner, err = newOwner(ctx, tx, "INSERT INTO subscriptions (number, project, name, topic, snapshot, cursor, expire, document) VALUES ($1, $2, $3, $4, true, $5, $6, $7)",
			project, s.Name, topic, p.Cursor, nanos(s.Expire), document)
		if err != nil {
			return exists(err, s.Name, "the snapshot")
		}
		var q pgx.Batch
		queueProgress(&q, []pubsub.Progress{p})
		return tx.SendBatch(ctx, &q).Close()
	})
}

// Snapshot implements pubsub.Store.
func (e *Events) Snapshot(ctx context.Context, name string) (s pubsub.Snapshot, p pubsub.Progress, err error) {
	var (
		document []byte
		number   int64
	)
	err = e.read.QueryRow(ctx, "SELECT document, number FROM subscriptions WHERE name = $1 AND snapshot", name).Scan(&document, &number)
	if err != nil {
		return s, p, notFound(err, name, "the snapshot")
	}
	if err := json.Unmarshal(document, &s); err != nil {
		return s, p, err
	}
	p, err = e.progress(ctx, number)
	return s, p, err
}

// UpdateSnapshot implements pubsub.Store.
func (e *Events) UpdateSnapshot(ctx context.Context, s pubsub.Snapshot) error {
	return e.replace(ctx, s.Name, "the snapshot", "UPDATE subscriptions SET document = $2, expire = $3 WHERE name = $1 AND snapshot", s, nanos(s.Expire))
}

// DeleteSnapshot implements pubsub.Store.
func (e *Events) DeleteSnapshot(ctx context.Context, name string) error {
	return e.change(ctx, name, "the snapshot", "DELETE FROM subscriptions WHERE name = $1 AND snapshot", name)
}

// ExpireSnapshots implements pubsub.Store.
func (e *Events) ExpireSnapshots(ctx context.Context, now time.Time) error {
	return e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM subscriptions WHERE snapshot AND expire <= $1", nanos(now))
		return err
	})
}

// SnapshotsFrom implements pubsub.Store.
func (e *Events) SnapshotsFrom(ctx context.Context, topic int64) (from int64, err error) {
	err = e.read.QueryRow(ctx, "SELECT coalesce(min(cursor), 0) FROM subscriptions WHERE topic = $1 AND snapshot", topic).Scan(&from)
	return from, explain(err)
}

// ListSnapshots implements pubsub.Store.
func (e *Events) ListSnapshots(ctx context.Context, project, topic, after string, limit int) ([]pubsub.Snapshot, error) {
	where, arg := "project = $1", project
	if topic != "" {
		where, arg = "topic = (SELECT t.number FROM topics t WHERE t.name = $1)", topic
	}
	return list(ctx, e.read, scanDocument[pubsub.Snapshot],
		"SELECT document FROM subscriptions WHERE snapshot AND "+where+" AND name > $2 ORDER BY name LIMIT $3", arg, after, limitOf(limit))
}
