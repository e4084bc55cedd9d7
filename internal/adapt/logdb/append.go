package logdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// writer is the connection that appends to the newest segment.
type writer struct {
	seg     *segment
	db      *sql.DB   // one connection
	insert  *sql.Stmt // an entry
	pack    *sql.Stmt // a pack
	streams map[streamKey]int64
	unseen  int64 // bytes, about, that were appended since its size was looked at; -1: it was not yet
}

// streamKey is a row of the table stream.
type streamKey struct{ log, resource, labels string }

// maxStreams bounds the writer's memory of streams; the table knows them all.
const maxStreams = 10_000

// Append implements logs.Store: all of it in one transaction. An entry that
// is there already, with the same log, resource, time and insert id, is left
// as it is. A full disk is ResourceExhausted.
func (s *Store) Append(ctx context.Context, entries []logs.Entry, packs []logs.Pack) error {
	s.write.Lock()
	defer s.write.Unlock()
	err := s.append(ctx, entries, packs)
	if damaged(err) && s.active != nil {
		s.quarantine(s.active.seg, err)
		err = errors.Join(s.seal(), s.append(ctx, entries, packs))
	}
	if full(err) {
		return &sunya.Error{Code: sunya.ResourceExhausted, Resource: s.dir, Message: "no room left on the disk for logs: free some", Err: err}
	}
	return err
}

func (s *Store) append(ctx context.Context, entries []logs.Entry, packs []logs.Pack) error {
	if s.closed {
		return sunya.Errorf(sunya.Unavailable, s.dir, "the log is closed: the server is stopping")
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := s.active.append(ctx, entries, packs); err != nil {
		return fmt.Errorf("append to %s: %w", s.active.seg.path, err)
	}
	return nil
}

// ready makes sure that there is a segment to append to: the newest if it has
// room, else a new one. The caller holds write.
func (s *Store) ready(ctx context.Context) error {
	if err := s.resume(ctx); err != nil {
		return err
	}
	if s.active != nil {
		due, err := s.active.due(ctx, s.now(), s.opts)
		if err != nil || !due {
			return err
		}
	}
	if err := s.seal(); err != nil {
		return err
	}
	return s.begin(ctx)
}

// resume makes the newest segment the active one, if there is a sound one.
func (s *Store) resume(ctx context.Context) error {
	seg := s.newest()
	if s.active != nil && s.active.seg == seg {
		return nil
	}
	if err := s.seal(); err != nil || seg == nil { // the active one was moved aside
		return err
	}
	w, err := openWriter(ctx, seg)
	if damaged(err) {
		s.quarantine(seg, err)
		return nil
	}
	s.active = w
	return err
}

func (s *Store) newest() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 {
		return nil
	}
	return s.segments[len(s.segments)-1]
}

// begin starts a new segment.
func (s *Store) begin(ctx context.Context) error {
	begin := s.now().UTC()
	if last := s.newest(); last != nil && !begin.After(last.begin) {
		begin = last.begin.Add(1) // the clock stood still or went back
	}
	seg := &segment{begin: begin, path: filepath.Join(s.dir, segmentFile(begin)), log: s.log}
	w, err := openWriter(ctx, seg)
	if err != nil {
		return err
	}
	s.active = w
	s.mu.Lock()
	s.segments = append(s.segments, seg)
	s.mu.Unlock()
	s.trim(ctx)
	return nil
}

// seal closes the active segment's writer.
func (s *Store) seal() error {
	w := s.active
	s.active = nil
	if w == nil {
		return nil
	}
	return w.close()
}

func openWriter(ctx context.Context, seg *segment) (*writer, error) {
	if _, _, err := seg.bounds(ctx); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(seg.path))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", seg.path, err)
	}
	db.SetMaxOpenConns(1)
	insert, err := db.PrepareContext(ctx, `INSERT OR IGNORE INTO entry (stream, ts, id, severity, body) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", seg.path, err), db.Close())
	}
	pack, err := db.PrepareContext(ctx, `INSERT INTO pack (stream, first, last, entries, severity, body) VALUES (?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", seg.path, err), insert.Close(), db.Close())
	}
	return &writer{seg: seg, db: db, insert: insert, pack: pack, streams: map[streamKey]int64{}, unseen: -1}, nil
}

func (w *writer) close() error { return errors.Join(w.insert.Close(), w.pack.Close(), w.db.Close()) }

// due says whether the segment is large or old enough for a next one.
func (w *writer) due(ctx context.Context, now time.Time, o Options) (bool, error) {
	if now.Sub(w.seg.begin) >= o.SegmentAge {
		return true, nil
	}
	if w.unseen >= 0 && w.unseen < o.SegmentBytes/looks {
		return false, nil
	}
	var size int64
	err := w.db.QueryRowContext(ctx, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`).Scan(&size)
	if err != nil {
		return false, fmt.Errorf("measure %s: %w", w.seg.path, err)
	}
	w.unseen = 0
	return size >= o.SegmentBytes, nil
}

// looks is how often the size of a segment is looked at, until it is full: to ask
// costs as much as to append.
const looks = 200

// rowBytes is about what a row takes beside its body, indexes included.
const rowBytes = 200

func (w *writer) append(ctx context.Context, entries []logs.Entry, packs []logs.Pack) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	lo, hi, err := w.insertAll(ctx, tx, entries)
	if err == nil {
		err = w.insertPacks(ctx, tx, packs)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		clear(w.streams) // those of this transaction do not exist
		_ = tx.Rollback()
		return err
	}
	w.seg.widen(lo, hi)
	for i := range packs {
		w.unseen += int64(len(packs[i].Body)) + rowBytes
		w.seg.widen(packs[i].First.UnixNano(), packs[i].Last.UnixNano())
	}
	return nil
}

func (w *writer) insertAll(ctx context.Context, tx *sql.Tx, entries []logs.Entry) (lo, hi int64, err error) {
	insert := tx.StmtContext(ctx, w.insert)
	lo, hi = math.MaxInt64, math.MinInt64
	for i := range entries {
		e := &entries[i]
		stream, err := w.stream(ctx, tx, e.LogName, e.Resource)
		if err != nil {
			return 0, 0, err
		}
		body, err := encodeBody(e)
		if err != nil {
			return 0, 0, err
		}
		ts := e.Timestamp.UnixNano()
		if _, err := insert.ExecContext(ctx, stream, ts, e.InsertID, int(e.Severity), body); err != nil {
			return 0, 0, err
		}
		w.unseen += int64(len(body)) + rowBytes
		lo, hi = min(lo, ts), max(hi, ts)
	}
	return lo, hi, nil
}

func (w *writer) insertPacks(ctx context.Context, tx *sql.Tx, packs []logs.Pack) error {
	insert := tx.StmtContext(ctx, w.pack)
	for i := range packs {
		p := &packs[i]
		stream, err := w.stream(ctx, tx, p.LogName, p.Resource)
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, stream, p.First.UnixNano(), p.Last.UnixNano(), p.Count, int(p.Severest), p.Body); err != nil {
			return err
		}
	}
	return nil
}

// stream returns the id of a stream, which it makes if need be.
func (w *writer) stream(ctx context.Context, tx *sql.Tx, log string, res logs.Resource) (id int64, err error) {
	labels, err := json.Marshal(res.Labels)
	if err != nil {
		return 0, err
	}
	key := streamKey{log, res.Type, string(labels)}
	if id, ok := w.streams[key]; ok {
		return id, nil
	}
	const q = `INSERT INTO stream (log, resource, labels) VALUES (?, ?, ?)
		ON CONFLICT (log, resource, labels) DO UPDATE SET log = excluded.log RETURNING id`
	if err := tx.QueryRowContext(ctx, q, key.log, key.resource, key.labels).Scan(&id); err != nil {
		return 0, err
	}
	if len(w.streams) >= maxStreams {
		clear(w.streams)
	}
	w.streams[key] = id
	return id, nil
}
