package runv1

import (
	"context"

	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/wire/runmodel"
)

// methods is what operations are called that this API begins: they are v2's.
const methods = "google.cloud.run.v2.Services."

// key names the service of a call. Where nobody names the region, it is that of
// the service that has the name, or the default one.
func (a *API) key(ctx context.Context, r *request, id string) (run.Key, error) {
	k := run.Key{Project: r.project, Location: r.locationOr(a.Location), ID: id}
	if r.location != "" {
		return k, nil
	}
	all, err := a.services(ctx, r)
	if err != nil {
		return k, err
	}
	for i := range all {
		if all[i].ID == id {
			return all[i].Key, nil
		}
	}
	return k, nil
}

// services are all services of a call's project and location.
func (a *API) services(ctx context.Context, r *request) ([]run.Service, error) {
	if err := sunya.CheckProject(r.project); err != nil {
		return nil, err
	}
	return a.Admin.Services(ctx, r.project, r.locationOr("-"), "", everything)
}

// everything is more than any list of the model holds.
const everything = 1 << 20

func (a *API) getService(ctx context.Context, r *request) (any, error) {
	k, err := a.key(ctx, r, r.id)
	if err != nil {
		return nil, err
	}
	s, err := a.Admin.Service(ctx, k)
	if err != nil {
		return nil, err
	}
	return a.encode(s)
}

func (a *API) encode(s *run.Service) (*knative.Service, error) {
	m, err := a.show.Service(s)
	if err != nil {
		return nil, err
	}
	return encodeService(s.Key, m), nil
}

func (a *API) listServices(ctx context.Context, r *request) (any, error) {
	all, err := a.services(ctx, r)
	if err != nil {
		return nil, err
	}
	items := make([]*knative.Service, len(all))
	for i := range all {
		if items[i], err = a.encode(&all[i]); err != nil {
			return nil, err
		}
	}
	items, meta, err := paged(r, items, func(s *knative.Service) *knative.ObjectMeta { return s.Metadata })
	if err != nil {
		return nil, err
	}
	return &knative.ListServicesResponse{ApiVersion: servingVersion, Kind: "ServiceList", Metadata: meta, Items: items}, nil
}

func (a *API) createService(ctx context.Context, r *request) (any, error) {
	m, k, err := a.readService(r)
	if err != nil {
		return nil, err
	}
	dry, err := r.dryRun()
	if err != nil {
		return nil, err
	}
	res, err := a.Admin.Create(ctx, k, made(k, m), run.Request{Method: methods + "CreateService", ValidateOnly: dry})
	if err != nil {
		return nil, err
	}
	return a.encode(res.Service)
}

func (a *API) replaceService(ctx context.Context, r *request) (any, error) {
	m, _, err := a.readService(r)
	if err != nil {
		return nil, err
	}
	k, err := a.key(ctx, r, r.id)
	if err != nil {
		return nil, err
	}
	dry, err := r.dryRun()
	if err != nil {
		return nil, err
	}
	res, err := a.Admin.Update(ctx, k, made(k, m), run.Request{Method: methods + "UpdateService", ETag: m.GetEtag(), ValidateOnly: dry})
	if err != nil {
		return nil, err
	}
	return a.encode(res.Service)
}

// made is the model of a message, whatever service there is: all of it is
// replaced.
func made(k run.Key, m *runpb.Service) run.Make {
	return func(*run.Service) (run.Spec, []string, error) { return runmodel.Service(k, m) }
}

// readService reads the service that a call carries, and where it goes. A label
// names the region where the path and the host do not.
func (a *API) readService(r *request) (*runpb.Service, run.Key, error) {
	var doc knative.Service
	if err := r.read(&doc); err != nil {
		return nil, run.Key{}, err
	}
	m, err := decodeService(r.project, r.id, &doc)
	if err != nil {
		return nil, run.Key{}, err
	}
	named := doc.Metadata.Labels[locationLabel]
	if r.location != "" && named != "" && named != r.location {
		return nil, run.Key{}, sunya.Invalid(at("metadata.labels", locationLabel), "%q is not the region of the request, which is %q: leave it out", named, r.location)
	}
	k := run.Key{Project: r.project, Location: r.locationOr(named), ID: doc.Metadata.Name}
	if k.Location == "" {
		k.Location = a.Location
	}
	return m, k, nil
}

func (a *API) deleteService(ctx context.Context, r *request) (any, error) {
	k, err := a.key(ctx, r, r.id)
	if err != nil {
		return nil, err
	}
	dry, err := r.dryRun()
	if err != nil {
		return nil, err
	}
	if _, err := a.Admin.Delete(ctx, k, run.Request{Method: methods + "DeleteService", ValidateOnly: dry}); err != nil {
		return nil, err
	}
	return success(), nil
}

// success is what a deletion answers.
func success() *knative.Status { return &knative.Status{Status: "Success"} }
