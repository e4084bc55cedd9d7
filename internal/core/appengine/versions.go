package appengine

import (
	"context"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Version returns one version.
func (a *Admin) Version(ctx context.Context, k Key) (*Version, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	v, err := a.stored(ctx, k)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, sunya.Errorf(sunya.NotFound, k.Name(), "version not found")
	}
	return v, nil
}

// Versions returns the versions of a service in the order of their ids, at
// most limit, beginning after the id named after. A service that does not
// exist is NotFound.
func (a *Admin) Versions(ctx context.Context, project, service, after string, limit int) ([]Version, error) {
	if err := a.checkService(ctx, project, service); err != nil {
		return nil, err
	}
	return a.Store.ListVersions(ctx, project, service, after, limit)
}

// VersionURL returns where a version answers.
func (a *Admin) VersionURL(k Key) string { return a.URL(k.Label()) }

// DeleteVersion deletes a version that has no traffic. The operation is done
// when it returns.
func (a *Admin) DeleteVersion(ctx context.Context, k Key, user string) (*sunya.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, err := a.Version(ctx, k)
	if err != nil {
		return nil, err
	}
	if err := a.checkUnused(ctx, v); err != nil {
		return nil, err
	}
	if err := a.remove(ctx, v); err != nil {
		return nil, err
	}
	return a.finished(ctx, a.operation(k.Project, "Versions.DeleteVersion", k.Name(), user))
}

func (a *Admin) checkUnused(ctx context.Context, v *Version) error {
	if v.Deployment != "" {
		return inProgress(v)
	}
	svc, _ := a.Catalog.Service(ServiceName(v.Project, v.Service))
	for _, t := range svc.Traffic.Targets {
		if t.Revision == v.Revision && v.Revision != "" {
			return sunya.Errorf(sunya.FailedPrecondition, v.Name(), "cannot delete a version that serves traffic: give its traffic to another version first")
		}
	}
	for _, t := range svc.Traffic.Goal {
		if t.Revision == v.Revision {
			return sunya.Errorf(sunya.FailedPrecondition, v.Name(), "cannot delete a version that traffic is on its way to: wait, or give the traffic to another version first")
		}
	}
	vs, err := a.Store.ListVersions(ctx, v.Project, v.Service, "", 2)
	if err == nil && len(vs) == 1 {
		err = sunya.Errorf(sunya.FailedPrecondition, v.Name(), "cannot delete the last version of a service: delete the service instead")
	}
	return err
}

// remove takes a version out of the serving core first, so that a crash in
// between leaves a record that can be deleted again.
func (a *Admin) remove(ctx context.Context, v *Version) error {
	change := serving.Change{DeleteHosts: []string{v.Label()}}
	if v.Revision != "" {
		change.DeleteRevisions = []string{v.Revision}
	}
	if v.Service == DefaultService {
		taken, err := a.hasService(ctx, v.Project, v.ID)
		if err != nil {
			return err
		}
		if !taken {
			change.DeleteHosts = append(change.DeleteHosts, v.shortLabel())
		}
	}
	if err := a.Catalog.Apply(ctx, change); err != nil {
		return err
	}
	return a.Store.DeleteVersion(ctx, v.Key)
}
