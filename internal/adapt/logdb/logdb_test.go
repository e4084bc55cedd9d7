package logdb

import (
	"log/slog"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/logtest"
)

var discard = slog.New(slog.DiscardHandler)

// open returns a store in dir that is closed with the test.
func open(t testing.TB, dir string, now func() time.Time, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, now, discard, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	logtest.Run(t, func(t testing.TB) logtest.Store { return open(t, t.TempDir(), time.Now, Options{}) })
}

// TestStoreOfManySegments runs the contract with a new file every few entries.
func TestStoreOfManySegments(t *testing.T) {
	logtest.Run(t, func(t testing.TB) logtest.Store {
		return open(t, t.TempDir(), time.Now, Options{SegmentBytes: 200 << 10})
	})
}
