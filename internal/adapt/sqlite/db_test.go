package sqlite_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// open returns an empty database that ends with the test.
func open(t testing.TB) *sqlite.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "state.db"))
}

func openAt(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestReopenKeepsWhatWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd ?#% name.db")
	db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	svc := sunya.Service{Name: "apps/p/services/default", Project: "p", Product: sunya.AppEngine}
	if err := db.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Apply(t.Context(), serving.Change{}); sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("after Close: %v, want Unavailable", err)
	}
	snap, err := openAt(t, path).Load(t.Context())
	if err != nil || len(snap.Services) != 1 {
		t.Errorf("Load = %+v, %v; want the one service", snap, err)
	}
}
