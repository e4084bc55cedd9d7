package run

import (
	"context"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Store keeps services and their revisions. A method that writes returns after
// the write is durable; each call is atomic.
type Store interface {
	GetRunService(ctx context.Context, k Key) (*Service, error) // NotFound
	// ListRunServices returns the services of a project in byte order of their
	// locations and ids, at most limit, beginning after LOCATION/ID. An empty
	// location stands for all.
	ListRunServices(ctx context.Context, project, location, after string, limit int) ([]Service, error)
	GetRunRevision(ctx context.Context, k Key, id string) (*Revision, error) // NotFound
	// ListRunRevisions returns the revisions of a service, the newest first, at
	// most limit, beginning after the one at after. The zero Cursor is before all;
	// an empty Key.ID stands for all services of the location.
	ListRunRevisions(ctx context.Context, k Key, after Cursor, limit int) ([]Revision, error)
	// PutRun writes all of a Write or nothing. It is Aborted when the stored
	// service has a Deployment in progress that is not the one in the write, and
	// AlreadyExists when a function has the service's name.
	PutRun(ctx context.Context, w Write) error
}

// Cursor is a revision's place in a list.
type Cursor struct {
	Time time.Time // Revision.CreateTime
	ID   string
}

// Write is what changes together, deletions first. What is nil stays.
type Write struct {
	Service    *Service
	Revision   *Revision
	Operation  *sunya.Operation
	Deployment *sunya.Deployment

	DeleteRevisions []string // short names, of Service
	Delete          *Key     // a service with its revisions
}

// Catalog is what this package needs of the serving core.
type Catalog interface {
	Table() *serving.Table
	Service(name string) (sunya.Service, bool)
	Revision(name string) (*sunya.Revision, bool)
	Apply(ctx context.Context, c serving.Change) error
	Update(ctx context.Context, service string, f func(now sunya.Service) (serving.Change, error)) error
}

// Parts is what an Admin works with.
type Parts struct {
	Store   Store
	Catalog Catalog
	// Kick tells the deploy runner that a deployment was stored.
	Kick func()
	// Supersede ends a deployment that has not begun to route, and returns once
	// it has ended, in whichever way. It may call Fail and Finish.
	Supersede    func(ctx context.Context, deployment string) error
	StartTimeout time.Duration // 0: 240 s

	DeploymentIDs *sunya.DeploymentIDs // shared by all products; nil: its own

	Now   func() time.Time
	NewID func() string // a UUID
}

// Admin is the administration of all services. It is safe for concurrent use.
type Admin struct {
	Parts

	// mu orders the changes of one server, so that what was checked still
	// holds when it is written.
	mu sync.Mutex
}

// New returns an Admin.
func New(p Parts) *Admin {
	if p.StartTimeout == 0 {
		p.StartTimeout = 240 * time.Second // container contract
	}
	if p.DeploymentIDs == nil {
		p.DeploymentIDs = new(sunya.DeploymentIDs)
	}
	return &Admin{Parts: p}
}

// Request says how a change is asked for.
type Request struct {
	Method       string // full RPC method, for the operation
	ETag         string // when not empty, the one of what is there: else Aborted
	ValidateOnly bool   // everything is checked and nothing is done
	AllowMissing bool   // an update of what does not exist creates it
	User         string // e-mail address, or empty
}

// Result is what a change has made: the service as it is to be, and the
// operation, which is done when the service is.
type Result struct {
	Service   *Service
	Operation *sunya.Operation
}

// Make makes what a client wants of the service that there is, nil for none, and
// the warnings about it. The Spec is completed and checked afterwards.
type Make func(now *Service) (s Spec, warnings []string, err error)
