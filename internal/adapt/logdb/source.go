package logdb

import (
	"container/heap"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// maxCursors is up to how many streams of a segment are read each by its own
// index; more are read together and sifted.
const maxCursors = 8

// source is a sorted series of entries: a cursor on some streams of a segment,
// or, while cursor is nil, a segment that is not opened yet.
type source struct {
	seg *segment
	at  place
	cursor
}

// cursor stands at an entry, from the first next on.
type cursor interface {
	// next moves to the next entry that the query may want; false at the end.
	next() (place, bool, error)
	// entry decodes it.
	entry() (logs.Entry, error)
	close() error
}

// rowCursor goes through the table of entries.
type rowCursor struct {
	rows    *sql.Rows
	streams map[int64]stream // those wanted

	at       place
	stream   int64
	severity logs.Severity
	body     sql.RawBytes
}

// stream is a row of the table of that name.
type stream struct {
	log      string
	resource logs.Resource
}

// openSegment replaces a segment by cursors on its matching streams.
func (m *merge) openSegment(seg *segment) error {
	err := m.addCursors(seg)
	if damaged(err) {
		m.store.quarantine(seg, err)
		return nil
	}
	return err
}

func (m *merge) addCursors(seg *segment) error {
	all, err := readStreams(m.ctx, seg)
	if err != nil {
		return err
	}
	wanted := map[int64]stream{}
	for id, st := range all {
		if st.wanted(m.q) {
			wanted[id] = st
		}
	}
	if len(wanted) > maxCursors {
		return m.addCursor(seg, wanted, 0)
	}
	for id, st := range wanted {
		if err := m.addCursor(seg, map[int64]stream{id: st}, id); err != nil {
			return err
		}
	}
	return nil
}

// addCursor opens cursors on the entries and the packs of one stream, or with 0
// on those of all of them.
func (m *merge) addCursor(seg *segment, wanted map[int64]stream, id int64) error {
	text, args := m.statement(id)
	rows, err := seg.query(m.ctx, text, args...)
	if err != nil {
		return err
	}
	if err := m.add(seg, &rowCursor{rows: rows, streams: wanted}); err != nil {
		return err
	}
	text, args = m.packStatement(id)
	if rows, err = seg.query(m.ctx, text, args...); err != nil {
		return err
	}
	return m.add(seg, &packCursor{m: m, rows: rows, streams: wanted})
}

// add adds a cursor, unless it is at its end.
func (m *merge) add(seg *segment, c cursor) error {
	at, more, err := c.next()
	if err != nil || !more {
		return errors.Join(err, c.close())
	}
	heap.Push(m, &source{seg: seg, at: at, cursor: c})
	return nil
}

// The statements; the last %s are the cursor's condition and the direction.
const (
	selectStream = `SELECT ts, id, stream, severity, body FROM entry INDEXED BY entry_stream
		WHERE ts >= ? AND ts < ? AND severity >= ? AND stream = ? %s ORDER BY ts %s, id %s`
	selectTime = `SELECT ts, id, stream, severity, body FROM entry INDEXED BY entry_time
		WHERE ts >= ? AND ts < ? AND severity >= ? %s ORDER BY ts %s, id %s`
)

func (m *merge) statement(id int64) (text string, args []any) {
	r := m.timeRange()
	args = []any{r.since, r.until, int(m.q.MinSeverity)}
	text = selectTime
	if id != 0 {
		text = selectStream
		args = append(args, id)
	}
	sign, order := ">", "ASC"
	if m.q.Newest {
		sign, order = "<", "DESC"
	}
	behind := ""
	if c := m.q.After; c != (logs.Cursor{}) {
		behind = "AND (ts, id) " + sign + " (?, ?)"
		args = append(args, c.Timestamp.UnixNano(), c.InsertID)
	}
	return fmt.Sprintf(text, behind, order, order), args
}

type timeRange struct{ since, until int64 }

// timeRange is the query's times, made narrower by its cursor.
func (m *merge) timeRange() timeRange {
	r := timeRange{math.MinInt64, math.MaxInt64}
	if !m.q.Since.IsZero() {
		r.since = m.q.Since.UnixNano()
	}
	if !m.q.Until.IsZero() {
		r.until = m.q.Until.UnixNano()
	}
	if c := m.q.After; c != (logs.Cursor{}) {
		at := c.Timestamp.UnixNano()
		if m.q.Newest {
			r.until = min(r.until, at+1)
		} else {
			r.since = max(r.since, at)
		}
	}
	return r
}

// next implements cursor.
func (c *rowCursor) next() (place, bool, error) {
	for c.rows.Next() {
		if err := c.rows.Scan(&c.at.ts, &c.at.id, &c.stream, &c.severity, &c.body); err != nil {
			return place{}, false, err
		}
		if _, ok := c.streams[c.stream]; ok {
			return c.at, true, nil
		}
	}
	return place{}, false, c.rows.Err()
}

// entry implements cursor; entries of a stream share its labels.
func (c *rowCursor) entry() (logs.Entry, error) {
	st := c.streams[c.stream]
	e := logs.Entry{LogName: st.log, Resource: st.resource, InsertID: c.at.id, Timestamp: time.Unix(0, c.at.ts).UTC(), Severity: c.severity}
	if err := decodeBody(c.body, &e); err != nil {
		return e, fmt.Errorf("decode entry %s: %w", c.at.id, err)
	}
	return e, nil
}

func (c *rowCursor) close() error { return c.rows.Close() }

func (s *source) close() error {
	if s.cursor == nil {
		return nil
	}
	return s.cursor.close()
}

func readStreams(ctx context.Context, seg *segment) (_ map[int64]stream, err error) {
	rows, err := seg.query(ctx, `SELECT id, log, resource, labels FROM stream`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all := map[int64]stream{}
	for rows.Next() {
		var id int64
		var st stream
		var labels []byte
		if err := rows.Scan(&id, &st.log, &st.resource.Type, &labels); err != nil {
			return nil, err
		}
		if st.resource.Labels, err = decodeLabels(labels); err != nil {
			return nil, fmt.Errorf("read stream %d of %s: %w", id, seg.path, err)
		}
		all[id] = st
	}
	return all, rows.Err()
}

func decodeLabels(raw []byte) (labels map[string]string, err error) {
	err = json.Unmarshal(raw, &labels)
	return labels, err
}

// wanted says whether a query can want entries of the stream.
func (st *stream) wanted(q *logs.Query) bool {
	e := logs.Entry{LogName: st.log}
	switch {
	case len(q.Projects) > 0 && !slices.Contains(q.Projects, e.Project()),
		q.LogNames != nil && !slices.Contains(q.LogNames, st.log),
		q.Resource.Type != "" && q.Resource.Type != st.resource.Type:
		return false
	}
	return subset(q.Resource.Labels, st.resource.Labels)
}

// subset says whether all labels of want are in have.
func subset(want, have map[string]string) bool {
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			return false
		}
	}
	return true
}
