package appengine

import (
	"context"

	"github.com/sunya-cloud/sunya"
)

// Store keeps applications and versions. A method that writes returns after
// the write is durable; each call is atomic. An implementation may keep a
// record as one JSON value: only Project, Service and ID are searched by.
//
// App Engine services have no record of their own: one exists while it has a
// version, and its split is sunya.Service.Traffic in the serving core.
type Store interface {
	// GetApplication is NotFound for an application that nobody has changed;
	// such an application exists all the same, with defaults.
	GetApplication(ctx context.Context, project string) (*Application, error)
	PutApplication(ctx context.Context, a *Application) error

	GetVersion(ctx context.Context, k Key) (*Version, error) // NotFound
	// ListVersions returns the versions of one service in byte order of their
	// ids, at most limit, beginning after the id named after.
	ListVersions(ctx context.Context, project, service, after string, limit int) ([]Version, error)
	// ListServices returns the distinct services that have a version, in byte
	// order, at most limit, beginning after the service named after.
	ListServices(ctx context.Context, project, after string, limit int) ([]string, error)

	// BeginDeploy writes all three or nothing: the version (created or
	// replaced), the operation that clients wait for, and the deployment that
	// the deploy runner finds with deploy.Store.Pending. It is Aborted, and
	// writes nothing, when the stored version has another Deployment in
	// progress.
	BeginDeploy(ctx context.Context, v *Version, op *sunya.Operation, d *sunya.Deployment) error
	// PutVersion replaces a version: the end of a deploy, a changed status.
	PutVersion(ctx context.Context, v *Version) error
	// DeleteVersion of a version that is gone is not an error.
	DeleteVersion(ctx context.Context, k Key) error
}
