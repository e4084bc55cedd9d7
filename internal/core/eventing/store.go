package eventing

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Store keeps triggers, what their sources have to remember, and the events that
// failed. A method that writes returns after the write is durable; each call is
// atomic.
type Store interface {
	PutTrigger(ctx context.Context, t *Trigger) error
	GetTrigger(ctx context.Context, k Key) (*Trigger, error) // NotFound
	// ListTriggers returns the triggers of a project in byte order of their
	// locations and ids, at most limit, beginning after LOCATION/ID. An empty
	// project or location stands for all; of all projects the order is that of
	// their names, and after is PROJECT/LOCATION/ID.
	ListTriggers(ctx context.Context, project, location, after string, limit int) ([]Trigger, error)
	// DeleteTrigger removes a trigger with what its source remembers and its
	// failures; of one that is gone it is no error.
	DeleteTrigger(ctx context.Context, k Key) error

	// SourceState returns what a source has put for a trigger; nil: nothing.
	SourceState(ctx context.Context, trigger string) ([]byte, error)
	PutSourceState(ctx context.Context, trigger string, state []byte) error

	// PutFailure stores or replaces a failure, and removes the oldest of the
	// trigger beyond keep.
	PutFailure(ctx context.Context, f *Failure, keep Keep) error
	GetFailure(ctx context.Context, trigger, id string) (*Failure, error) // NotFound
	// ListFailures returns failures, the latest first.
	ListFailures(ctx context.Context, q FailureQuery) ([]Failure, error)
	DeleteFailure(ctx context.Context, trigger, id string) error
	// ExpireFailures removes those whose last attempt was before a time.
	ExpireFailures(ctx context.Context, before time.Time) error
}

// Keep is how many failures of a trigger are kept.
type Keep struct {
	Events int
	Bytes  int64 // of their messages
}

// Failure is an event whose delivery has failed.
type Failure struct {
	Trigger  string // its name
	ID       string // of the event
	State    FailureState
	Type     string
	Subject  string `json:",omitempty"`
	Attempts int
	Status   int    `json:",omitempty"` // of the last answer; 0 without any
	Reason   string // of the last attempt, for people
	First    time.Time
	Last     time.Time
	Message  pubsub.Message // as it was published
}

// FailureState says what becomes of a failure.
type FailureState string

// The states.
const (
	Retrying     FailureState = "RETRYING"      // it comes again by itself
	Dropped      FailureState = "DROPPED"       // its trigger does not retry
	Expired      FailureState = "EXPIRED"       // it was too old
	DeadLettered FailureState = "DEAD_LETTERED" // it is in the dead letter topic
)

// FailureQuery says which failures are listed.
type FailureQuery struct {
	Project, Trigger, ID string // empty: all
	Limit                int
}
