package logdb

import (
	"container/heap"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/requestlog"
)

// packCursor goes through the entries of packs. Those that overlap are open at
// once: its entries are the first of what they hold, up to the moment at which
// the next pack may begin to have some.
type packCursor struct {
	m       *merge
	rows    *sql.Rows
	streams map[int64]stream // those wanted

	ahead *packRow // read, not opened; nil at the end
	begun bool
	open  packHeap // what the opened packs have left
	at    requestlog.Packed
}

// packRow is a row of the table of packs.
type packRow struct {
	stream, first int64
	body          sql.RawBytes
}

const (
	selectPacks       = `SELECT stream, first, body FROM pack INDEXED BY pack_time WHERE first >= ? AND first < ? AND severity >= ? ORDER BY first %s`
	selectStreamPacks = `SELECT stream, first, body FROM pack INDEXED BY pack_stream WHERE first >= ? AND first < ? AND severity >= ? AND stream = ? ORDER BY first %s`
)

func (m *merge) packStatement(id int64) (text string, args []any) {
	r := m.timeRange()
	since := r.since
	if since > math.MinInt64+int64(logs.PackSpan) {
		since -= int64(logs.PackSpan) // packs that began before may have entries behind
	}
	args = []any{since, r.until, int(m.q.MinSeverity)}
	text = selectPacks
	if id != 0 {
		text = selectStreamPacks
		args = append(args, id)
	}
	order := "ASC"
	if m.q.Newest {
		order = "DESC"
	}
	return fmt.Sprintf(text, order), args
}

// next implements cursor.
func (c *packCursor) next() (place, bool, error) {
	if !c.begun {
		c.begun = true
		c.open.before = c.m.before
		if err := c.look(); err != nil {
			return place{}, false, err
		}
	}
	for c.ahead != nil && (len(c.open.all) == 0 || c.mayPrecede(c.open.all[0].at)) {
		c.unpack()
		if err := c.look(); err != nil {
			return place{}, false, err
		}
	}
	if len(c.open.all) == 0 {
		return place{}, false, nil
	}
	p := heap.Pop(&c.open).(packed)
	c.at = p.Packed
	return p.at, true, nil
}

// mayPrecede reports whether a pack that is not opened yet may hold an entry in
// front of a place.
func (c *packCursor) mayPrecede(at place) bool {
	if c.m.q.Newest {
		return c.ahead.first+int64(logs.PackSpan) >= at.ts
	}
	return c.ahead.first <= at.ts
}

// look reads the next row of a wanted stream.
func (c *packCursor) look() error {
	row := packRow{}
	for c.rows.Next() {
		if err := c.rows.Scan(&row.stream, &row.first, &row.body); err != nil {
			return err
		}
		if _, ok := c.streams[row.stream]; ok {
			c.ahead = &row
			return nil
		}
	}
	c.ahead = nil
	return c.rows.Err()
}

// unpack adds to the open entries those of the pack ahead that the query may
// want. A pack that cannot be read is skipped, as an entry is.
func (c *packCursor) unpack() {
	st := c.streams[c.ahead.stream]
	p := &logs.Pack{LogName: st.log, Resource: st.resource, Body: c.ahead.body}
	all, err := requestlog.Open(p)
	p.Body = nil // it is the row's
	if err != nil {
		c.m.store.log.ErrorContext(c.m.ctx, "skip log entries", "err", err)
	}
	for i := range all {
		if at := placeOf(all[i].Place()); all[i].Severity() >= c.m.q.MinSeverity && c.m.within(at) {
			heap.Push(&c.open, packed{at, all[i]})
		}
	}
}

func placeOf(c logs.Cursor) place { return place{c.Timestamp.UnixNano(), c.InsertID} }

// within says whether a place is in the query's times and behind its cursor.
func (m *merge) within(at place) bool {
	r := m.timeRange()
	if at.ts < r.since || at.ts >= r.until {
		return false
	}
	return m.q.After == (logs.Cursor{}) || m.before(placeOf(m.q.After), at)
}

// entry implements cursor.
func (c *packCursor) entry() (logs.Entry, error) { return c.at.Entry(), nil }

func (c *packCursor) close() error { return c.rows.Close() }

// packed is an entry of an opened pack.
type packed struct {
	at place
	requestlog.Packed
}

// packHeap has the entry that comes first in front.
type packHeap struct {
	all    []packed
	before func(a, b place) bool
}

// Len implements heap.Interface.
func (h *packHeap) Len() int { return len(h.all) }

// Less implements heap.Interface.
func (h *packHeap) Less(i, j int) bool { return h.before(h.all[i].at, h.all[j].at) }

// Swap implements heap.Interface.
func (h *packHeap) Swap(i, j int) { h.all[i], h.all[j] = h.all[j], h.all[i] }

// Push implements heap.Interface.
func (h *packHeap) Push(x any) { h.all = append(h.all, x.(packed)) }

// Pop implements heap.Interface.
func (h *packHeap) Pop() any {
	last := h.all[len(h.all)-1]
	h.all = h.all[:len(h.all)-1]
	return last
}

// packRows is how many packs are deleted at once: it keeps the file's journal
// small.
const packRows = 1000

// deletePacks deletes the entries of one log before t that are in packs, and
// says how many there were.
func (w *writer) deletePacks(ctx context.Context, logName string, t time.Time) (total int64, err error) {
	for {
		n, found, err := w.deleteSomePacks(ctx, logName, t)
		total += n
		if err != nil || !found {
			return total, err
		}
	}
}

func (w *writer) deleteSomePacks(ctx context.Context, logName string, t time.Time) (n int64, found bool, err error) {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, false, err
	}
	cuts, err := cutPacks(ctx, tx, logName, t)
	for _, c := range cuts {
		if err == nil {
			err = w.replacePack(ctx, tx, c)
		}
		n += c.gone
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		clear(w.streams) // those of this transaction do not exist
		return 0, false, errors.Join(err, tx.Rollback())
	}
	return n, len(cuts) > 0, nil
}

// cut is a pack with entries that are to go.
type cut struct {
	seq  int64
	gone int64       // how many
	rest []logs.Pack // what stays
}

func (w *writer) replacePack(ctx context.Context, tx *sql.Tx, c cut) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM pack WHERE seq = ?`, c.seq); err != nil {
		return err
	}
	return w.insertPacks(ctx, tx, c.rest)
}

// cutPacks finds packs of a log with entries before t.
func cutPacks(ctx context.Context, tx *sql.Tx, logName string, t time.Time) (cuts []cut, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT pack.seq, pack.last, pack.entries, pack.body, stream.resource, stream.labels
		FROM pack JOIN stream ON stream.id = pack.stream
		WHERE stream.log = ? AND pack.first < ? LIMIT ?`, logName, t.UnixNano(), packRows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c cut
		var last int64
		var labels []byte
		p := logs.Pack{LogName: logName}
		if err := rows.Scan(&c.seq, &last, &c.gone, &p.Body, &p.Resource.Type, &labels); err != nil {
			return nil, err
		}
		if last >= t.UnixNano() {
			if p.Resource.Labels, err = decodeLabels(labels); err != nil {
				return nil, err
			}
			if c.rest, err = requestlog.Without(&p, t); err != nil {
				return nil, err
			}
		}
		for i := range c.rest {
			c.gone -= int64(c.rest[i].Count)
		}
		cuts = append(cuts, c)
	}
	return cuts, rows.Err()
}
