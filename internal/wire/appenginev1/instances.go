package appenginev1

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

type instances struct{ *API }

func (s instances) ListInstances(ctx context.Context, req *appenginepb.ListInstancesRequest) (*appenginepb.ListInstancesResponse, error) {
	size, after, err := pageOf(req, req.GetParent())
	if err != nil {
		return nil, err
	}
	v, all, err := s.running(ctx, "parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y sunya.Instance) int { return cmp.Compare(x.ID, y.ID) })
	out := &appenginepb.ListInstancesResponse{}
	for i := range all {
		if all[i].ID <= after {
			continue
		}
		if len(out.Instances) == size {
			out.NextPageToken = page.Token(out.Instances[size-1].Id, req.GetParent())
			break
		}
		out.Instances = append(out.Instances, s.encodeInstance(ctx, v, &all[i]))
	}
	return out, nil
}

func (s instances) GetInstance(ctx context.Context, req *appenginepb.GetInstanceRequest) (*appenginepb.Instance, error) {
	parent, id, ok := strings.Cut(req.GetName(), "/instances/")
	if !ok {
		return nil, sunya.Invalid("name", "%q is not a name of the form apps/*/services/*/versions/*/instances/*", req.GetName())
	}
	v, all, err := s.running(ctx, "name", parent)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return s.encodeInstance(ctx, v, &all[i]), nil
		}
	}
	return nil, sunya.Errorf(sunya.NotFound, req.GetName(), "instance not found")
}

func (s instances) DeleteInstance(ctx context.Context, req *appenginepb.DeleteInstanceRequest) (*longrunningpb.Operation, error) {
	ids, err := split("name", req.GetName(), "apps", "services", "versions", "instances")
	if err != nil {
		return nil, err
	}
	k := appengine.Key{Project: ids[0], Service: ids[1], ID: ids[2]}
	return s.encode(ctx)(s.Admin.DeleteInstance(ctx, k, ids[3], s.User(ctx)))
}

func (s instances) DebugInstance(_ context.Context, req *appenginepb.DebugInstanceRequest) (*longrunningpb.Operation, error) {
	return nil, sunya.Errorf(sunya.Unimplemented, req.GetName(), "debugging belongs to the flexible environment, which does not exist here")
}

// running returns a version and its instances.
func (s instances) running(ctx context.Context, field, version string) (*appengine.Version, []sunya.Instance, error) {
	k, err := parseVersion(field, version)
	if err != nil {
		return nil, nil, err
	}
	v, err := s.Admin.Version(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	if s.Instances == nil {
		return nil, nil, sunya.Errorf(sunya.Unimplemented, version, "this server does not list instances")
	}
	if v.Revision == "" {
		return v, nil, nil
	}
	all, err := s.Instances(ctx, v.Revision)
	return v, all, err
}

// encodeInstance shows an instance. Those of manual scaling are resident: they
// do not come and go with the requests.
func (s instances) encodeInstance(ctx context.Context, v *appengine.Version, i *sunya.Instance) *appenginepb.Instance {
	out := &appenginepb.Instance{
		Name:             v.Name() + "/instances/" + i.ID,
		Id:               i.ID,
		AppEngineRelease: "sunya",
		Availability:     appenginepb.Instance_DYNAMIC,
		StartTime:        timestamppb.New(i.StartTime),
	}
	if v.Scaling.Manual != nil {
		out.Availability = appenginepb.Instance_RESIDENT
	}
	if s.MemoryBytes != nil {
		out.MemoryUsage = s.MemoryBytes(ctx, i.ID)
	}
	return out
}
