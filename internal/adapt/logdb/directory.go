package logdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// Logs implements logs.Directory.
func (s *Store) Logs(ctx context.Context, projects []string) ([]string, error) {
	segments, release := s.hold()
	defer release()
	names := map[string]bool{}
	for _, seg := range segments {
		err := readLogs(ctx, seg, projects, names)
		if damaged(err) {
			s.quarantine(seg, err)
		} else if err != nil {
			return nil, fmt.Errorf("list logs: %w", err)
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

func readLogs(ctx context.Context, seg *segment, projects []string, names map[string]bool) (err error) {
	if _, _, err := seg.bounds(ctx); err != nil {
		return err
	}
	rows, err := seg.query(ctx, `SELECT DISTINCT log FROM stream 
		WHERE EXISTS (SELECT 1 FROM entry WHERE stream = stream.id) OR EXISTS (SELECT 1 FROM pack WHERE stream = stream.id)`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e logs.Entry
		if err := rows.Scan(&e.LogName); err != nil {
			return err
		}
		if len(projects) == 0 || slices.Contains(projects, e.Project()) {
			names[e.LogName] = true
		}
	}
	return rows.Err()
}

// DeleteLog implements logs.Directory.
func (s *Store) DeleteLog(ctx context.Context, logName string, t time.Time) (total int64, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	segments, release := s.hold()
	defer release()
	for _, seg := range segments {
		n, err := s.deleteLog(ctx, seg, logName, t)
		if damaged(err) {
			s.quarantine(seg, err)
		} else if err != nil {
			return total, fmt.Errorf("delete %s: %w", logName, err)
		}
		total += n
	}
	return total, nil
}

// deleteLog deletes from one segment, in steps that keep the file's journal
// small.
func (s *Store) deleteLog(ctx context.Context, seg *segment, logName string, t time.Time) (total int64, err error) {
	w := s.active
	if w == nil || w.seg != seg {
		if w, err = openWriter(ctx, seg); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, w.close()) }()
	}
	const q = `DELETE FROM entry WHERE seq IN (SELECT entry.seq FROM entry JOIN stream ON stream.id = entry.stream
		WHERE stream.log = ? AND entry.ts < ? LIMIT 10000)`
	for {
		r, err := w.db.ExecContext(ctx, q, logName, t.UnixNano())
		if err != nil {
			return total, err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
		total += n
	}
	n, err := w.deletePacks(ctx, logName, t)
	return total + n, err
}
