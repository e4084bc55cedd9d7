package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// nanos is how a time is stored: Unix nanoseconds, 0 for no time. Postgres' own
// type ends at microseconds.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// moment is the inverse of nanos, in UTC.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// Load implements pubsub.Store.
func (e *Events) Load(ctx context.Context, subscription int64) (pubsub.Progress, []pubsub.Retried, error) {
	p, err := e.progress(ctx, subscription)
	if err != nil {
		return p, nil, err
	}
	retried, err := list(ctx, e.read, func(r pgx.Row) (x pubsub.Retried, err error) {
		var due int64
		err = r.Scan(&x.Seq, &x.Attempts, &due)
		x.Due = moment(due)
		return x, err
	}, "SELECT seq, attempts, due FROM retries WHERE subscription = $1 ORDER BY seq", subscription)
	return p, retried, err
}

// progress reads cursor and chunks at one moment.
func (e *Events) progress(ctx context.Context, owner int64) (pubsub.Progress, error) {
	p := pubsub.Progress{Owner: owner, Chunks: map[int64][]byte{}}
	found, err := list(ctx, e.read, func(r pgx.Row) (struct{}, error) {
		var (
			n    *int64
			bits []byte
		)
		err := r.Scan(&p.Cursor, &n, &bits)
		if n != nil {
			p.Chunks[*n] = bits
		}
		return struct{}{}, err
	}, "SELECT s.cursor, a.chunk, a.bits FROM subscriptions s LEFT JOIN acks a ON a.owner = s.number WHERE s.number = $1", owner)
	if err == nil && len(found) == 0 {
		err = notFound(pgx.ErrNoRows, strconv.FormatInt(owner, 10), "the subscription")
	}
	return p, err
}

// Read implements pubsub.Store. What is too much is left out by the database: a
// query that is broken off would still be sent to its end.
func (e *Events) Read(ctx context.Context, topic, from int64, limit, maxBytes int) ([]pubsub.Stored, error) {
	return list(ctx, e.read, scanMessage, `SELECT number, time, ordering_key, attributes, data FROM (
			SELECT *, coalesce(sum(octet_length(data)) OVER (ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
			FROM (SELECT * FROM messages WHERE number >= $1 AND number < $2 ORDER BY number LIMIT $3) m
		) n WHERE before < $4 OR number = $1 ORDER BY number`, pubsub.Number(topic, from), pubsub.Number(topic+1, 0), limit, max(maxBytes, 1))
}

func scanMessage(r pgx.Row) (m pubsub.Stored, err error) {
	var (
		number, time int64
		key          []byte
		attributes   *string
	)
	if err := r.Scan(&number, &time, &key, &attributes, &m.Data); err != nil {
		return m, err
	}
	m.ID, m.Seq, m.PublishTime, m.OrderingKey = strconv.FormatInt(number, 10), pubsub.Seq(number), moment(time), string(key)
	if attributes != nil {
		err = json.Unmarshal([]byte(*attributes), &m.Attributes)
	}
	return m, err
}

// FirstSince implements pubsub.Store.
func (e *Events) FirstSince(ctx context.Context, topic int64, t time.Time) (int64, error) {
	var next int64
	var first *int64
	err := e.read.QueryRow(ctx, "SELECT next, (SELECT min(m.number) FROM messages m WHERE m.number >= $2 AND m.number < $3) FROM topics WHERE number = $1",
		topic, pubsub.Number(topic, 0), pubsub.Number(topic+1, 0)).Scan(&next, &first)
	if err != nil {
		return 0, notFound(err, strconv.FormatInt(topic, 10), "the topic")
	}
	if first == nil {
		return next, nil
	}
	found, err := pubsub.FirstSince(pubsub.Seq(*first), next, t, func(seq int64) (time.Time, bool, error) {
		var at int64
		err := e.read.QueryRow(ctx, "SELECT time FROM messages WHERE number >= $1 AND number < $2 ORDER BY number LIMIT 1",
			pubsub.Number(topic, seq), pubsub.Number(topic, next)).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) {
			return time.Time{}, false, nil
		}
		return moment(at), err == nil, explain(err)
	})
	if err != nil {
		return 0, err
	}
	// It may lie in a gap, where nobody wanted what was published.
	var number int64
	err = e.read.QueryRow(ctx, "SELECT coalesce(min(number), $2) FROM messages WHERE number >= $1 AND number < $2",
		pubsub.Number(topic, found), pubsub.Number(topic, next)).Scan(&number)
	return pubsub.Seq(number), explain(err)
}

// Backlogged implements pubsub.Store.
func (e *Events) Backlogged(ctx context.Context) ([]string, error) {
	return list(ctx, e.read, scanString, `SELECT name FROM topics
		WHERE EXISTS (SELECT 1 FROM messages m WHERE m.number >= (topics.number << 40) AND m.number < ((topics.number + 1) << 40)) ORDER BY name`)
}

// Trim implements pubsub.Store.
func (e *Events) Trim(ctx context.Context, topic, before int64, limit int) (n int, err error) {
	err = e.writer.update(ctx, func(ctx context.Context, tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `DELETE FROM messages WHERE number IN
			(SELECT m.number FROM messages m WHERE m.number >= $1 AND m.number < $2 ORDER BY m.number LIMIT $3)`,
			pubsub.Number(topic, 0), pubsub.Number(topic, before), limit)
		n = int(done.RowsAffected())
		return err
	})
	return n, err
}
