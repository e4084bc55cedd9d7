package activator

import (
	"errors"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pool"
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

// explain says in terms of rev why a request got no slot.
func explain(rev *sunya.Revision, err error) error {
	var r *pool.Refusal
	if !errors.As(err, &r) {
		return err
	}
	switch r.Cause {
	case pool.QueueFull:
		return refusal{sunya.Errorf(sunya.ResourceExhausted, rev.Name,
			"%d requests already wait for an instance: try again later or raise max instances", r.Queued), time.Second}
	case pool.Busy:
		return refusal{sunya.Errorf(sunya.ResourceExhausted, rev.Name,
			"no instance was free within %v: try again later or raise max instances", r.Waited), time.Second}
	case pool.NoRoom:
		return refusal{sunya.Errorf(sunya.Unavailable, rev.Name,
			"the machine has no room for another instance: try again later, stop what is not needed, or give Sunya more memory (sunya up --max-memory)"), r.After}
	case pool.None:
		return sunya.Errorf(sunya.Unavailable, rev.Name, "the service is scaled to 0 instances")
	case pool.NoStart:
		return r.Err
	case pool.BackOff:
		return backOff(rev, r)
	}
	return refusal{sunya.Errorf(sunya.Unavailable, rev.Name, "the server is shutting down"), time.Second}
}

func backOff(rev *sunya.Revision, r *pool.Refusal) error {
	why := "its instances ended right after they started"
	var e *sunya.Error
	if errors.As(r.Err, &e) {
		why = e.Message
	}
	return refusal{&sunya.Error{
		Code:     sunya.Unavailable,
		Resource: rev.Name,
		Reason:   sunya.ReasonRevisionNotReady,
		Message:  fmt.Sprintf("%s; the next attempt is made in %v", why, r.After.Round(100*time.Millisecond)),
	}, r.After}
}
