package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func openInternal(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func pragma(t *testing.T, db *DB, p string) {
	t.Helper()
	if _, err := db.write.ExecContext(t.Context(), "PRAGMA "+p); err != nil {
		t.Fatal(err)
	}
}

func put(ctx context.Context, db *DB, name string, bytes int) error {
	return db.PutOperation(ctx, &sunya.Operation{Name: name, Stage: strings.Repeat("x", bytes)})
}

func names(t *testing.T, db *DB) string {
	t.Helper()
	ops, err := db.ListOperations(t.Context(), "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, op := range ops {
		out = append(out, op.Name)
	}
	return strings.Join(out, " ")
}

// TestFullDisk uses SQLite's own limit, which ends in the same SQLITE_FULL.
func TestFullDisk(t *testing.T) {
	db := openInternal(t)
	if err := put(t.Context(), db, "before", 1); err != nil {
		t.Fatal(err)
	}
	pragma(t, db, "max_page_count = 1") // the present size
	err := put(t.Context(), db, "large", 100<<10)
	if sunya.CodeOf(err) != sunya.ResourceExhausted || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("full: %v, want ResourceExhausted with a remedy", err)
	}
	if got := names(t, db); got != "before" {
		t.Errorf("stored: %s", got)
	}
	pragma(t, db, "max_page_count = 1000000")
	if err := put(t.Context(), db, "after", 100<<10); err != nil {
		t.Errorf("space is free again: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	db := openInternal(t)
	pragma(t, db, "query_only = 1")
	if err := put(t.Context(), db, "op", 1); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("read-only: %v, want Unavailable", err)
	}
	pragma(t, db, "query_only = 0")
	if err := put(t.Context(), db, "op", 1); err != nil {
		t.Errorf("writable again: %v", err)
	}
}

// TestBatchFates queues writers behind one another and lets one of them fail.
func TestBatchFates(t *testing.T) {
	refused := errors.New("refused")
	insert := func(name string, err error) *job {
		return &job{done: make(chan struct{}), do: func(ctx context.Context, tx *sql.Tx) error {
			if perr := putOperation(ctx, tx, &sunya.Operation{Name: name}); perr != nil {
				return perr
			}
			return err
		}}
	}
	t.Run("one that refuses is undone alone", func(t *testing.T) {
		db := openInternal(t)
		batch := []*job{insert("a", nil), insert("b", refused), insert("c", nil)}
		db.queue = slices.Clone(batch)
		db.runBatch(t.Context())
		if batch[0].err != nil || !errors.Is(batch[1].err, refused) || batch[2].err != nil {
			t.Errorf("errors %v, %v, %v", batch[0].err, batch[1].err, batch[2].err)
		}
		if got := names(t, db); got != "c a" {
			t.Errorf("stored %q, want c a", got)
		}
	})
	t.Run("a lost transaction is nobody's", func(t *testing.T) {
		db := openInternal(t)
		pragma(t, db, "max_page_count = 1")
		large := &job{done: make(chan struct{}), do: func(ctx context.Context, tx *sql.Tx) error {
			return putOperation(ctx, tx, &sunya.Operation{Name: "large", Stage: strings.Repeat("x", 1<<20)})
		}}
		batch := []*job{insert("a", nil), large, insert("c", nil)}
		db.queue = slices.Clone(batch)
		db.runBatch(t.Context())
		for i, j := range batch {
			if sunya.CodeOf(j.err) != sunya.ResourceExhausted {
				t.Errorf("writer %d: %v", i, j.err)
			}
		}
		if got := names(t, db); got != "" {
			t.Errorf("stored %q, want nothing", got)
		}
		pragma(t, db, "max_page_count = 1000000")
		if err := put(t.Context(), db, "later", 1); err != nil {
			t.Errorf("the next write: %v", err)
		}
	})
}

func TestPanicStaysWithItsWriter(t *testing.T) {
	db := openInternal(t)
	if err := put(t.Context(), db, "op", 1); err != nil {
		t.Fatal(err)
	}
	err := db.UpdateOperation(t.Context(), "op", func(op *sunya.Operation) {
		op.Stage = "half"
		panic("a bug of the caller")
	})
	if sunya.CodeOf(err) != sunya.Internal {
		t.Errorf("got %v, want Internal", err)
	}
	op, err := db.GetOperation(t.Context(), "op")
	if err != nil || op.Stage != "x" {
		t.Errorf("after the panic: %+v, %v", op, err)
	}
	if err := put(t.Context(), db, "next", 1); err != nil {
		t.Errorf("the next writer: %v", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	db := openInternal(t)
	if err := put(t.Context(), db, "op", 1); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(db.path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("state.db%s: %v, %v; want mode 0600", suffix, info.Mode(), err)
		}
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none", "state.db"), slog.New(slog.DiscardHandler)); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("Open in a missing directory: %v, want Unavailable", err)
	}
}

func TestWithdrawnWriterWritesNothing(t *testing.T) {
	db := openInternal(t)
	<-db.turn // somebody writes
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- put(ctx, db, "op", 1) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	db.turn <- struct{}{}
	if err := put(t.Context(), db, "next", 1); err != nil {
		t.Fatal(err)
	}
	if got := names(t, db); got != "next" {
		t.Errorf("stored %q, want next only", got)
	}
}

func TestFailedSyncStopsWriting(t *testing.T) {
	db := openInternal(t)
	db.fail(sunya.Errorf(sunya.Unavailable, "", "the disk failed"))
	if err := put(t.Context(), db, "op", 1); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("after a failed sync: %v, want Unavailable", err)
	}
	if got := names(t, db); got != "" {
		t.Errorf("stored %q", got)
	}
	failed := false
	for _, c := range db.Check(t.Context()) {
		failed = failed || c.Name == "state writes" && c.Status == "fail"
	}
	if !failed {
		t.Error("Check does not say so")
	}
	db.broken = nil // so that Close is quiet
}
