package runv1

import (
	"context"
	"slices"

	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya/internal/core/run"
)

// A route and a configuration are what Knative makes of a service: its traffic,
// and its template. Here they are views of it.

func (a *API) getRoute(ctx context.Context, r *request) (any, error) {
	return viewOne(ctx, a, r, encodeRoute)
}

func (a *API) listRoutes(ctx context.Context, r *request) (any, error) {
	items, meta, err := viewAll(ctx, a, r, encodeRoute, func(o *knative.Route) *knative.ObjectMeta { return o.Metadata })
	if err != nil {
		return nil, err
	}
	return &knative.ListRoutesResponse{ApiVersion: servingVersion, Kind: "RouteList", Metadata: meta, Items: items}, nil
}

func (a *API) getConfiguration(ctx context.Context, r *request) (any, error) {
	return viewOne(ctx, a, r, encodeConfiguration)
}

func (a *API) listConfigurations(ctx context.Context, r *request) (any, error) {
	items, meta, err := viewAll(ctx, a, r, encodeConfiguration, func(o *knative.Configuration) *knative.ObjectMeta { return o.Metadata })
	if err != nil {
		return nil, err
	}
	return &knative.ListConfigurationsResponse{ApiVersion: servingVersion, Kind: "ConfigurationList", Metadata: meta, Items: items}, nil
}

// viewOne shows one service in another form.
func viewOne[T any](ctx context.Context, a *API, r *request, show func(run.Key, *runpb.Service) T) (any, error) {
	k, err := a.key(ctx, r, r.id)
	if err != nil {
		return nil, err
	}
	s, err := a.Admin.Service(ctx, k)
	if err != nil {
		return nil, err
	}
	m, err := a.show.Service(s)
	if err != nil {
		return nil, err
	}
	return show(k, m), nil
}

// viewAll shows a page of services in another form.
func viewAll[T any](ctx context.Context, a *API, r *request, show func(run.Key, *runpb.Service) T, meta func(T) *knative.ObjectMeta) ([]T, *knative.ListMeta, error) {
	all, err := a.services(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	var items []T
	for i := range all {
		m, err := a.show.Service(&all[i])
		if err != nil {
			return nil, nil, err
		}
		items = append(items, show(all[i].Key, m))
	}
	return paged(r, items, meta)
}

// viewMeta is the metadata of a view of a service.
func viewMeta(k run.Key, collection string, m *runpb.Service) *knative.ObjectMeta {
	meta := metaOf(k.Project, collection, k.ID, m)
	meta.Labels = withLabels(m.GetLabels(), locationLabel, k.Location, serviceLabel, k.ID)
	meta.OwnerReferences = []*knative.OwnerReference{{ApiVersion: servingVersion, Kind: serviceKind, Name: k.ID, Uid: m.GetUid(), Controller: true, BlockOwnerDeletion: true}}
	return meta
}

func encodeRoute(k run.Key, m *runpb.Service) *knative.Route {
	s := encodeService(k, m)
	return &knative.Route{
		ApiVersion: servingVersion, Kind: "Route", Metadata: viewMeta(k, "routes", m),
		Spec: &knative.RouteSpec{Traffic: s.Spec.Traffic},
		Status: &knative.RouteStatus{
			ObservedGeneration: m.GetObservedGeneration(), Url: m.GetUri(), Address: s.Status.Address, Traffic: s.Status.Traffic,
			Conditions: readyBy(m, run.ConditionRoutes),
		},
	}
}

func encodeConfiguration(k run.Key, m *runpb.Service) *knative.Configuration {
	s := encodeService(k, m)
	return &knative.Configuration{
		ApiVersion: servingVersion, Kind: "Configuration", Metadata: viewMeta(k, "configurations", m),
		Spec: &knative.ConfigurationSpec{Template: s.Spec.Template},
		Status: &knative.ConfigurationStatus{
			ObservedGeneration: m.GetObservedGeneration(), LatestCreatedRevisionName: s.Status.LatestCreatedRevisionName,
			LatestReadyRevisionName: s.Status.LatestReadyRevisionName, Conditions: readyBy(m, run.ConditionConfiguration),
		},
	}
}

// readyBy is the Ready of a view: one of the service's conditions.
func readyBy(m *runpb.Service, kind string) []*knative.GoogleCloudRunV1Condition {
	i := slices.IndexFunc(m.GetConditions(), func(c *runpb.Condition) bool { return c.GetType() == kind })
	if i < 0 {
		return nil
	}
	out := encodeConditions(m.GetConditions()[i : i+1])
	out[0].Type = run.ConditionReady
	return out
}
