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

	"github.com/sunya-cloud/sunya"
)

// stage is whose the database is to write.
type stage int

const (
	ours   stage = iota
	held         // nobody's: another server is about to take it
	shared       // another server's, but for what began before
	gone         // another server's
)

var errHeld = sunya.Errorf(sunya.Unavailable, "", "another server is taking over: try again")

// Hold waits for the write under way and refuses those that come, which are told
// to try again: another server is about to read and write the database. Uploads to
// Storage wait for Resume or Leave. Reading goes on.
func (db *DB) Hold() {
	<-db.turn
	defer func() { db.turn <- struct{}{} }()
	db.set(held)
}

// Resume ends Hold, and Leave.
func (db *DB) Resume() { db.set(ours) }

// Leave lets uploads that this server still receives come to their end while another
// one has the database, unless that one has changed its schema.
func (db *DB) Leave(ctx context.Context) error {
	have, want, err := versions(ctx, db.read.DB)
	if err != nil {
		db.set(gone)
		return fmt.Errorf("read schema version of %s: %w", db.path, explain(err))
	}
	if have == want {
		db.set(shared)
	} else {
		db.set(gone)
	}
	return nil
}

func (db *DB) set(to stage) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.stage = to
	db.restage()
}

// restage wakes those that wait for another stage. The caller holds mu.
func (db *DB) restage() {
	close(db.staged)
	db.staged = make(chan struct{})
}

// turnOf is the token that j waits for, nil while it cannot be written, and what is
// closed when that changes.
func (db *DB) turnOf(j *job) (turn, changed <-chan struct{}) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if j.lasting && db.stage == held && db.broken == nil {
		return nil, db.staged
	}
	return db.turn, db.staged
}

// Rehearse tries what Open would do with a database that another server has open,
// and leaves it as it is: FailedPrecondition when a newer Sunya wrote it, else the
// error that its migration would come to. It works on a copy in dir; a database
// that is up to date, or that there is none of, needs none.
func Rehearse(ctx context.Context, path, dir string, log *slog.Logger) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)"}}
	there, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer there.Close()
	have, want, err := versions(ctx, there)
	switch {
	case err != nil:
		return fmt.Errorf("read schema version of %s: %w", path, explain(err))
	case have > want:
		return tooNew(path, have, want)
	case have == want:
		return nil
	}
	copied := filepath.Join(dir, fmt.Sprintf("rehearsal-%d.db", os.Getpid()))
	defer removeAll(copied)
	if _, err := there.ExecContext(ctx, "VACUUM INTO ?", copied); err != nil {
		return fmt.Errorf("copy %s to try its migration: %w", path, explain(err))
	}
	db, err := Open(ctx, copied, log)
	if err != nil {
		return fmt.Errorf("try the migration of %s from version %d to %d: %w", path, have, want, err)
	}
	_, err = db.Load(ctx)
	return errors.Join(err, db.Close())
}

// versions are the schema that the database has and that this program wants.
func versions(ctx context.Context, there *sql.DB) (have, want int64, err error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, 0, err
	}
	for _, name := range names {
		var n int64
		if _, err := fmt.Sscanf(filepath.Base(name), "%d", &n); err == nil {
			want = max(want, n)
		}
	}
	err = there.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&have)
	return have, want, err
}

func removeAll(path string) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		_ = os.Remove(path + suffix)
	}
}

// Hold is DB.Hold for events.
func (e *Events) Hold() { e.db.Hold() }

// Resume ends Hold.
func (e *Events) Resume() { e.db.Resume() }
