package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
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
	var p pack
	for i := 0; i < len(a.Messages); {
		taken, err := p.add(&a.Messages[i])
		if err != nil {
			return err
		}
		if taken {
			i++
		}
		if !taken || i == len(a.Messages) {
			if _, err := insert.ExecContext(ctx, p.row(a.Topic)...); err != nil {
				return explain(err)
			}
		}
	}
	_, err := tx.ExecContext(ctx, "UPDATE topics SET next = ? WHERE number = ?", a.Next, a.Topic)
	return explain(err)
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

// The rows of a topic (?1) from that which a message (?2) is in, or would be.
const fromRow = ` FROM messages WHERE number < ((?1 + 1) << 40) AND number >= coalesce(
	(SELECT max(number) FROM messages WHERE number >= (?1 << 40) AND number <= (?1 << 40) + ?2), (?1 << 40) + ?2) ORDER BY number LIMIT ?3`

// Read implements pubsub.Store.
func (e *Events) Read(ctx context.Context, topic, from int64, limit, maxBytes int) ([]pubsub.Stored, error) {
	rows, err := e.db.read.QueryContext(ctx, `SELECT number, count, time, ordering_key, attributes, data,
		(SELECT t.first FROM topics t WHERE t.number = ?1)`+fromRow, topic, from, limit+1)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	r := reader{limit: limit, maxBytes: maxBytes}
	for !r.full && rows.Next() {
		var first sql.NullInt64
		p, err := scanPacked(rows, &first)
		if err != nil {
			return nil, explain(err)
		}
		if err := r.take(p, max(from, first.Int64)); err != nil {
			return nil, err
		}
	}
	return r.out, explain(rows.Err())
}

// reader is messages that were read, up to a bound.
type reader struct {
	limit, maxBytes int
	out             []pubsub.Stored
	bytes           int
	full            bool
}

// take takes the messages of a row from one on.
func (r *reader) take(p *packed, from int64) error {
	before := len(r.out)
	err := p.each(from, func(m *pubsub.Stored) bool {
		r.full = len(r.out) == r.limit || r.bytes >= r.maxBytes && len(r.out) > 0
		if !r.full {
			r.bytes += len(m.Data)
			r.out = append(r.out, *m)
		}
		return !r.full
	})
	if got := r.out[before:]; int64(len(got)) < p.count { // a few shall not keep the others in memory
		for i := range got {
			got[i].Data = slices.Clone(got[i].Data)
		}
	}
	return err
}

// FirstSince implements pubsub.Store: it looks for the row, then in the row.
func (e *Events) FirstSince(ctx context.Context, topic int64, t time.Time) (int64, error) {
	var first, next int64
	var number sql.NullInt64
	err := e.db.read.QueryRowContext(ctx, `SELECT first, next, (SELECT min(m.number) FROM messages m WHERE m.number >= ?2 AND m.number < ?3) FROM topics WHERE number = ?1`,
		topic, pubsub.Number(topic, 0), pubsub.Number(topic+1, 0)).Scan(&first, &next, &number)
	switch {
	case err != nil:
		return 0, notFound(err, strconv.FormatInt(topic, 10), "the topic")
	case !number.Valid:
		return next, nil
	}
	first = max(first, pubsub.Seq(number.Int64))
	after, err := pubsub.FirstSince(first, next, t, func(seq int64) (time.Time, bool, error) {
		var at int64
		err := e.db.read.QueryRowContext(ctx, "SELECT time"+fromRow, topic, seq, 1).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return time.Time{}, false, nil
		}
		return moment(at), err == nil, explain(err)
	})
	if err != nil || after == first {
		return after, err
	}
	// The row before begins too early, and may end late enough.
	p, err := scanPacked(e.db.read.QueryRowContext(ctx, "SELECT number, count, time, ordering_key, attributes, data"+fromRow, topic, after-1, 1))
	if err != nil {
		return after, notFound(err, strconv.FormatInt(topic, 10), "the message")
	}
	err = p.each(first, func(m *pubsub.Stored) bool {
		if m.PublishTime.Before(t) {
			return true
		}
		after = m.Seq
		return false
	})
	return after, err
}

// Backlogged implements pubsub.Store.
func (e *Events) Backlogged(ctx context.Context) ([]string, error) {
	return list(ctx, e.db.read, scanString, `SELECT name FROM topics
		WHERE EXISTS (SELECT 1 FROM messages WHERE number >= (topics.number << 40) AND number < ((topics.number + 1) << 40)) ORDER BY name`)
}

// Trim implements pubsub.Store: rows go when all of their messages have gone.
func (e *Events) Trim(ctx context.Context, topic, before int64, limit int) (n int, err error) {
	err = e.db.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var first int64
		if n, first, err = trimmed(ctx, tx, topic, before, limit); err != nil || n == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE topics SET first = ? WHERE number = ?", first, topic); err != nil {
			return explain(err)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM messages WHERE number >= ?1 AND number < ?2 AND number + count <= ?2",
			pubsub.Number(topic, 0), pubsub.Number(topic, first))
		return explain(err)
	})
	return n, err
}

// trimmed returns how many messages are to be removed, and which is the first one
// after them.
func trimmed(ctx context.Context, tx *sql.Tx, topic, before int64, limit int) (n int, first int64, err error) {
	err = tx.QueryRowContext(ctx, "SELECT first FROM topics WHERE number = ?", topic).Scan(&first)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil // it was deleted meanwhile
	}
	if err != nil {
		return 0, 0, explain(err)
	}
	rows, err := tx.QueryContext(ctx, "SELECT number, count FROM messages WHERE number >= ? AND number < ? ORDER BY number LIMIT ?",
		pubsub.Number(topic, 0), pubsub.Number(topic, before), limit)
	if err != nil {
		return 0, 0, explain(err)
	}
	defer rows.Close()
	for n < limit && rows.Next() {
		var number, count int64
		if err := rows.Scan(&number, &count); err != nil {
			return 0, 0, explain(err)
		}
		from := max(first, pubsub.Seq(number))
		step := min(pubsub.Seq(number)+count, before, from+int64(limit-n)) - from
		n, first = n+int(step), from+step
	}
	return n, first, explain(rows.Err())
}
