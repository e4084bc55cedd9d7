package logdb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/health"
)

// Check implements health.Checker: it reads every segment through.
func (s *Store) Check(ctx context.Context) []health.Check {
	segments, release := s.hold()
	defer release()
	var total int64
	for _, seg := range segments {
		if err := checkSegment(ctx, seg); damaged(err) {
			s.quarantine(seg, err)
		} else if err != nil {
			return []health.Check{{Name: "logs", Status: health.Fail, Detail: err.Error(), Fix: "see the server's log"}}
		}
		total += size(seg.path)
	}
	bad, err := s.damagedFiles()
	switch {
	case err != nil:
		return []health.Check{{Name: "logs", Status: health.Fail, Detail: err.Error(), Fix: "make " + s.dir + " readable"}}
	case len(bad) > 0:
		return []health.Check{{
			Name: "logs", Status: health.Warning,
			Detail: fmt.Sprintf("damaged and not shown: %s", strings.Join(bad, ", ")),
			Fix:    "delete the files in " + filepath.Join(s.dir, damagedDir) + ", or recover what they hold with sqlite3's .recover",
		}}
	}
	return []health.Check{{Name: "logs", Status: health.OK, Detail: fmt.Sprintf("%d files, %v", len(segments), sunya.Bytes(total))}}
}

func checkSegment(ctx context.Context, seg *segment) (err error) {
	if _, _, err := seg.bounds(ctx); err != nil {
		return err
	}
	rows, err := seg.query(ctx, `PRAGMA quick_check(1)`)
	if err != nil {
		return fmt.Errorf("check %s: %w", seg.path, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	verdict := "ok"
	for rows.Next() {
		if err := rows.Scan(&verdict); err != nil {
			return fmt.Errorf("check %s: %w", seg.path, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("check %s: %w", seg.path, err)
	}
	if verdict != "ok" {
		return unsound(verdict)
	}
	return nil
}

// unsound is what SQLite's own check found.
type unsound string

// Error implements error.
func (u unsound) Error() string { return string(u) }
