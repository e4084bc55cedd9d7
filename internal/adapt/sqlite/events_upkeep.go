package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Age implements pubsub.Store.
func (e *Events) Age(ctx context.Context, by time.Duration, used []int64) error {
	return e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE subscriptions SET idle = idle + ? WHERE NOT snapshot", int64(by)); err != nil {
			return explain(err)
		}
		for _, number := range used {
			if _, err := tx.ExecContext(ctx, "UPDATE subscriptions SET idle = 0 WHERE number = ?", number); err != nil {
				return explain(err)
			}
		}
		return nil
	})
}

// Expired implements pubsub.Store.
func (e *Events) Expired(ctx context.Context) ([]string, error) {
	return list(ctx, e.db.read, scanString,
		"SELECT name FROM subscriptions WHERE NOT snapshot AND json_extract(document, '$.Expiration') BETWEEN 1 AND idle ORDER BY name")
}

// Places implements pubsub.Store.
func (e *Events) Places(ctx context.Context) ([]pubsub.Place, error) {
	return list(ctx, e.db.read, func(r row) (*pubsub.Place, error) {
		var p pubsub.Place
		return &p, r.Scan(&p.Subscription, &p.Topic, &p.Number, &p.TopicNumber, &p.Cursor, &p.Next)
	}, `SELECT s.name, t.name, s.number, t.number, s.cursor, t.next FROM subscriptions s JOIN topics t ON t.number = s.topic
		WHERE NOT s.snapshot AND coalesce(json_extract(s.document, '$.Detached'), 0) = 0 ORDER BY s.name`)
}
