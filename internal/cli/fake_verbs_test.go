package cli

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// note keeps what was asked for. The caller holds mu.
func (f *fake) note(format string, args ...any) {
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

// did is work that was done at once.
func did(result proto.Message) (*longrunningpb.Operation, error) {
	out, err := anypb.New(result)
	return &longrunningpb.Operation{Name: "apps/sunya/operations/verb", Done: true, Result: &longrunningpb.Operation_Response{Response: out}}, err
}

func (f *fake) CreateApplication(_ context.Context, r *appenginepb.CreateApplicationRequest) (*longrunningpb.Operation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("create %s in %s", r.GetApplication().GetId(), r.GetApplication().GetLocationId())
	return did(r.GetApplication())
}

func (f *fake) DeleteService(_ context.Context, r *appenginepb.DeleteServiceRequest) (*longrunningpb.Operation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := lastPart(r.GetName())
	f.note("delete %s", id)
	delete(f.split, id)
	maps.DeleteFunc(f.versions, func(k string, _ *appenginepb.Version) bool { return strings.HasPrefix(k, id+"/") })
	return did(&emptypb.Empty{})
}

func (f *fake) UpdateVersion(_ context.Context, r *appenginepb.UpdateVersionRequest) (*longrunningpb.Operation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parts := strings.Split(r.GetName(), "/")
	f.note("%s/%s %s", parts[3], parts[5], r.GetVersion().GetServingStatus())
	v := f.versions[parts[3]+"/"+parts[5]]
	v.ServingStatus = r.GetVersion().GetServingStatus()
	return did(v)
}

func (f *fake) ListInstances(_ context.Context, r *appenginepb.ListInstancesRequest) (*appenginepb.ListInstancesResponse, error) {
	return &appenginepb.ListInstancesResponse{Instances: []*appenginepb.Instance{fakeInstance(r.GetParent() + "/instances/i1")}}, nil
}

func (f *fake) GetInstance(_ context.Context, r *appenginepb.GetInstanceRequest) (*appenginepb.Instance, error) {
	return fakeInstance(r.GetName()), nil
}

func fakeInstance(name string) *appenginepb.Instance {
	return &appenginepb.Instance{
		Name: name, Id: lastPart(name), MemoryUsage: 40 << 20,
		Availability: appenginepb.Instance_DYNAMIC, StartTime: timestamppb.New(testTime.Add(-minute)),
	}
}

func (f *fake) DeleteInstance(_ context.Context, r *appenginepb.DeleteInstanceRequest) (*longrunningpb.Operation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if lastPart(r.GetName()) != "i1" {
		return nil, status.Errorf(codes.NotFound, "%s: instance not found", r.GetName())
	}
	f.note("delete %s", r.GetName())
	return did(&emptypb.Empty{})
}

func (f *fake) ListOperations(_ context.Context, r *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	open, err := f.operationState(r.GetName()+"/operations/op2", false)
	if err != nil {
		return nil, err
	}
	done, err := f.operationState(r.GetName()+"/operations/op1", true)
	return &longrunningpb.ListOperationsResponse{Operations: []*longrunningpb.Operation{open, done}}, err
}
