package postgres

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Commit implements pubsub.Store.
func (e *Events) Commit(ctx context.Context, b *pubsub.Batch) error {
	return e.writer.commit(ctx, b)
}

// send stores a batch under its number in one round trip and one transaction:
// whole columns go over as arrays.
func send(ctx context.Context, conn *pgx.Conn, number int64, b *pubsub.Batch) error {
	var q pgx.Batch
	q.Queue("UPDATE writer SET batch = $1", number)
	if err := queueAppends(&q, b.Appends); err != nil {
		return err
	}
	queueProgress(&q, b.Progress)
	queueRetries(&q, b.Retries)
	for _, h := range b.Handed {
		q.Queue("UPDATE subscriptions SET handed = $2, handed_until = $3 WHERE number = $1", h.Subscription, h.Below, nanos(h.Until))
	}
	return conn.SendBatch(ctx, &q).Close() // without BEGIN, all of it is one transaction
}

func queueAppends(q *pgx.Batch, appends []pubsub.Append) error {
	var (
		numbers, times, topics, next []int64
		keys, data                   [][]byte
		attributes                   []*string
	)
	for i := range appends {
		a := &appends[i]
		topics, next = append(topics, a.Topic), append(next, a.Next)
		for j := range a.Messages {
			m := &a.Messages[j]
			text, err := encodeAttributes(m.Attributes)
			if err != nil {
				return err
			}
			numbers, times = append(numbers, pubsub.Number(a.Topic, m.Seq)), append(times, nanos(m.PublishTime))
			keys, data = append(keys, []byte(m.OrderingKey)), append(data, m.Data)
			attributes = append(attributes, text)
		}
	}
	if len(numbers) > 0 {
		q.Queue(`INSERT INTO messages (number, time, ordering_key, attributes, data)
			SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::text[], $5::bytea[])`, numbers, times, keys, attributes, data)
	}
	if len(topics) > 0 {
		q.Queue("UPDATE topics SET next = u.next FROM unnest($1::bigint[], $2::bigint[]) u (number, next) WHERE topics.number = u.number", topics, next)
	}
	return nil
}

func encodeAttributes(m map[string]string) (*string, error) {
	if len(m) == 0 {
		return nil, nil
	}
	document, err := json.Marshal(m)
	text := string(document)
	return &text, err
}

// queueProgress leaves out the chunks of an owner who was deleted meanwhile.
func queueProgress(q *pgx.Batch, all []pubsub.Progress) {
	if len(all) == 0 {
		return
	}
	var (
		owners, cursors, below, of, chunks []int64
		bits                               [][]byte
	)
	for i := range all {
		p := &all[i]
		owners, cursors = append(owners, p.Owner), append(cursors, p.Cursor)
		if p.Reset {
			below = append(below, 1<<62)
		} else {
			below = append(below, p.Cursor/pubsub.ChunkBits)
		}
		for n, b := range p.Chunks {
			of, chunks, bits = append(of, p.Owner), append(chunks, n), append(bits, b)
		}
	}
	q.Queue("UPDATE subscriptions s SET cursor = u.cursor FROM unnest($1::bigint[], $2::bigint[]) u (number, cursor) WHERE s.number = u.number", owners, cursors)
	q.Queue("DELETE FROM acks USING unnest($1::bigint[], $2::bigint[]) u (owner, below) WHERE acks.owner = u.owner AND acks.chunk < u.below", owners, below)
	if len(of) > 0 {
		q.Queue(`INSERT INTO acks (owner, chunk, bits)
			SELECT u.* FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) u (owner, chunk, bits) JOIN subscriptions s ON s.number = u.owner
			ON CONFLICT (owner, chunk) DO UPDATE SET bits = excluded.bits`, of, chunks, bits)
	}
}

func queueRetries(q *pgx.Batch, changes []pubsub.RetryChange) {
	type key struct{ subscription, seq int64 }
	last := map[key]pubsub.Retried{} // the later change of a message counts
	for _, c := range changes {
		last[key{c.Subscription, c.Seq}] = c.Retried
	}
	var over, kept struct{ of, seq, attempts, due []int64 }
	for k, r := range last {
		if r.Attempts == 0 {
			over.of, over.seq = append(over.of, k.subscription), append(over.seq, k.seq)
			continue
		}
		kept.of, kept.seq = append(kept.of, k.subscription), append(kept.seq, k.seq)
		kept.attempts, kept.due = append(kept.attempts, int64(r.Attempts)), append(kept.due, nanos(r.Due))
	}
	if len(over.of) > 0 {
		q.Queue("DELETE FROM retries r USING unnest($1::bigint[], $2::bigint[]) u (subscription, seq) WHERE r.subscription = u.subscription AND r.seq = u.seq", over.of, over.seq)
	}
	if len(kept.of) > 0 {
		q.Queue(`INSERT INTO retries (subscription, seq, attempts, due)
			SELECT u.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) u (subscription, seq, attempts, due)
			JOIN subscriptions s ON s.number = u.subscription
			ON CONFLICT (subscription, seq) DO UPDATE SET attempts = excluded.attempts, due = excluded.due`, kept.of, kept.seq, kept.attempts, kept.due)
	}
}

// undo removes the messages of a batch.
func undo(ctx context.Context, conn *pgx.Conn, b *pubsub.Batch) error {
	var q pgx.Batch
	for i := range b.Appends {
		a := &b.Appends[i]
		if len(a.Messages) > 0 {
			q.Queue("DELETE FROM messages WHERE number >= $1 AND number < $2", pubsub.Number(a.Topic, a.Messages[0].Seq), pubsub.Number(a.Topic, a.Next))
			q.Queue("UPDATE topics SET next = $2 WHERE number = $1", a.Topic, a.Messages[0].Seq)
		}
	}
	return conn.SendBatch(ctx, &q).Close()
}
