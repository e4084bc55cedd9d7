package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Events keeps topics, subscriptions and messages in a file of their own, so
// that publishing never queues behind a deploy.
type Events struct {
	db     *DB
	insert *sql.Stmt // of a row of messages
}

var (
	_ pubsub.Store   = (*Events)(nil)
	_ health.Checker = (*Events)(nil)
)

// OpenEvents opens the file at path, or makes it, as Open does.
func OpenEvents(ctx context.Context, path string, log *slog.Logger) (*Events, error) {
	db, err := open(ctx, path, "events", log)
	if err != nil {
		return nil, err
	}
	e := &Events{db: db}
	e.insert, err = db.write.PrepareContext(ctx, "INSERT INTO messages (number, count, time, ordering_key, attributes, data) VALUES (?, ?, ?, ?, ?, ?)")
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return e, nil
}

// Close closes the file once the write under way is done.
func (e *Events) Close() error { return errors.Join(e.insert.Close(), e.db.Close()) }

// Check implements health.Checker.
func (e *Events) Check(ctx context.Context) []health.Check { return e.db.Check(ctx) }

// exists is the error for a name that is taken; other errors stay.
func exists(err error, resource, kind string) error {
	if violates(err, sqlite3.SQLITE_CONSTRAINT_UNIQUE) {
		return sunya.Errorf(sunya.AlreadyExists, resource, "%s exists already", kind)
	}
	return explain(err)
}

// CreateTopic implements pubsub.Store.
func (e *Events) CreateTopic(ctx context.Context, t pubsub.Topic) (rec pubsub.TopicRecord, err error) {
	document, err := json.Marshal(t)
	if err != nil {
		return rec, err
	}
	rec = pubsub.TopicRecord{Topic: t, Next: 1}
	project, _ := pubsub.ParseName("name", pubsub.Topics, t.Name) // checked by the broker
	return rec, e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "INSERT INTO topics (project, name, document) VALUES (?, ?, ?)", project, t.Name, document)
		if err != nil {
			return exists(err, t.Name, "the topic")
		}
		rec.Number, err = res.LastInsertId()
		return err
	})
}

// Topic implements pubsub.Store.
func (e *Events) Topic(ctx context.Context, name string) (rec pubsub.TopicRecord, err error) {
	var document []byte
	row := e.db.read.QueryRowContext(ctx, "SELECT number, next, document FROM topics WHERE name = ?", name)
	if err := row.Scan(&rec.Number, &rec.Next, &document); err != nil {
		return rec, notFound(err, name, "the topic")
	}
	t, err := decode[pubsub.Topic](document)
	if err != nil {
		return rec, err
	}
	rec.Topic = *t
	rec.Subscriptions, err = list(ctx, e.db.read, scanSubscription, selectSubscription+" WHERE topic = ? AND NOT snapshot ORDER BY name", rec.Number)
	for i := range rec.Subscriptions {
		rec.Subscriptions[i].Topic = name
	}
	return rec, err
}

// UpdateTopic implements pubsub.Store.
func (e *Events) UpdateTopic(ctx context.Context, t pubsub.Topic) error {
	return e.replace(ctx, t.Name, "the topic", "UPDATE topics SET document = ?2 WHERE name = ?1", t)
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
	return e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return explain(err)
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return sunya.Errorf(sunya.NotFound, name, "%s does not exist", kind)
	})
}

// DeleteTopic implements pubsub.Store.
func (e *Events) DeleteTopic(ctx context.Context, name string) error {
	return e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var number int64
		err := tx.QueryRowContext(ctx, "DELETE FROM topics WHERE name = ? RETURNING number", name).Scan(&number)
		if err != nil {
			return notFound(err, name, "the topic")
		}
		for _, q := range []string{
			"UPDATE subscriptions SET topic = 0, pushes = 0 WHERE topic = ? AND NOT snapshot",
			"DELETE FROM subscriptions WHERE topic = ? AND snapshot",
		} {
			if _, err := tx.ExecContext(ctx, q, number); err != nil {
				return explain(err)
			}
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM messages WHERE number >= ? AND number < ?", pubsub.Number(number, 0), pubsub.Number(number+1, 0))
		return explain(err)
	})
}

// ListTopics implements pubsub.Store.
func (e *Events) ListTopics(ctx context.Context, project, after string, limit int) ([]pubsub.Topic, error) {
	return list(ctx, e.db.read, scanDocument[pubsub.Topic],
		"SELECT document FROM topics WHERE project = ? AND name > ? ORDER BY name LIMIT ?", project, after, limitOf(limit))
}

const selectSubscription = `SELECT number, document, topic, handed, handed_until,
	coalesce((SELECT t.name FROM topics t WHERE t.number = topic), '` + pubsub.DeletedTopic + `') FROM subscriptions`

func scanSubscription(r row) (*pubsub.SubscriptionRecord, error) {
	var (
		rec      pubsub.SubscriptionRecord
		document []byte
		until    int64
		topic    string
	)
	if err := r.Scan(&rec.Number, &document, &rec.TopicNumber, &rec.Handed, &until, &topic); err != nil {
		return nil, err
	}
	s, err := decode[pubsub.Subscription](document)
	if err != nil {
		return nil, err
	}
	rec.Subscription, rec.HandedUntil = *s, moment(until)
	rec.Topic = topic
	return &rec, nil
}

// CreateSubscription implements pubsub.Store.
func (e *Events) CreateSubscription(ctx context.Context, s pubsub.Subscription, cursor int64) (rec pubsub.SubscriptionRecord, err error) {
	document, err := json.Marshal(s)
	if err != nil {
		return rec, err
	}
	rec.Subscription = s
	project, _ := pubsub.ParseName("name", pubsub.Subscriptions, s.Name)
	return rec, e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT number FROM topics WHERE name = ?", s.Topic).Scan(&rec.TopicNumber)
		if err != nil {
			return notFound(err, s.Topic, "the topic")
		}
		res, err := tx.ExecContext(ctx, "INSERT INTO subscriptions (project, name, topic, cursor, pushes, document) VALUES (?, ?, ?, ?, ?, ?)",
			project, s.Name, rec.TopicNumber, cursor, s.Push != nil && !s.Detached, document)
		if err != nil {
			return exists(err, s.Name, "the subscription")
		}
		rec.Number, err = res.LastInsertId()
		return err
	})
}

// Subscription implements pubsub.Store.
func (e *Events) Subscription(ctx context.Context, name string) (pubsub.SubscriptionRecord, error) {
	rec, err := scanSubscription(e.db.read.QueryRowContext(ctx, selectSubscription+" WHERE name = ? AND NOT snapshot", name))
	if err != nil {
		return pubsub.SubscriptionRecord{}, notFound(err, name, "the subscription")
	}
	return *rec, nil
}

// UpdateSubscription implements pubsub.Store.
func (e *Events) UpdateSubscription(ctx context.Context, s pubsub.Subscription) error {
	return e.replace(ctx, s.Name, "the subscription",
		"UPDATE subscriptions SET document = ?2, pushes = ?3 AND topic > 0 WHERE name = ?1 AND NOT snapshot", s, s.Push != nil && !s.Detached)
}

// DeleteSubscription implements pubsub.Store.
func (e *Events) DeleteSubscription(ctx context.Context, name string) error {
	return e.change(ctx, name, "the subscription", "DELETE FROM subscriptions WHERE name = ? AND NOT snapshot", name)
}

// ListSubscriptions implements pubsub.Store.
func (e *Events) ListSubscriptions(ctx context.Context, q pubsub.SubscriptionQuery) ([]pubsub.Subscription, error) {
	query, arg := selectSubscription+" WHERE NOT snapshot AND project = ? AND name > ? ORDER BY name LIMIT ?", q.Project
	if q.Topic != "" {
		query, arg = selectSubscription+" WHERE NOT snapshot AND topic = (SELECT t.number FROM topics t WHERE t.name = ?) AND name > ? ORDER BY name LIMIT ?", q.Topic
	}
	found, err := list(ctx, e.db.read, scanSubscription, query, arg, q.After, limitOf(q.Limit))
	out := make([]pubsub.Subscription, len(found))
	for i := range found {
		out[i] = found[i].Subscription
	}
	return out, err
}

// Pushing implements pubsub.Store.
func (e *Events) Pushing(ctx context.Context) ([]string, error) {
	return list(ctx, e.db.read, scanString,
		"SELECT s.name FROM subscriptions s JOIN topics t ON t.number = s.topic WHERE s.pushes AND s.cursor < t.next")
}

func scanString(r row) (*string, error) {
	var s string
	return &s, r.Scan(&s)
}
