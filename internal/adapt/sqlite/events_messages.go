package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Commit implements pubsub.Store.
func (e *Events) Commit(ctx context.Context, b *pubsub.Batch) error {
	return e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for i := range b.Appends {
			if err := e.append(ctx, tx, &b.Appends[i]); err != nil {
				return err
			}
		}
		for i := range b.Progress {
			if err := saveProgress(ctx, tx, &b.Progress[i]); err != nil {
				return err
			}
		}
		if err := saveRetries(ctx, tx, b.Retries); err != nil {
			return err
		}
		for _, h := range b.Handed {
			_, err := tx.ExecContext(ctx, "UPDATE subscriptions SET handed = ?, handed_until = ? WHERE number = ?", h.Below, nanos(h.Until), h.Subscription)
			if err != nil {
				return explain(err)
			}
		}
		return nil
	})
}

func (e *Events) append(ctx context.Context, tx *sql.Tx, a *pubsub.Append) error {
	insert := tx.StmtContext(ctx, e.insert)
	for i := range a.Messages {
		m := &a.Messages[i]
		attributes, err := encodeAttributes(m.Attributes)
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, pubsub.Number(a.Topic, m.Seq), nanos(m.PublishTime), m.OrderingKey, attributes, m.Data); err != nil {
			return explain(err)
		}
	}
	_, err := tx.ExecContext(ctx, "UPDATE topics SET next = ? WHERE number = ?", a.Next, a.Topic)
	return explain(err)
}

func encodeAttributes(m map[string]string) (any, error) {
	if len(m) == 0 {
		return nil, nil
	}
	return json.Marshal(m)
}

func saveProgress(ctx context.Context, tx *sql.Tx, p *pubsub.Progress) error {
	if _, err := tx.ExecContext(ctx, "UPDATE subscriptions SET cursor = ? WHERE number = ?", p.Cursor, p.Owner); err != nil {
		return explain(err)
	}
	below := p.Cursor / pubsub.ChunkBits
	if p.Reset {
		below = 1 << 62
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM acks WHERE owner = ? AND chunk < ?", p.Owner, below); err != nil {
		return explain(err)
	}
	return saveChunks(ctx, tx, p)
}

// saveChunks leaves out those of an owner who was deleted meanwhile.
func saveChunks(ctx context.Context, tx *sql.Tx, p *pubsub.Progress) error {
	for n, bits := range p.Chunks {
		_, err := tx.ExecContext(ctx, `INSERT INTO acks (owner, chunk, bits) SELECT number, ?2, ?3 FROM subscriptions WHERE number = ?1
			ON CONFLICT DO UPDATE SET bits = excluded.bits`, p.Owner, n, bits)
		if err != nil {
			return explain(err)
		}
	}
	return nil
}

func saveRetries(ctx context.Context, tx *sql.Tx, changes []pubsub.RetryChange) error {
	for _, r := range changes {
		var err error
		if r.Attempts == 0 {
			_, err = tx.ExecContext(ctx, "DELETE FROM retries WHERE subscription = ? AND seq = ?", r.Subscription, r.Seq)
		} else {
			_, err = tx.ExecContext(ctx, `INSERT INTO retries (subscription, seq, attempts, due) SELECT number, ?2, ?3, ?4 FROM subscriptions WHERE number = ?1
				ON CONFLICT DO UPDATE SET attempts = excluded.attempts, due = excluded.due`, r.Subscription, r.Seq, r.Attempts, nanos(r.Due))
		}
		if err != nil {
			return explain(err)
		}
	}
	return nil
}

// Load implements pubsub.Store.
func (e *Events) Load(ctx context.Context, subscription int64) (pubsub.Progress, []pubsub.Retried, error) {
	p, err := loadProgress(ctx, e.db.read, subscription)
	if err != nil {
		return p, nil, err
	}
	retried, err := list(ctx, e.db.read, func(r row) (*pubsub.Retried, error) {
		var (
			x   pubsub.Retried
			due int64
		)
		err := r.Scan(&x.Seq, &x.Attempts, &due)
		x.Due = moment(due)
		return &x, err
	}, "SELECT seq, attempts, due FROM retries WHERE subscription = ? ORDER BY seq", subscription)
	return p, retried, err
}

func loadProgress(ctx context.Context, q querier, owner int64) (pubsub.Progress, error) {
	p := pubsub.Progress{Owner: owner, Chunks: map[int64][]byte{}}
	err := q.QueryRowContext(ctx, "SELECT cursor FROM subscriptions WHERE number = ?", owner).Scan(&p.Cursor)
	if err != nil {
		return p, notFound(err, strconv.FormatInt(owner, 10), "the subscription")
	}
	_, err = list(ctx, q, func(r row) (*struct{}, error) {
		var (
			n    int64
			bits []byte
		)
		err := r.Scan(&n, &bits)
		p.Chunks[n] = bits
		return &struct{}{}, err
	}, "SELECT chunk, bits FROM acks WHERE owner = ?", owner)
	return p, err
}

// Read implements pubsub.Store.
func (e *Events) Read(ctx context.Context, topic, from int64, limit, maxBytes int) ([]pubsub.Stored, error) {
	rows, err := e.db.read.QueryContext(ctx, `SELECT number, time, ordering_key, attributes, data FROM messages
		WHERE number >= ? AND number < ? ORDER BY number LIMIT ?`, pubsub.Number(topic, from), pubsub.Number(topic+1, 0), limit)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	var out []pubsub.Stored
	for bytes := 0; rows.Next() && (bytes < maxBytes || len(out) == 0); {
		m, err := scanMessage(rows)
		if err != nil {
			return nil, explain(err)
		}
		bytes += len(m.Data)
		out = append(out, *m)
	}
	return out, explain(rows.Err())
}

func scanMessage(r row) (*pubsub.Stored, error) {
	var (
		m            pubsub.Stored
		number, time int64
		attributes   []byte
	)
	if err := r.Scan(&number, &time, &m.OrderingKey, &attributes, &m.Data); err != nil {
		return nil, err
	}
	m.ID, m.Seq, m.PublishTime = strconv.FormatInt(number, 10), pubsub.Seq(number), moment(time)
	if len(attributes) == 0 {
		return &m, nil
	}
	return &m, json.Unmarshal(attributes, &m.Attributes)
}

// FirstSince implements pubsub.Store.
func (e *Events) FirstSince(ctx context.Context, topic int64, t time.Time) (int64, error) {
	var first sql.NullInt64
	var next int64
	err := e.db.read.QueryRowContext(ctx, `SELECT next, (SELECT min(number) FROM messages WHERE number >= ?2 AND number < ?3) FROM topics WHERE number = ?1`,
		topic, pubsub.Number(topic, 0), pubsub.Number(topic+1, 0)).Scan(&next, &first)
	if err != nil {
		return 0, notFound(err, strconv.FormatInt(topic, 10), "the topic")
	}
	if !first.Valid {
		return next, nil
	}
	return pubsub.FirstSince(pubsub.Seq(first.Int64), next, t, func(seq int64) (time.Time, bool, error) {
		var at int64
		err := e.db.read.QueryRowContext(ctx, "SELECT time FROM messages WHERE number >= ? AND number < ? ORDER BY number LIMIT 1",
			pubsub.Number(topic, seq), pubsub.Number(topic, next)).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return time.Time{}, false, nil
		}
		return moment(at), err == nil, explain(err)
	})
}

// Backlogged implements pubsub.Store.
func (e *Events) Backlogged(ctx context.Context) ([]string, error) {
	return list(ctx, e.db.read, scanString, `SELECT name FROM topics
		WHERE EXISTS (SELECT 1 FROM messages WHERE number >= (topics.number << 40) AND number < ((topics.number + 1) << 40)) ORDER BY name`)
}

// Trim implements pubsub.Store.
func (e *Events) Trim(ctx context.Context, topic, before int64, limit int) (n int, err error) {
	return n, e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM messages WHERE number IN
			(SELECT number FROM messages WHERE number >= ? AND number < ? ORDER BY number LIMIT ?)`,
			pubsub.Number(topic, 0), pubsub.Number(topic, before), limit)
		if err != nil {
			return explain(err)
		}
		removed, err := res.RowsAffected()
		n = int(removed)
		return err
	})
}
