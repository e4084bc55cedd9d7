package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Age implements pubsub.Store.
func (e *Events) Age(ctx context.Context, by time.Duration, used []int64) error {
	return e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE subscriptions SET idle = CASE WHEN number = ANY ($2::bigint[]) THEN 0 ELSE idle + $1 END WHERE NOT snapshot",
			int64(by), append([]int64{}, used...))
		return err
	})
}

// Expired implements pubsub.Store.
func (e *Events) Expired(ctx context.Context) ([]string, error) {
	return list(ctx, e.read, scanString,
		"SELECT name FROM subscriptions WHERE NOT snapshot AND (document::json ->> 'Expiration')::bigint BETWEEN 1 AND idle ORDER BY name")
}

// Places implements pubsub.Store.
func (e *Events) Places(ctx context.Context) ([]pubsub.Place, error) {
	return list(ctx, e.read, func(r pgx.Row) (p pubsub.Place, err error) {
		err = r.Scan(&p.Subscription, &p.Topic, &p.Number, &p.TopicNumber, &p.Cursor, &p.Next)
		return p, err
	}, `SELECT s.name, t.name, s.number, t.number, s.cursor, t.next FROM subscriptions s JOIN topics t ON t.number = s.topic
		WHERE NOT s.snapshot AND NOT coalesce((s.document::json ->> 'Detached')::boolean, false) ORDER BY s.name`)
}
