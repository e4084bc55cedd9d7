// Package meter keeps what revisions use, durably: requests, billable instance
// time, the processor time and memory that come with it, bytes in and out. Prices
// are not its business.
//
// Billable time is Cloud Run's (cloud.google.com/run/pricing, billable instance
// time). Where the processor is allocated only for requests it runs from the
// first request in flight to the end of the last, each such stretch rounded up
// to 100 ms and none counted twice, and for as long as a start takes. Where it
// is always allocated it runs from the start of the instance to its end.
// Processor time and memory are the limits of the instance over its billable
// time, those of its sidecars included.
package meter

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/served"
)

// Usage is an amount of everything that is counted.
type Usage struct {
	Requests        int64 `json:"requests,omitempty"`
	Starts          int64 `json:"starts,omitempty"`          // of instances
	InstanceMillis  int64 `json:"instanceMillis,omitempty"`  // billable
	CPUMicros       int64 `json:"cpuMicros,omitempty"`       // of one vCPU, allocated while billable
	MemoryMiBMillis int64 `json:"memoryMibMillis,omitempty"` // MiB times milliseconds, allocated while billable
	CPUUsedMicros   int64 `json:"cpuUsedMicros,omitempty"`   // really used, as far as it was looked at
	ReceivedBytes   int64 `json:"receivedBytes,omitempty"`   // of bodies
	SentBytes       int64 `json:"sentBytes,omitempty"`
}

// Add adds another amount.
func (u *Usage) Add(o Usage) {
	u.Requests += o.Requests
	u.Starts += o.Starts
	u.InstanceMillis += o.InstanceMillis
	u.CPUMicros += o.CPUMicros
	u.MemoryMiBMillis += o.MemoryMiBMillis
	u.CPUUsedMicros += o.CPUUsedMicros
	u.ReceivedBytes += o.ReceivedBytes
	u.SentBytes += o.SentBytes
}

// Row is what a revision used in one hour.
type Row struct {
	Hour time.Time `json:"hour"` // its beginning, UTC
	served.Subject
	Usage
}

// By says what rows are added up to.
type By string

// The ways to add up. Fields of a row that differ among what was added up are
// empty.
const (
	ByService  By = "service"
	ByRevision By = "revision"
	ByDay      By = "day" // UTC
	ByHour     By = "hour"
)

// Query selects rows. The zero value of a field does not restrict.
type Query struct {
	Project, Service string
	Since, Until     time.Time // inclusive, exclusive; hours that begin within
	By               By        // ByRevision when empty
}

// Store keeps rows for as long as nobody prunes them, whatever becomes of their
// services.
type Store interface {
	// AddUsage adds rows to what there is of the same hour and subject, all or none,
	// and remembers seq as the writer's. It does nothing when it remembers that
	// one, or a larger one, already.
	AddUsage(ctx context.Context, writer string, seq int64, rows []Row) error
	// UsageSeq returns the seq that is remembered for a writer; 0: none.
	UsageSeq(ctx context.Context, writer string) (int64, error)
	// Usage returns rows that are added up, by time, then by subject.
	Usage(ctx context.Context, q Query) ([]Row, error)
	// NewestUsage returns the newest hour of which there is a row; zero: none.
	NewestUsage(ctx context.Context) (time.Time, error)
	// PruneUsage removes the rows of hours before t, and forgets the writers that
	// have added nothing since.
	PruneUsage(ctx context.Context, t time.Time) error
}

// Journal keeps records until they are in the store. What Append has returned
// from survives the death of the process. Each process has a journal of its own.
type Journal interface {
	// Writer names this process' journal: unique for ever.
	Writer() string
	// Append appends a record, which holds no newline.
	Append(record []byte) error
	// Reset forgets the records of this process' journal.
	Reset() error
	// Orphans returns the writers that died and left a journal.
	Orphans() ([]string, error)
	// Replay calls f with every record in the journal of an orphan that is
	// whole, in order.
	Replay(writer string, f func(record []byte)) error
	// Remove removes the journal of an orphan.
	Remove(writer string) error
}
