package sunya_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestCodeOf(t *testing.T) {
	notFound := sunya.Errorf(sunya.NotFound, "apps/x", "not found")
	for _, c := range []struct {
		name string
		err  error
		want sunya.Code
	}{
		{"no error", nil, sunya.OK},
		{"an Error", notFound, sunya.NotFound},
		{"the first Error of a chain", fmt.Errorf("read: %w", &sunya.Error{Code: sunya.Unavailable, Err: notFound}), sunya.Unavailable},
		{"the first of several joined", errors.Join(io.EOF, notFound), sunya.NotFound},
		{"an Error hides a context's end", &sunya.Error{Code: sunya.Aborted, Err: context.Canceled}, sunya.Aborted},
		{"given up", fmt.Errorf("read: %w", context.Canceled), sunya.Canceled},
		{"took too long", fmt.Errorf("read: %w", context.DeadlineExceeded), sunya.DeadlineExceeded},
		{"anything else", io.EOF, sunya.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sunya.CodeOf(c.err); got != c.want {
				t.Errorf("CodeOf(%v) = %v, want %v", c.err, got, c.want)
			}
		})
	}
}

func TestErrorTellsClientsEverythingButTheCause(t *testing.T) {
	cause := errors.New("dial unix /secret: refused")
	err := &sunya.Error{Code: sunya.Unavailable, Resource: "apps/x", Field: "version.id", Message: "try again", Err: cause}
	if got, want := err.Public(), "apps/x: version.id: try again"; got != want {
		t.Errorf("Public() = %q, want %q", got, want)
	}
	if got, want := err.Error(), "apps/x: version.id: try again: dial unix /secret: refused"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is not in the chain")
	}
}

func TestCodesThatDoNotExistAreUnknown(t *testing.T) {
	for _, c := range []sunya.Code{-1, 17, 1 << 20} {
		if c.String() != "UNKNOWN" || c.HTTP() != 500 {
			t.Errorf("Code(%d) is %s with status %d", int(c), c, c.HTTP())
		}
	}
}

// TestHTTPStatusLeadsBack: a code that was sent as its HTTP status alone is
// recognised, as far as a status can tell.
func TestHTTPStatusLeadsBack(t *testing.T) {
	for c := sunya.Canceled; c <= sunya.Unauthenticated; c++ {
		back := sunya.CodeOfHTTP(c.HTTP())
		if back.HTTP() != c.HTTP() && c != sunya.Canceled {
			t.Errorf("%s became %s by way of %d", c, back, c.HTTP())
		}
	}
	for status, want := range map[int]sunya.Code{
		400: sunya.InvalidArgument, 405: sunya.NotFound, 412: sunya.FailedPrecondition, 413: sunya.InvalidArgument,
		415: sunya.InvalidArgument, 500: sunya.Internal, 502: sunya.Internal,
	} {
		if got := sunya.CodeOfHTTP(status); got != want {
			t.Errorf("CodeOfHTTP(%d) = %s, want %s", status, got, want)
		}
	}
}

func ExampleInvalid() {
	err := sunya.Invalid("version.runtime", "%q is not known here: use python311", "cobol")
	fmt.Println(err)
	fmt.Println(sunya.CodeOf(fmt.Errorf("create version: %w", err)))
	// Output:
	// version.runtime: "cobol" is not known here: use python311
	// INVALID_ARGUMENT
}
