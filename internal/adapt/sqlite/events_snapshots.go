package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// CreateSnapshot implements pubsub.Store.
func (e *Events) CreateSnapshot(ctx context.Context, s pubsub.Snapshot, p pubsub.Progress) (pubsub.Snapshot, error) {
	document, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	project, _ := pubsub.ParseName("name", pubsub.Snapshots, s.Name)
	return s, e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var topic int64
		if err := tx.QueryRowContext(ctx, "SELECT number FROM topics WHERE name = ?", s.Topic).Scan(&topic); err != nil {
			return notFound(err, s.Topic, "the topic")
		}
		res, err := tx.ExecContext(ctx, "INSERT INTO subscriptions (project, name, topic, snapshot, cursor, expire, document) VALUES (?, ?, ?, 1, ?, ?, ?)",
			project, s.Name, topic, p.Cursor, nanos(s.Expire), document)
		if err != nil {
			return exists(err, s.Name, "the snapshot")
		}
		if p.Owner, err = res.LastInsertId(); err != nil {
			return err
		}
		return saveChunks(ctx, tx, &p)
	})
}

// Snapshot implements pubsub.Store.
func (e *Events) Snapshot(ctx context.Context, name string) (pubsub.Snapshot, pubsub.Progress, error) {
	var (
		document []byte
		number   int64
	)
	err := e.db.read.QueryRowContext(ctx, "SELECT document, number FROM subscriptions WHERE name = ? AND snapshot", name).Scan(&document, &number)
	if err != nil {
		return pubsub.Snapshot{}, pubsub.Progress{}, notFound(err, name, "the snapshot")
	}
	s, err := decode[pubsub.Snapshot](document)
	if err != nil {
		return pubsub.Snapshot{}, pubsub.Progress{}, err
	}
	p, err := loadProgress(ctx, e.db.read, number)
	return *s, p, err
}

// UpdateSnapshot implements pubsub.Store.
func (e *Events) UpdateSnapshot(ctx context.Context, s pubsub.Snapshot) error {
	return e.replace(ctx, s.Name, "the snapshot", "UPDATE subscriptions SET document = ?2, expire = ?3 WHERE name = ?1 AND snapshot", s, nanos(s.Expire))
}

// DeleteSnapshot implements pubsub.Store.
func (e *Events) DeleteSnapshot(ctx context.Context, name string) error {
	return e.change(ctx, name, "the snapshot", "DELETE FROM subscriptions WHERE name = ? AND snapshot", name)
}

// ExpireSnapshots implements pubsub.Store.
func (e *Events) ExpireSnapshots(ctx context.Context, now time.Time) error {
	return e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM subscriptions WHERE snapshot AND expire <= ?", nanos(now))
		return explain(err)
	})
}

// SnapshotsFrom implements pubsub.Store.
func (e *Events) SnapshotsFrom(ctx context.Context, topic int64) (int64, error) {
	var from sql.NullInt64
	err := e.db.read.QueryRowContext(ctx, "SELECT min(cursor) FROM subscriptions WHERE topic = ? AND snapshot", topic).Scan(&from)
	return from.Int64, explain(err)
}

// ListSnapshots implements pubsub.Store.
func (e *Events) ListSnapshots(ctx context.Context, project, topic, after string, limit int) ([]pubsub.Snapshot, error) {
	if topic != "" {
		return list(ctx, e.db.read, scanDocument[pubsub.Snapshot],
			"SELECT document FROM subscriptions WHERE snapshot AND topic = (SELECT number FROM topics WHERE name = ?) AND name > ? ORDER BY name LIMIT ?",
			topic, after, limitOf(limit))
	}
	return list(ctx, e.db.read, scanDocument[pubsub.Snapshot],
		"SELECT document FROM subscriptions WHERE snapshot AND project = ? AND name > ? ORDER BY name LIMIT ?", project, after, limitOf(limit))
}
