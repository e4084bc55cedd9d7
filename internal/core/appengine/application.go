package appengine

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Application is what one project knows about its app.
type Application struct {
	ID         string // the project's id
	Location   string // locationId: local
	CreateTime time.Time
	Document   []byte // the API's own JSON of what was sent, stored and returned

	DispatchRules []DispatchRule // in order, the first that matches wins
}

// CodeBucket is where clients upload the files of a deployment.
func CodeBucket(project string) string { return "staging." + project + ".appspot.com" }

// DefaultBucket is the application's own bucket.
func DefaultBucket(project string) string { return project + ".appspot.com" }

// Hostname returns the application's default host name: PROJECT.DOMAIN.
func (a *Admin) Hostname(project string) string { return label(project) + "." + a.Domain }

// Address returns the default host name with the port under which apps answer
// here, where that is not HTTP's own: clients make URLs of it, as gcloud does
// after a deploy, and have nowhere else to learn the port from.
func (a *Admin) Address(project string) string {
	host := a.Hostname(project)
	u, err := url.Parse(a.URL(label(project)))
	if err != nil || u.Port() == "" {
		return host
	}
	return net.JoinHostPort(host, u.Port())
}

// Application returns a project's application. It exists for every project that
// can have one, with its buckets.
func (a *Admin) Application(ctx context.Context, project string) (*Application, error) {
	if err := CheckApp(project); err != nil {
		return nil, err
	}
	if err := a.ensureBuckets(ctx, project); err != nil {
		return nil, err
	}
	app, err := a.Store.GetApplication(ctx, project)
	ok, err := found(err)
	if err != nil {
		return nil, err
	}
	if !ok {
		app = &Application{ID: project, Location: a.Location}
	}
	return app, nil
}

func (a *Admin) ensureBuckets(ctx context.Context, project string) error {
	if a.EnsureBucket == nil {
		return nil
	}
	for _, b := range []string{CodeBucket(project), DefaultBucket(project)} {
		if err := a.EnsureBucket(ctx, project, b); err != nil {
			return fmt.Errorf("make bucket %s: %w", b, err)
		}
	}
	return nil
}

// CreateApplication stores where an application is. A second time is
// AlreadyExists. The operation is done when it returns.
func (a *Admin) CreateApplication(ctx context.Context, project, location string, document []byte, user string) (*sunya.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := CheckApp(project); err != nil {
		return nil, err
	}
	_, err := a.Store.GetApplication(ctx, project)
	ok, err := found(err)
	if err != nil {
		return nil, err
	}
	if ok {
		return nil, sunya.Errorf(sunya.AlreadyExists, AppName(project), "this application already exists and cannot be re-created")
	}
	if err := a.ensureBuckets(ctx, project); err != nil {
		return nil, err
	}
	app := &Application{ID: project, Location: cmp.Or(location, a.Location), CreateTime: a.Now(), Document: document}
	if err := a.Store.PutApplication(ctx, app); err != nil {
		return nil, err
	}
	return a.finished(ctx, a.operation(project, "Applications.CreateApplication", AppName(project), user))
}

// RepairApplication makes the application's buckets again. The operation is
// done when it returns.
func (a *Admin) RepairApplication(ctx context.Context, project, user string) (*sunya.Operation, error) {
	if _, err := a.Application(ctx, project); err != nil {
		return nil, err
	}
	return a.finished(ctx, a.operation(project, "Applications.RepairApplication", AppName(project), user))
}
