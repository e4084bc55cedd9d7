package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appengine "cloud.google.com/go/appengine/apiv1"
	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/internal/core/appyaml"
)

// admin is App Engine's admin API for one project.
type admin struct {
	project   string
	apps      *appengine.ApplicationsClient
	services  *appengine.ServicesClient
	versions  *appengine.VersionsClient
	instances *appengine.InstancesClient
}

func (c *client) admin(ctx context.Context) (*admin, error) {
	conn := option.WithGRPCConn(c.conn)
	apps, err := appengine.NewApplicationsClient(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	services, err := appengine.NewServicesClient(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	versions, err := appengine.NewVersionsClient(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	instances, err := appengine.NewInstancesClient(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &admin{c.project, apps, services, versions, instances}, nil
}

func (a *admin) appName() string                 { return "apps/" + a.project }
func (a *admin) serviceName(s string) string     { return a.appName() + "/services/" + s }
func (a *admin) versionName(s, v string) string  { return a.serviceName(s) + "/versions/" + v }
func hostOf(app *appenginepb.Application) string { return app.GetDefaultHostname() }

func (a *admin) application(ctx context.Context) (*appenginepb.Application, error) {
	return a.apps.GetApplication(ctx, &appenginepb.GetApplicationRequest{Name: a.appName()})
}

func (a *admin) service(ctx context.Context, id string) (*appenginepb.Service, error) {
	return a.services.GetService(ctx, &appenginepb.GetServiceRequest{Name: a.serviceName(id)})
}

func (a *admin) listServices(ctx context.Context) ([]*appenginepb.Service, error) {
	return collect(a.services.ListServices(ctx, &appenginepb.ListServicesRequest{Parent: a.appName(), PageSize: 100}).Next)
}

func (a *admin) listVersions(ctx context.Context, service string) ([]*appenginepb.Version, error) {
	return collect(a.versions.ListVersions(ctx, &appenginepb.ListVersionsRequest{
		Parent:   a.serviceName(service),
		View:     appenginepb.VersionView_BASIC,
		PageSize: 100,
	}).Next)
}

func (a *admin) version(ctx context.Context, service, id string) (*appenginepb.Version, error) {
	return a.versions.GetVersion(ctx, &appenginepb.GetVersionRequest{
		Name: a.versionName(service, id),
		View: appenginepb.VersionView_FULL,
	})
}

// promote sends all of a service's traffic to one version.
func (a *admin) promote(ctx context.Context, service, version string) error {
	return a.setSplit(ctx, service, &appenginepb.TrafficSplit{Allocations: map[string]float64{version: 1}}, false)
}

// setSplit shares a service's traffic out and waits until that is done.
func (a *admin) setSplit(ctx context.Context, service string, split *appenginepb.TrafficSplit, migrate bool) error {
	op, err := a.services.UpdateService(ctx, &appenginepb.UpdateServiceRequest{
		Name:           a.serviceName(service),
		Service:        &appenginepb.Service{Split: split},
		UpdateMask:     &fieldmaskpb.FieldMask{Paths: []string{"split"}},
		MigrateTraffic: migrate,
	})
	if err != nil {
		return err
	}
	_, err = a.wait(ctx, op.Name(), nil)
	return err
}

// setStatus lets a version serve or not, and waits until it does.
func (a *admin) setStatus(ctx context.Context, service, version string, status appenginepb.ServingStatus) error {
	op, err := a.versions.UpdateVersion(ctx, &appenginepb.UpdateVersionRequest{
		Name:       a.versionName(service, version),
		Version:    &appenginepb.Version{ServingStatus: status},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"serving_status"}},
	})
	if err != nil {
		return err
	}
	_, err = a.wait(ctx, op.Name(), nil)
	return err
}

// setDispatch replaces the app's dispatch rules.
func (a *admin) setDispatch(ctx context.Context, rules []appyaml.DispatchRule) error {
	app := &appenginepb.Application{}
	for _, r := range rules {
		app.DispatchRules = append(app.DispatchRules, &appenginepb.UrlDispatchRule{Domain: r.Domain, Path: r.Path, Service: r.Service})
	}
	op, err := a.apps.UpdateApplication(ctx, &appenginepb.UpdateApplicationRequest{
		Name:        a.appName(),
		Application: app,
		UpdateMask:  &fieldmaskpb.FieldMask{Paths: []string{"dispatch_rules"}},
	})
	if err != nil {
		return err
	}
	_, err = a.wait(ctx, op.Name(), nil)
	return err
}

// operation asks for the state of long work once.
func (a *admin) operation(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return a.versions.LROClient.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
}

// hosts returns the host of a service, or of one of its versions.
func serviceHost(app *appenginepb.Application, service string) string {
	if service == "default" {
		return hostOf(app)
	}
	return service + "-dot-" + hostOf(app)
}

func versionHost(app *appenginepb.Application, service, version string) string {
	return version + "-dot-" + serviceHost(app, service)
}

// collect reads an iterator to its end.
func collect[T any](next func() (T, error)) ([]T, error) {
	var out []T
	for {
		item, err := next()
		if errors.Is(err, iterator.Done) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
}

// share is the part of a service's traffic that a version gets.
func share(s *appenginepb.Service, version string) float64 {
	return s.GetSplit().GetAllocations()[version]
}

// serving names the versions that get traffic, the largest share first.
func serving(s *appenginepb.Service) []string {
	split := s.GetSplit().GetAllocations()
	var ids []string
	for id, part := range split {
		if part > 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		if split[a] != split[b] {
			if split[a] > split[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for i, id := range ids {
		ids[i] = fmt.Sprintf("%s %s", percent(split[id]), id)
	}
	return ids
}

func percent(part float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", part*100), ".0") + " %"
}
