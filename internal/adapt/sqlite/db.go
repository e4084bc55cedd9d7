// Package sqlite keeps all state that must survive in one SQLite file: it
// implements the stores of the serving core, operations, deployments, App
// Engine and objects (docs/adr/0002-sqlite.md).
//
// A write is synced to the disk before its method returns. Writers that wait at
// the same time share one transaction and one sync; readers never wait for
// them.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/sunya-cloud/sunya"
)

// readers is how many reads run side by side.
const readers = 4

// DB is an open state database. Its methods are safe for concurrent use.
type DB struct {
	path  string
	steps fs.FS // the migrations of its schema
	log   *slog.Logger
	write *sql.DB // one connection
	read  *pool   // connections that cannot write

	writes *statements // of write

	turn chan struct{} // holds one token: whoever has it writes

	mu     sync.Mutex
	queue  []*job
	broken error // set once, when a sync failed: no write is acknowledged any more
	stage  stage
	staged chan struct{} // closed when stage changes, or broken is set
}

// Open opens the database at path, or makes it, and brings its schema up to
// date. A database that a newer Sunya wrote is FailedPrecondition and is left
// as it is. The caller owns the result and must Close it.
func Open(ctx context.Context, path string, log *slog.Logger) (*DB, error) {
	return open(ctx, path, "migrations", log)
}

// open is Open for the schema whose migrations are in a folder.
func open(ctx context.Context, path, schema string, log *slog.Logger) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	steps, err := fs.Sub(migrations, schema)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	db := &DB{path: path, steps: steps, log: log.With("component", "sqlite"), turn: make(chan struct{}, 1), staged: make(chan struct{})}
	db.turn <- struct{}{}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	if db.write, err = sql.Open("sqlite", dsn(path, "rwc", "_txlock", "immediate")); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.write.SetMaxOpenConns(1)
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.write.Close())
	}
	read, err := sql.Open("sqlite", dsn(path, "ro", "_pragma", "query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	db.read, db.writes = &pool{read, newStatements(read)}, newStatements(db.write)
	return db, nil
}

// create makes an empty file that only its owner can read, since revisions hold
// their users' secrets, and makes its name durable. SQLite gives the files
// beside it the same permissions.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return cannotCreate(err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return errors.Join(cannotCreate(err), f.Close())
	}
	if err := errors.Join(dir.Sync(), dir.Close(), f.Close()); err != nil {
		return cannotCreate(err)
	}
	return nil
}

func cannotCreate(err error) error {
	return &sunya.Error{Code: sunya.Unavailable, Err: err,
		Message: "the state database cannot be made: check space, owner and mount of the data directory"}
}

// dsn is how the driver is told to open path. Full sync makes a commit durable
// in WAL mode; busy_timeout only matters while another process, such as a
// backup, holds the file.
func dsn(path, mode string, more ...string) string {
	q := url.Values{"mode": {mode}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	for i := 0; i+1 < len(more); i += 2 {
		q.Add(more[i], more[i+1])
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// Close waits for the write under way and closes the file. What is queued
// behind it fails.
func (db *DB) Close() error {
	<-db.turn
	defer func() { db.turn <- struct{}{} }()
	db.fail(errClosed)
	return errors.Join(db.read.Close(), db.write.Close())
}
