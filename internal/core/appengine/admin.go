package appengine

import (
	"context"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Catalog is what this package needs of the serving core.
type Catalog interface {
	Service(name string) (sunya.Service, bool)
	Revision(name string) (*sunya.Revision, bool)
	Apply(ctx context.Context, c serving.Change) error
	Update(ctx context.Context, service string, f func(now sunya.Service) (serving.Change, error)) error
}

// Operations keeps the operations that are done at once; those of a deploy are
// written by Store.BeginDeploy.
type Operations interface {
	Put(ctx context.Context, op *sunya.Operation) error
}

// Objects finds the files of a manifest.
type Objects interface {
	GetObject(ctx context.Context, bucket, name string) (*objects.Object, error) // NotFound
}

// Runtimes knows what can be built here.
type Runtimes interface {
	// Resolve says how a runtime id will be met. The note, if any, is shown to
	// the user ("python39: not here, Python 3.11.7 is used"); the error says
	// why it cannot be met.
	Resolve(runtime string) (note string, err error)
	// Names lists the runtime ids that a user may ask for, for error messages.
	Names() []string
}

// Parts is what an Admin works with. StartTimeout and EnsureBucket may be zero.
type Parts struct {
	Store      Store
	Catalog    Catalog
	Operations Operations
	Objects    Objects
	Runtimes   Runtimes

	// CheckPath reports whether a path of a manifest may be written below a
	// directory; its error says what is wrong with it.
	CheckPath func(path string) error
	// EnsureBucket makes an application's bucket exist.
	EnsureBucket func(ctx context.Context, project, bucket string) error
	// EndInstance ends one instance of a core revision and returns when nothing
	// is left of it. NotFound.
	EndInstance func(ctx context.Context, revision, id string) error
	// Kick tells the deploy runner that a deployment was stored.
	Kick func()

	Domain       string // the apps' domain: localhost
	URL          func(label string) string
	SourceHosts  []string      // hosts of sourceUrl besides Google's that mean this server's storage
	Location     string        // locationId of applications: local
	StartTimeout time.Duration // 0: DefaultStartTimeout

	DeploymentIDs *sunya.DeploymentIDs // shared by all products; nil: its own

	Now   func() time.Time
	NewID func() string // unique, [a-z0-9-]: the last part of an operation's name
}

// DefaultStartTimeout is how long a program may take until it listens: what
// Cloud Run's default startup probe allows (container contract). One that
// listens on another port is given up long before.
const DefaultStartTimeout = 240 * time.Second

// Admin is the administration of all applications. It is safe for concurrent
// use.
type Admin struct {
	Parts

	// mu orders the changes of one server, so that what was checked still
	// holds when it is written.
	mu sync.Mutex
}

// New returns an Admin.
func New(p Parts) *Admin {
	if p.StartTimeout == 0 {
		p.StartTimeout = DefaultStartTimeout
	}
	if p.DeploymentIDs == nil {
		p.DeploymentIDs = new(sunya.DeploymentIDs)
	}
	return &Admin{Parts: p}
}

// operation returns a new operation of a project.
func (a *Admin) operation(project, method, target, user string) *sunya.Operation {
	return &sunya.Operation{
		Name:       "apps/" + project + "/operations/" + a.NewID(),
		Method:     "google.appengine.v1." + method,
		Target:     target,
		User:       user,
		CreateTime: a.Now(),
	}
}

// finished stores an operation that is done already.
func (a *Admin) finished(ctx context.Context, op *sunya.Operation) (*sunya.Operation, error) {
	op.Done, op.EndTime = true, op.CreateTime
	if err := a.Operations.Put(ctx, op); err != nil {
		return nil, err
	}
	return op, nil
}

// found turns a NotFound error into ok == false.
func found(err error) (ok bool, other error) {
	if err == nil {
		return true, nil
	}
	if sunya.CodeOf(err) == sunya.NotFound {
		return false, nil
	}
	return false, err
}
