package appenginev1

import (
	"context"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

type services struct{ *API }

func (s services) ListServices(ctx context.Context, req *appenginepb.ListServicesRequest) (*appenginepb.ListServicesResponse, error) {
	project, err := parseApp("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	size, after, err := pageOf(req, req.GetParent())
	if err != nil {
		return nil, err
	}
	svcs, err := s.Admin.Services(ctx, project, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &appenginepb.ListServicesResponse{}
	if len(svcs) > size {
		svcs = svcs[:size]
		out.NextPageToken = page.Token(svcs[size-1].ID, req.GetParent())
	}
	for i := range svcs {
		out.Services = append(out.Services, encodeService(&svcs[i]))
	}
	return out, nil
}

func (s services) GetService(ctx context.Context, req *appenginepb.GetServiceRequest) (*appenginepb.Service, error) {
	project, id, err := parseService("name", req.GetName())
	if err != nil {
		return nil, err
	}
	svc, err := s.Admin.Service(ctx, project, id)
	if err != nil {
		return nil, err
	}
	return encodeService(svc), nil
}

func (s services) UpdateService(ctx context.Context, req *appenginepb.UpdateServiceRequest) (*longrunningpb.Operation, error) {
	project, id, err := parseService("name", req.GetName())
	if err != nil {
		return nil, err
	}
	want := req.GetService()
	if want == nil {
		return nil, sunya.Invalid("service", "is missing")
	}
	paths, err := fieldmask.Paths(req.GetUpdateMask(), want)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, sunya.Invalid("updateMask", "is empty: name the fields to change, such as split")
	}
	for _, p := range paths {
		if err := checkServicePath(req.GetName(), p, want); err != nil {
			return nil, err
		}
	}
	change := splitChange(want, paths)
	if req.GetMigrateTraffic() {
		return s.encode(ctx)(s.Admin.MigrateSplit(ctx, project, id, change, s.User(ctx)))
	}
	return s.encode(ctx)(s.Admin.SetSplit(ctx, project, id, change, s.User(ctx)))
}

// checkServicePath refuses what of a service cannot be changed here. Everybody
// who reaches the listener may call an app, which is what ingress "all" means.
func checkServicePath(name, path string, want *appenginepb.Service) error {
	switch path {
	case "split", "split.allocations", "split.shard_by":
		return nil
	case "network_settings", "network_settings.ingress_traffic_allowed":
		switch want.GetNetworkSettings().GetIngressTrafficAllowed() {
		case appenginepb.NetworkSettings_INGRESS_TRAFFIC_ALLOWED_ALL, appenginepb.NetworkSettings_INGRESS_TRAFFIC_ALLOWED_UNSPECIFIED:
			return nil
		}
		return &sunya.Error{Code: sunya.Unimplemented, Resource: name, Field: "networkSettings.ingressTrafficAllowed", Message: "only all traffic can be allowed: let the server listen on an address that outsiders do not reach (sunya up --listen)"}
	case "id", "name":
		return &sunya.Error{Code: sunya.InvalidArgument, Resource: name, Field: path, Message: "cannot be changed"}
	}
	return &sunya.Error{Code: sunya.Unimplemented, Resource: name, Field: path, Message: "cannot be changed yet: split can"}
}

// splitChange is the present split with the fields of the mask replaced.
func splitChange(want *appenginepb.Service, paths []string) appengine.SplitChange {
	return func(split appengine.Split) (appengine.Split, error) {
		now := encodeService(&appengine.Service{Split: split})
		if err := fieldmask.Apply(now, want, paths); err != nil {
			return appengine.Split{}, err
		}
		return appengine.Split{
			ShardBy:     decodeShardBy(now.GetSplit().GetShardBy()),
			Allocations: now.GetSplit().GetAllocations(),
		}, nil
	}
}

func (s services) DeleteService(ctx context.Context, req *appenginepb.DeleteServiceRequest) (*longrunningpb.Operation, error) {
	project, id, err := parseService("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return s.encode(ctx)(s.Admin.DeleteService(ctx, project, id, s.User(ctx)))
}

func encodeService(svc *appengine.Service) *appenginepb.Service {
	return &appenginepb.Service{
		Name: svc.Name(),
		Id:   svc.ID,
		Split: &appenginepb.TrafficSplit{
			ShardBy:     encodeShardBy(svc.Split.ShardBy),
			Allocations: svc.Split.Allocations,
		},
		NetworkSettings: &appenginepb.NetworkSettings{
			IngressTrafficAllowed: appenginepb.NetworkSettings_INGRESS_TRAFFIC_ALLOWED_ALL,
		},
	}
}

func encodeShardBy(s sunya.ShardBy) appenginepb.TrafficSplit_ShardBy {
	switch s {
	case sunya.ShardByCookie:
		return appenginepb.TrafficSplit_COOKIE
	case sunya.ShardByIP:
		return appenginepb.TrafficSplit_IP
	case sunya.ShardByRandom:
		return appenginepb.TrafficSplit_RANDOM
	}
	return appenginepb.TrafficSplit_UNSPECIFIED
}

func decodeShardBy(s appenginepb.TrafficSplit_ShardBy) sunya.ShardBy {
	switch s {
	case appenginepb.TrafficSplit_COOKIE:
		return sunya.ShardByCookie
	case appenginepb.TrafficSplit_IP:
		return sunya.ShardByIP
	case appenginepb.TrafficSplit_RANDOM:
		return sunya.ShardByRandom
	}
	return ""
}
