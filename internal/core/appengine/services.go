package appengine

import (
	"context"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Service is a service and its split as App Engine shows it.
type Service struct {
	Project string
	ID      string
	Split   Split
}

// Name returns the resource name of the service.
func (s *Service) Name() string { return ServiceName(s.Project, s.ID) }

// Service returns one service.
func (a *Admin) Service(ctx context.Context, project, id string) (*Service, error) {
	if err := a.checkService(ctx, project, id); err != nil {
		return nil, err
	}
	return a.service(project, id), nil
}

// Services returns the services of a project in the order of their ids, at
// most limit, beginning after the id named after.
func (a *Admin) Services(ctx context.Context, project, after string, limit int) ([]Service, error) {
	if err := CheckApp(project); err != nil {
		return nil, err
	}
	ids, err := a.Store.ListServices(ctx, project, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Service, len(ids))
	for i, id := range ids {
		out[i] = *a.service(project, id)
	}
	return out, nil
}

// service shows a service that is known to exist. Before its first version is
// ready it has no split.
func (a *Admin) service(project, id string) *Service {
	svc, _ := a.Catalog.Service(ServiceName(project, id))
	return &Service{Project: project, ID: id, Split: splitOf(svc.Traffic)}
}

// checkService is NotFound for a service without a version.
func (a *Admin) checkService(ctx context.Context, project, id string) error {
	if err := CheckApp(project); err != nil {
		return err
	}
	if err := CheckService(id); err != nil {
		return err
	}
	has, err := a.hasService(ctx, project, id)
	if err == nil && !has {
		err = sunya.Errorf(sunya.NotFound, ServiceName(project, id), "service not found")
	}
	return err
}

// DeleteService deletes a service with all its versions. The operation is done
// when it returns.
func (a *Admin) DeleteService(ctx context.Context, project, id, user string) (*sunya.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.checkService(ctx, project, id); err != nil {
		return nil, err
	}
	name := ServiceName(project, id)
	if id == DefaultService {
		return nil, sunya.Errorf(sunya.FailedPrecondition, name, "the default service (module) may not be deleted: deploy another version to replace it")
	}
	vs, err := a.allVersions(ctx, project, id)
	if err != nil {
		return nil, err
	}
	for i := range vs {
		if vs[i].Deployment != "" {
			return nil, inProgress(&vs[i])
		}
	}
	if err := a.Catalog.Apply(ctx, serving.Change{DeleteServices: []string{name}}); err != nil {
		return nil, err
	}
	for i := range vs {
		if err := a.Store.DeleteVersion(ctx, vs[i].Key); err != nil {
			return nil, err
		}
	}
	return a.finished(ctx, a.operation(project, "Services.DeleteService", name, user))
}

// pageOf is how many versions are read at once.
const pageOf = 100

func (a *Admin) allVersions(ctx context.Context, project, service string) ([]Version, error) {
	var all []Version
	after := ""
	for {
		vs, err := a.Store.ListVersions(ctx, project, service, after, pageOf)
		if err != nil {
			return nil, err
		}
		all = append(all, vs...)
		if len(vs) < pageOf {
			return all, nil
		}
		after = vs[len(vs)-1].ID
	}
}

// versionOf returns the id of the version that a revision belongs to:
// apps/P/services/S/versions/V/DEPLOYMENT.
func versionOf(revision string) string {
	parts := strings.Split(revision, "/")
	if len(parts) != 7 {
		return revision
	}
	return parts[5]
}
