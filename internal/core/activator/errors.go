package activator

import (
	"errors"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
)

// refusal is an error that passes with time.
type refusal struct {
	error
	after time.Duration
}

func (r refusal) Unwrap() error { return r.error }

// RetryAfter returns how long a client should wait after err, in whole
// seconds; 0 when err does not say.
func RetryAfter(err error) time.Duration {
	var r refusal
	if !errors.As(err, &r) {
		return 0
	}
	return max(r.after.Round(time.Second), time.Second)
}

func errQueueFull(rev *sunya.Revision, n int) error {
	return refusal{sunya.Errorf(sunya.ResourceExhausted, rev.Name,
		"%d requests already wait for an instance: try again later or raise max instances", n), time.Second}
}

func errBusy(rev *sunya.Revision, waited time.Duration) error {
	return refusal{sunya.Errorf(sunya.ResourceExhausted, rev.Name,
		"no instance was free within %v: try again later or raise max instances", waited), time.Second}
}

func errBackoff(rev *sunya.Revision, last error, wait time.Duration) error {
	why := "its instances ended right after they started"
	var e *sunya.Error
	if errors.As(last, &e) {
		why = e.Message
	}
	return refusal{&sunya.Error{
		Code:     sunya.Unavailable,
		Resource: rev.Name,
		Reason:   sunya.ReasonRevisionNotReady,
		Message:  fmt.Sprintf("%s; the next attempt is made in %v", why, wait.Round(100*time.Millisecond)),
	}, wait}
}

func errNone(rev *sunya.Revision) error {
	return sunya.Errorf(sunya.Unavailable, rev.Name, "the service is scaled to 0 instances")
}

func errClosed(rev *sunya.Revision) error {
	return refusal{sunya.Errorf(sunya.Unavailable, rev.Name, "the server is shutting down"), time.Second}
}
