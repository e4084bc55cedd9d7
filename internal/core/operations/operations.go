// Package operations keeps the long work that API clients wait for.
package operations

import (
	"context"

	"github.com/sunya-cloud/sunya"
)

// Store keeps operations. Writes are durable when a method returns.
type Store interface {
	GetOperation(ctx context.Context, name string) (*sunya.Operation, error) // NotFound
	// ListOperations returns those whose name begins with prefix, newest
	// first, at most limit, beginning after the operation named after.
	ListOperations(ctx context.Context, prefix, after string, limit int) ([]sunya.Operation, error)
	PutOperation(ctx context.Context, op *sunya.Operation) error
	// UpdateOperation reads, changes and writes one operation as one atomic
	// step; change may be called again and must not block. NotFound.
	UpdateOperation(ctx context.Context, name string, change func(*sunya.Operation)) error
}
