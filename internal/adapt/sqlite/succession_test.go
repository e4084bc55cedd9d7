package sqlite

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

func TestRehearse(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	rehearse := func(path string) error {
		dir := t.TempDir()
		err := Rehearse(t.Context(), path, dir, log)
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		return err
	}
	if err := rehearse(filepath.Join(t.TempDir(), "none.db")); err != nil {
		t.Errorf("no database: %v", err)
	}
	old := oldDatabase(t, 3)
	if err := rehearse(old); err != nil {
		t.Errorf("an old one: %v", err)
	}
	if version(t, old) != 3 {
		t.Error("the old database was migrated")
	}
	odd := oldDatabase(t, 3, `DROP TABLE services`)
	if err := rehearse(odd); err == nil {
		t.Error("a migration that fails was not noticed")
	}
	newer := oldDatabase(t, 3, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	if err := rehearse(newer); sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("a newer one: %v, want FailedPrecondition", err)
	}
	present := filepath.Join(t.TempDir(), "state.db")
	db, err := Open(t.Context(), present, log)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := rehearse(present); err != nil { // with a server that has it open
		t.Errorf("one that is up to date: %v", err)
	}
}

func version(t *testing.T, path string) (have int64) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if have, _, err = versions(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return have
}

func TestHoldRefusesWritesUntilResume(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.Hold()
	if err := db.Apply(t.Context(), serving.Change{}); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("a write while held: %v, want Unavailable", err)
	}
	if _, err := db.Load(t.Context()); err != nil {
		t.Errorf("reading while held: %v", err)
	}
	db.Resume()
	if err := db.Apply(t.Context(), serving.Change{}); err != nil {
		t.Errorf("a write after: %v", err)
	}
}

// TestUploadsOutliveTheirServer writes objects while another server has the
// database, beside it, and nothing else.
func TestUploadsOutliveTheirServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	opened := func() *DB {
		db, err := Open(t.Context(), path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	first, second := opened(), opened()
	if err := first.CreateBucket(t.Context(), &objects.Bucket{Name: "stuff", Project: "p"}); err != nil {
		t.Fatal(err)
	}
	put := func(db *DB, name string) error {
		return db.Change(t.Context(), func(tx objects.Tx) error {
			return tx.PutLive(&objects.Object{Bucket: "stuff", Name: name, Generation: 1, Blob: name})
		})
	}
	first.Hold()
	done := make(chan error)
	go func() { done <- put(first, "waits") }()
	if err := put(second, "of the next"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("written while nobody has the database: %v", err)
	default:
	}
	if err := first.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the other one took over: %v", err)
	}
	if err := first.Apply(t.Context(), serving.Change{}); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("another write: %v, want Unavailable", err)
	}
	for _, name := range []string{"waits", "of the next"} {
		if _, err := second.GetObject(t.Context(), "stuff", name, 0); err != nil {
			t.Error(err)
		}
	}
	if _, err := second.write.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	first.Hold()
	if err := first.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := put(first, "late"); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("into another schema: %v, want Unavailable", err)
	}
}
