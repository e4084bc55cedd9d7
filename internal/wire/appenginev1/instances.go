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
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

type instances struct{ *API }

func (s instances) ListInstances(ctx context.Context, req *appenginepb.ListInstancesRequest) (*appenginepb.ListInstancesResponse, error) {
	size, after, err := pageOf(req, req.GetParent())
	if err != nil {
		return nil, err
	}
	all, err := s.running(ctx, "parent", req.GetParent())
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
		out.Instances = append(out.Instances, encodeInstance(req.GetParent(), &all[i]))
	}
	return out, nil
}

func (s instances) GetInstance(ctx context.Context, req *appenginepb.GetInstanceRequest) (*appenginepb.Instance, error) {
	parent, id, ok := strings.Cut(req.GetName(), "/instances/")
	if !ok {
		return nil, sunya.Invalid("name", "%q is not a name of the form apps/*/services/*/versions/*/instances/*", req.GetName())
	}
	all, err := s.running(ctx, "name", parent)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return encodeInstance(parent, &all[i]), nil
		}
	}
	return nil, sunya.Errorf(sunya.NotFound, req.GetName(), "instance not found")
}

func (s instances) DeleteInstance(_ context.Context, req *appenginepb.DeleteInstanceRequest) (*longrunningpb.Operation, error) {
	return nil, sunya.Errorf(sunya.Unimplemented, req.GetName(), "instances cannot be deleted by hand yet: an idle one ends by itself")
}

func (s instances) DebugInstance(_ context.Context, req *appenginepb.DebugInstanceRequest) (*longrunningpb.Operation, error) {
	return nil, sunya.Errorf(sunya.Unimplemented, req.GetName(), "debugging belongs to the flexible environment, which does not exist here")
}

// running returns the instances of a version.
func (s instances) running(ctx context.Context, field, version string) ([]sunya.Instance, error) {
	k, err := parseVersion(field, version)
	if err != nil {
		return nil, err
	}
	v, err := s.Admin.Version(ctx, k)
	if err != nil {
		return nil, err
	}
	if s.Instances == nil {
		return nil, sunya.Errorf(sunya.Unimplemented, version, "this server does not list instances")
	}
	if v.Revision == "" {
		return nil, nil
	}
	return s.Instances(ctx, v.Revision)
}

func encodeInstance(version string, i *sunya.Instance) *appenginepb.Instance {
	return &appenginepb.Instance{
		Name:             version + "/instances/" + i.ID,
		Id:               i.ID,
		AppEngineRelease: "sunya",
		Availability:     appenginepb.Instance_DYNAMIC,
		StartTime:        timestamppb.New(i.StartTime),
	}
}
