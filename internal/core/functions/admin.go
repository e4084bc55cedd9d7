package functions

import (
	"context"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Store keeps functions. A method that writes returns after the write is
// durable; each call is atomic.
type Store interface {
	GetFunction(ctx context.Context, k Key) (*Function, error) // NotFound
	// ListFunctions returns the functions of a project in byte order of their
	// locations and ids, at most limit, beginning after the name after
	// (LOCATION/ID). An empty location stands for all.
	ListFunctions(ctx context.Context, project, location, after string, limit int) ([]Function, error)
	// BeginFunctionDeploy writes all three or nothing: the function (created or
	// replaced), the operation that clients wait for, and the deployment. It is
	// Aborted, and writes nothing, when the stored function has another
	// Deployment in progress, and AlreadyExists when a service of Cloud Run has
	// the function's name.
	BeginFunctionDeploy(ctx context.Context, f *Function, op *sunya.Operation, d *sunya.Deployment) error
	PutFunction(ctx context.Context, f *Function) error
	// DeleteFunction of a function that is gone is not an error.
	DeleteFunction(ctx context.Context, k Key) error
}

// Catalog is what this package needs of the serving core.
type Catalog interface {
	Table() *serving.Table
	Service(name string) (sunya.Service, bool)
	Apply(ctx context.Context, c serving.Change) error
	Update(ctx context.Context, service string, f func(now sunya.Service) (serving.Change, error)) error
}

// Operations keeps the operations that are done at once.
type Operations interface {
	Put(ctx context.Context, op *sunya.Operation) error
}

// Objects finds sources.
type Objects interface {
	GetObject(ctx context.Context, bucket, name string) (*objects.Object, error) // NotFound
}

// Parts is what an Admin works with.
type Parts struct {
	Store      Store
	Catalog    Catalog
	Operations Operations
	Objects    Objects
	Triggers   Triggers
	// CheckRuntime reports whether a runtime can be built here; its error says
	// why not.
	CheckRuntime func(runtime string) error
	// Kick tells the deploy runner that a deployment was stored.
	Kick         func()
	StartTimeout time.Duration // 0: 240 s

	DeploymentIDs *sunya.DeploymentIDs // shared by all products; nil: its own

	Now   func() time.Time
	NewID func() string // unique, [a-z0-9-]: the last part of an operation's name
}

// Admin is the administration of all functions. It is safe for concurrent use.
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

// Function returns one function.
func (a *Admin) Function(ctx context.Context, k Key) (*Function, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	f, err := a.stored(ctx, k)
	if err == nil && f == nil {
		err = sunya.Errorf(sunya.NotFound, k.Name(), "function not found")
	}
	return f, err
}

// Functions returns those functions of a location, "-" for all, that keep says
// yes to (nil: all), in order, at most limit, beginning after LOCATION/ID.
func (a *Admin) Functions(ctx context.Context, project, location, after string, limit int, keep func(*Function) bool) ([]Function, error) {
	if location == "-" {
		location = ""
	} else if err := sunya.CheckLocation(project, location); err != nil {
		return nil, err
	}
	var out []Function
	for {
		fs, err := a.Store.ListFunctions(ctx, project, location, after, limit)
		if err != nil {
			return nil, err
		}
		for i := range fs {
			after = fs[i].Location + "/" + fs[i].ID
			if keep == nil || keep(&fs[i]) {
				out = append(out, fs[i])
			}
			if len(out) == limit {
				return out, nil
			}
		}
		if len(fs) < limit {
			return out, nil
		}
	}
}

// stored returns a function, or nil when there is none.
func (a *Admin) stored(ctx context.Context, k Key) (*Function, error) {
	f, err := a.Store.GetFunction(ctx, k)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil, nil
	}
	return f, err
}

// operation returns a new operation on a function.
func (a *Admin) operation(k Key, firstGen bool, method, user string) *sunya.Operation {
	parent, service := sunya.LocationName(k.Project, k.Location)+"/", "google.cloud.functions.v2.FunctionService."
	if firstGen {
		parent, service = "", "google.cloud.functions.v1.CloudFunctionsService."
	}
	return &sunya.Operation{
		Name:       parent + "operations/" + a.NewID(),
		Method:     service + method,
		Target:     k.Name(),
		User:       user,
		CreateTime: a.Now(),
	}
}

// inProgress answers whoever wants to change a function while it is deployed.
func inProgress(f *Function) error {
	return sunya.Errorf(sunya.Aborted, f.Name(), "an operation is already in progress (deployment %s): wait for it and try again", f.Deployment)
}
