// Package served is what the platform knows of a request once it is over, and
// who is told of it: the request log, the metrics, the meter.
package served

import (
	"time"

	"github.com/sunya-cloud/sunya"
)

// Request is what is known of a request once it is over.
type Request struct {
	Revision *sunya.Revision // whom it was for; never nil
	ID       string          // 32 hex digits, unique
	Instance string          // the id of the one that worked on it; empty: none

	ColdStart bool // it waited for an instance to start
	Thawed    bool // it woke a frozen instance

	Begin   time.Time
	Latency time.Duration // from Begin until the last byte was handed to the kernel
	Waited  time.Duration // of it, for a slot

	Method, Scheme, Host, Target, Protocol string // Target is the path and query as sent
	UserAgent, Referer                     string
	RemoteIP                               string // without port

	TraceID string // 32 hex digits
	SpanID  uint64
	Sampled bool

	Status         int   // as sent; 499 when the client went away before
	Received, Sent int64 // bytes of the bodies

	// Problem says what went wrong on the platform's side; empty: nothing.
	Problem string
}

// Observer is told of every request.
type Observer interface {
	// Observe is called on the request path, by many goroutines at once: it
	// returns soon, and keeps neither r nor its strings, which may lie in the
	// buffer of a connection.
	Observe(r *Request)
}

// All tells several observers, one after the other.
type All []Observer

// Observe implements Observer.
func (all All) Observe(r *Request) {
	for _, o := range all {
		o.Observe(r)
	}
}
