// Package serving knows which services, revisions, traffic splits and hosts
// there are, and shows them to the request path as an immutable Table.
package serving

import (
	"context"

	"github.com/sunya-cloud/sunya"
)

// Store keeps the serving state. A method that writes returns after the write
// is durable; each call is atomic.
type Store interface {
	// Load reads everything the Table is made of.
	Load(ctx context.Context) (Snapshot, error)
	// Apply makes all the changes of a Change or none. Creating a revision or
	// host that exists with the same content is not an error, so that a step
	// can be repeated. It gives a new service its UIDRange. A host label that
	// another service owns is AlreadyExists.
	Apply(ctx context.Context, c Change) error
}

// ServiceGetter is a Store that can read one service. With it a change costs
// what it touches; without it the catalog loads everything again to learn what
// the store gave a service (UIDRange, Generation, times).
type ServiceGetter interface {
	GetService(ctx context.Context, name string) (*sunya.Service, error) // NotFound
}

// Snapshot is the whole serving state at one moment.
type Snapshot struct {
	Services  []sunya.Service
	Revisions []sunya.Revision
	Hosts     []sunya.Host
}

// Change is a set of writes that belong together.
type Change struct {
	PutServices     []sunya.Service // created or replaced; CreateTime and UIDRange of an existing one are kept, Generation is counted up
	PutRevisions    []sunya.Revision
	PutHosts        []sunya.Host
	DeleteServices  []string // names; their revisions and hosts go too
	DeleteRevisions []string
	DeleteHosts     []string // labels; one that is in PutHosts, too, moves to another service
}
