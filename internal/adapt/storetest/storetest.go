// Package storetest is the contracts of the stores as tests: every adapter that
// keeps state runs them, and so does what stands in for one in other tests.
//
// Each suite takes open, which returns an empty store that ends with the test.
package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sunya-cloud/sunya"
)

// at is the time of most records: a store keeps nanoseconds.
func at(n int) time.Time { return time.Date(2026, 11, 23, 12, 0, n, 123456789, time.UTC) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, want sunya.Code) {
	t.Helper()
	if got := sunya.CodeOf(err); got != want {
		t.Errorf("error %v has code %v, want %v", err, got, want)
	}
}

func wantSame(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("differs (-want +got):\n%s", diff)
	}
}

// together runs n calls side by side and returns their errors.
func together(ctx context.Context, n int, do func(ctx context.Context, i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(ctx, i) })
	}
	wg.Wait()
	return errs
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func name(format string, args ...any) string { return fmt.Sprintf(format, args...) }
