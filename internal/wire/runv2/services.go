package runv2

import (
	"context"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/page"
	"github.com/sunya-cloud/sunya/internal/wire/runmodel"
)

// services implements google.cloud.run.v2.Services.
type services struct {
	runpb.UnimplementedServicesServer
	*API
}

const servicesMethods = "google.cloud.run.v2.Services."

// GetService implements the service.
func (a *services) GetService(ctx context.Context, req *runpb.GetServiceRequest) (*runpb.Service, error) {
	k, err := parseService("name", req.GetName())
	if err != nil {
		return nil, err
	}
	s, err := a.Admin.Service(ctx, k)
	if err != nil {
		return nil, err
	}
	return a.show.Service(s)
}

// ListServices implements the service. Services are deleted at once: there are
// no deleted ones to show.
func (a *services) ListServices(ctx context.Context, req *runpb.ListServicesRequest) (*runpb.ListServicesResponse, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), req.GetParent())
	if err != nil {
		return nil, err
	}
	all, err := a.Admin.Services(ctx, project, location, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &runpb.ListServicesResponse{}
	if len(all) > size {
		all = all[:size]
		last := all[size-1]
		out.NextPageToken = page.Token(last.Location+"/"+last.ID, req.GetParent())
	}
	for i := range all {
		s, err := a.show.Service(&all[i])
		if err != nil {
			return nil, err
		}
		out.Services = append(out.Services, s)
	}
	return out, nil
}

// CreateService implements the service.
func (a *services) CreateService(ctx context.Context, req *runpb.CreateServiceRequest) (*longrunningpb.Operation, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	if req.GetService() == nil {
		return nil, sunya.Invalid("service", "is missing")
	}
	if req.GetServiceId() == "" {
		return nil, sunya.Invalid("service_id", "is missing: name the service")
	}
	k := run.Key{Project: project, Location: location, ID: req.GetServiceId()}
	return a.operation(a.Admin.Create(ctx, k, func(*run.Service) (run.Spec, []string, error) {
		return decode(k, req.GetService())
	}, run.Request{Method: servicesMethods + "CreateService", ValidateOnly: req.GetValidateOnly()}))
}

// UpdateService implements the service. An empty mask replaces all that a user
// can say.
func (a *services) UpdateService(ctx context.Context, req *runpb.UpdateServiceRequest) (*longrunningpb.Operation, error) {
	k, err := parseService("service.name", req.GetService().GetName())
	if err != nil {
		return nil, err
	}
	paths, err := fieldmask.Paths(req.GetUpdateMask(), req.GetService())
	if err != nil {
		return nil, err
	}
	r := run.Request{
		Method: servicesMethods + "UpdateService", ETag: req.GetService().GetEtag(),
		ValidateOnly: req.GetValidateOnly(), AllowMissing: req.GetAllowMissing(),
	}
	return a.operation(a.Admin.Update(ctx, k, func(now *run.Service) (run.Spec, []string, error) {
		want := req.GetService()
		if now != nil && len(paths) > 0 {
			doc, err := runmodel.Document(now)
			if err != nil {
				return run.Spec{}, nil, err
			}
			if err := fieldmask.Apply(doc, want, paths); err != nil {
				return run.Spec{}, nil, err
			}
			want = doc
		}
		return decode(k, want)
	}, r))
}

// DeleteService implements the service.
func (a *services) DeleteService(ctx context.Context, req *runpb.DeleteServiceRequest) (*longrunningpb.Operation, error) {
	k, err := parseService("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return a.operation(a.Admin.Delete(ctx, k, run.Request{
		Method: servicesMethods + "DeleteService", ETag: req.GetEtag(), ValidateOnly: req.GetValidateOnly(),
	}))
}

// operation takes what a method of Admin returns.
func (a *services) operation(r run.Result, err error) (*longrunningpb.Operation, error) {
	if err != nil {
		return nil, err
	}
	s, err := a.show.Service(r.Service)
	if err != nil {
		return nil, err
	}
	return lro.Of(r.Operation, s)
}

// decode is runmodel.Service with v2's own rules.
func decode(k run.Key, m *runpb.Service) (run.Spec, []string, error) {
	err := checkReserved(map[string]map[string]string{
		"service.labels":               m.GetLabels(),
		"service.annotations":          m.GetAnnotations(),
		"service.template.labels":      m.GetTemplate().GetLabels(),
		"service.template.annotations": m.GetTemplate().GetAnnotations(),
	})
	if err != nil {
		return run.Spec{}, nil, err
	}
	return runmodel.Service(k, m)
}

// checkReserved holds for labels and annotations, by the field that they are in.
func checkReserved(fields map[string]map[string]string) error {
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		for _, key := range slices.Sorted(maps.Keys(fields[field])) {
			if reserved(key) {
				return sunya.Invalid(field, "%s is the system's: v2 has a field for what it says", key)
			}
		}
	}
	return nil
}

// reserved reports whether a label or annotation is of a namespace that v2 has
// fields for instead (google.cloud.run.v2.Service.annotations).
func reserved(key string) bool {
	prefix, _, ok := strings.Cut(key, "/")
	return ok && slices.ContainsFunc([]string{"run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev"}, func(own string) bool {
		return prefix == own || strings.HasSuffix(prefix, "."+own)
	})
}
