package meter

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/served"
)

// batch is what is written at once.
type batch struct {
	Seq  int64 `json:"seq"`
	Rows []Row `json:"rows"`
}

// ledger adds rows up.
type ledger map[key]Usage

type key struct {
	hour int64 // unix seconds
	served.Subject
}

func (l ledger) add(r Row) {
	k := key{r.Hour.Unix(), r.Subject}
	u := l[k]
	u.Add(r.Usage)
	l[k] = u
}

func (l ledger) rows() []Row {
	out := make([]Row, 0, len(l))
	for k, u := range l {
		out = append(out, Row{Hour: time.Unix(k.hour, 0).UTC(), Subject: k.Subject, Usage: u})
	}
	return out
}

// inherit brings to the store what a server that died had not brought there.
func (m *Meter) inherit(ctx context.Context, writer string) error {
	seq, err := m.store.UsageSeq(ctx, writer)
	if err != nil {
		return err
	}
	left := ledger{}
	added := seq
	err = m.journal.Replay(writer, func(record []byte) {
		var b batch
		if err := json.Unmarshal(record, &b); err != nil {
			m.log.ErrorContext(ctx, "skip a record of usage", "err", err)
			return
		}
		if b.Seq <= added {
			return // it died between the store and the journal
		}
		seq = max(seq, b.Seq)
		for _, r := range b.Rows {
			left.add(r)
		}
	})
	if err != nil {
		return err
	}
	if len(left) > 0 {
		if err := m.store.AddUsage(ctx, writer, seq, left.rows()); err != nil {
			return err
		}
	}
	return m.journal.Remove(writer)
}

// note writes rows into the journal. When that fails they are still brought to
// the store, if the server lives so long.
func (m *Meter) note(ctx context.Context, rows []Row) {
	if len(rows) == 0 {
		return
	}
	m.seq++
	for _, r := range rows {
		m.pending.add(r)
	}
	record, err := json.Marshal(batch{m.seq, rows})
	if err == nil {
		err = m.journal.Append(record)
	}
	m.report(ctx, "write usage down", err)
}

// settle brings the store up to date and empties the journal. A batch whose
// fate is unknown is sent again as it was: the store takes it once.
func (m *Meter) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for m.sending != nil || len(m.pending) > 0 {
		if m.sending == nil {
			m.sending = &batch{m.seq, m.pending.rows()}
			m.pending = ledger{}
		}
		if err := m.store.AddUsage(ctx, m.journal.Writer(), m.sending.Seq, m.sending.Rows); err != nil {
			return err
		}
		m.sending = nil
	}
	return m.journal.Reset()
}

// report logs when writing begins to fail, not each time.
func (m *Meter) report(ctx context.Context, what string, err error) {
	if err != nil && !m.failing && ctx.Err() == nil {
		m.log.ErrorContext(ctx, what, "err", err)
	}
	m.failing = err != nil
}

// flush brings everything up to now into the store.
func (m *Meter) flush(ctx context.Context) error {
	m.work.Lock()
	defer m.work.Unlock()
	rows, _ := m.collect(m.now())
	m.note(ctx, rows)
	if err := m.settle(ctx); err != nil {
		return fmt.Errorf("store usage: %w", err)
	}
	return nil
}
