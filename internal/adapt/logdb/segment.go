package logdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// A segment's file is named after the moment it was begun: the end of one is
// the beginning of the next.
const (
	filePrefix = "entries-"
	fileTime   = "20060102T150405.000000000Z"
	fileSuffix = ".db"
)

func segmentFile(begin time.Time) string {
	return filePrefix + begin.UTC().Format(fileTime) + fileSuffix
}

func parseSegment(name string) (time.Time, bool) {
	middle, ok := strings.CutPrefix(name, filePrefix)
	middle, ok2 := strings.CutSuffix(middle, fileSuffix)
	t, err := time.Parse(fileTime, middle)
	return t, ok && ok2 && err == nil
}

// segment is one file. It is opened by the first query that needs it; its
// connections close by themselves when nobody asks for a while.
type segment struct {
	begin time.Time
	path  string
	log   *slog.Logger

	// Guarded by Store.mu.
	holders int
	then    func(path string) error // set when forgotten

	mu       sync.Mutex
	db       *sql.DB // for reading; nil until opened
	min, max int64   // timestamps; min > max while empty
}

// bounds opens the segment and returns the times between which its entries
// are; min > max means none.
func (g *segment) bounds(ctx context.Context) (lo, hi int64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.open(ctx); err != nil {
		return 0, 0, err
	}
	return g.min, g.max, nil
}

// widen takes note of what entries between two timestamps were added.
func (g *segment) widen(lo, hi int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.min, g.max = min(g.min, lo), max(g.max, hi)
}

// open migrates the file and reads its bounds; the caller holds the lock.
func (g *segment) open(ctx context.Context) error {
	if g.db != nil {
		return nil
	}
	if err := migrate(ctx, g.path, g.log); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(g.path, "query_only(1)"))
	if err != nil {
		return fmt.Errorf("open %s: %w", g.path, err)
	}
	db.SetMaxIdleConns(2 * maxCursors) // no limit on open ones: a query holds several at once
	db.SetConnMaxIdleTime(time.Minute)
	g.db, g.min, g.max = db, math.MaxInt64, math.MinInt64
	for _, q := range []string{
		`SELECT (SELECT min(ts) FROM entry), (SELECT max(ts) FROM entry)`,
		`SELECT (SELECT min(first) FROM pack), (SELECT max(first) FROM pack) + ` + fmt.Sprint(int64(logs.PackSpan)),
	} {
		var lo, hi sql.NullInt64
		if err := db.QueryRowContext(ctx, q).Scan(&lo, &hi); err != nil {
			g.db = nil
			return errors.Join(fmt.Errorf("read %s: %w", g.path, err), db.Close())
		}
		if lo.Valid {
			g.min, g.max = min(g.min, lo.Int64), max(g.max, hi.Int64)
		}
	}
	return nil
}

// query reads from the opened segment.
func (g *segment) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	g.mu.Lock()
	db := g.db
	g.mu.Unlock()
	if db == nil {
		return nil, sunya.Errorf(sunya.Unavailable, g.path, "the log is closed: the server is stopping")
	}
	return db.QueryContext(ctx, text, args...)
}

func (g *segment) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.db == nil {
		return nil
	}
	err := g.db.Close()
	g.db = nil
	return err
}

// dsn opens a file in WAL mode without a sync for each commit: the system keeps
// what a killed process wrote.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "journal_size_limit(8388608)",
	}, pragmas...)}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// damaged says whether an error means that the file is not a sound database.
func damaged(err error) bool {
	var u unsound
	if errors.As(err, &u) {
		return true
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return e.Code() == sqlite3.SQLITE_IOERR_SHORT_READ
}

// full says whether an error means that there is no room on the disk.
func full(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL
}

// eachFile does something to a segment's file and to what SQLite keeps beside
// it.
func eachFile(path string, do func(path string) error) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := do(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
