package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

const selectSubscription = `SELECT number, document, topic, handed, handed_until,
	coalesce((SELECT t.name FROM topics t WHERE t.number = topic), '` + pubsub.DeletedTopic + `') FROM subscriptions`

func scanSubscription(r pgx.Row) (rec pubsub.SubscriptionRecord, err error) {
	var (
		document []byte
		until    int64
		topic    string
	)
	if err := r.Scan(&rec.Number, &document, &rec.TopicNumber, &rec.Handed, &until, &topic); err != nil {
		return rec, err
	}
	if err := json.Unmarshal(document, &rec.Subscription); err != nil {
		return rec, err
	}
	rec.HandedUntil, rec.Topic = moment(until), topic
	return rec, nil
}

// newOwner inserts a subscription or a snapshot under a new number.
func newOwner(ctx context.Context, tx pgx.Tx, query string, args ...any) (number int64, err error) {
	if err := tx.QueryRow(ctx, "UPDATE writer SET owners = owners + 1 RETURNING owners").Scan(&number); err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, query, append([]any{number}, args...)...)
	return number, err
}

// CreateSubscription implements pubsub.Store.
func (e *Events) CreateSubscription(ctx context.Context, s pubsub.Subscription, cursor int64) (rec pubsub.SubscriptionRecord, err error) {
	document, err := json.Marshal(s)
	if err != nil {
		return rec, err
	}
	rec.Subscription = s
	project, _ := pubsub.ParseName("name", pubsub.Subscriptions, s.Name)
	err = e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "SELECT number FROM topics WHERE name = $1", s.Topic).Scan(&rec.TopicNumber)
		if err != nil {
			return notFound(err, s.Topic, "the topic")
		}
		rec.Number, err = newOwner(ctx, tx, "INSERT INTO subscriptions (number, project, name, topic, cursor, pushes, document) VALUES ($1, $2, $3, $4, $5, $6, $7)",
			project, s.Name, rec.TopicNumber, cursor, s.Push != nil && !s.Detached, document)
		return exists(err, s.Name, "the subscription")
	})
	return rec, err
}

// Subscription implements pubsub.Store.
func (e *Events) Subscription(ctx context.Context, name string) (pubsub.SubscriptionRecord, error) {
	rec, err := scanSubscription(e.read.QueryRow(ctx, selectSubscription+" WHERE name = $1 AND NOT snapshot", name))
	return rec, notFound(err, name, "the subscription")
}

// UpdateSubscription implements pubsub.Store.
func (e *Events) UpdateSubscription(ctx context.Context, s pubsub.Subscription) error {
	return e.replace(ctx, s.Name, "the subscription",
		"UPDATE subscriptions SET document = $2, pushes = $3 AND topic > 0 WHERE name = $1 AND NOT snapshot", s, s.Push != nil && !s.Detached)
}

// DeleteSubscription implements pubsub.Store.
func (e *Events) DeleteSubscription(ctx context.Context, name string) error {
	return e.change(ctx, name, "the subscription", "DELETE FROM subscriptions WHERE name = $1 AND NOT snapshot", name)
}

// ListSubscriptions implements pubsub.Store.
func (e *Events) ListSubscriptions(ctx context.Context, q pubsub.SubscriptionQuery) ([]pubsub.Subscription, error) {
	where, arg := "project = $1", q.Project
	if q.Topic != "" {
		where, arg = "topic = (SELECT t.number FROM topics t WHERE t.name = $1)", q.Topic
	}
	found, err := list(ctx, e.read, scanSubscription,
		selectSubscription+" WHERE NOT snapshot AND "+where+" AND name > $2 ORDER BY name LIMIT $3", arg, q.After, limitOf(q.Limit))
	out := make([]pubsub.Subscription, len(found))
	for i := range found {
		out[i] = found[i].Subscription
	}
	return out, err
}

// Pushing implements pubsub.Store.
func (e *Events) Pushing(ctx context.Context) ([]string, error) {
	return list(ctx, e.read, scanString,
		"SELECT s.name FROM subscriptions s JOIN topics t ON t.number = s.topic WHERE s.pushes AND s.cursor < t.next")
}

func scanString(r pgx.Row) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}
