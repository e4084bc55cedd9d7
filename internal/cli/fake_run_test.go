package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"
	"google.golang.org/api/storage/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// fakeRun is what a server says about Cloud Run. Its fake's mu guards it.
type fakeRun struct {
	runpb.UnimplementedServicesServer
	f *fake

	services map[string]*runpb.Service // by name
	policies map[string]*iampb.Policy
	builds   []*runpb.SubmitBuildRequest
	updates  []*runpb.UpdateServiceRequest
	replaced []string // bodies of Knative's form
}

// fakeRevisions and fakeBuilds have methods that fakeRun has already.
type (
	fakeRevisions struct {
		runpb.UnimplementedRevisionsServer
		*fakeRun
	}
	fakeBuilds struct {
		runpb.UnimplementedBuildsServer
		*fakeRun
	}
)

func newFakeRun(f *fake, rpc *grpc.Server) *fakeRun {
	r := &fakeRun{f: f, services: map[string]*runpb.Service{}, policies: map[string]*iampb.Policy{}}
	runpb.RegisterServicesServer(rpc, r)
	runpb.RegisterRevisionsServer(rpc, fakeRevisions{fakeRun: r})
	runpb.RegisterBuildsServer(rpc, fakeBuilds{fakeRun: r})
	return r
}

const (
	fakeParent = "projects/sunya/locations/local"
	runOp      = fakeParent + "/operations/" + fakeBuild
	buildOp    = fakeParent + "/operations/image"
	fakeDigest = "sha256:0123"
)

func (r *fakeRun) operation(name string) (*longrunningpb.Operation, error) {
	op := &longrunningpb.Operation{Name: name, Done: !r.f.unending}
	var meta proto.Message = &runpb.Service{}
	if name == buildOp {
		meta = &cloudbuildpb.BuildOperationMetadata{Build: &cloudbuildpb.Build{
			Id: fakeBuild, Results: &cloudbuildpb.Results{Images: []*cloudbuildpb.BuiltImage{{Digest: fakeDigest}}},
		}}
	}
	var err error
	if op.Metadata, err = anypb.New(meta); err != nil || !op.Done {
		return op, err
	}
	if r.f.failure != nil {
		op.Result = &longrunningpb.Operation_Error{Error: r.f.failure}
		return op, nil
	}
	op.Result = &longrunningpb.Operation_Response{Response: op.GetMetadata()}
	return op, nil
}

// store keeps a service as a server would show it once it has deployed it.
func (r *fakeRun) store(name string, s *runpb.Service) {
	s = proto.CloneOf(s)
	s.Name, s.Uri, s.Etag = name, "http://"+lastPart(name)+".localhost", `"1"`
	s.UpdateTime = timestamppb.New(testTime.Add(-2 * time.Minute))
	s.TerminalCondition = &runpb.Condition{Type: "Ready", State: runpb.Condition_CONDITION_SUCCEEDED}
	number := 1
	if old := r.services[name]; old != nil {
		number = len(old.GetConditions()) + 1
	}
	s.Conditions = make([]*runpb.Condition, number)
	for i := range s.Conditions {
		s.Conditions[i] = &runpb.Condition{}
	}
	revision := s.GetTemplate().GetRevision()
	if revision == "" {
		revision = fmt.Sprintf("%s-%05d-bcd", lastPart(name), number)
	}
	s.LatestCreatedRevision = name + "/revisions/" + revision
	s.LatestReadyRevision = s.LatestCreatedRevision
	s.TrafficStatuses = nil
	for _, t := range s.GetTraffic() {
		st := &runpb.TrafficTargetStatus{Type: t.GetType(), Revision: t.GetRevision(), Percent: t.GetPercent(), Tag: t.GetTag()}
		if t.GetTag() != "" {
			st.Uri = "http://" + t.GetTag() + "---" + lastPart(name) + ".localhost"
		}
		s.TrafficStatuses = append(s.TrafficStatuses, st)
	}
	if len(s.GetTraffic()) == 0 {
		s.TrafficStatuses = []*runpb.TrafficTargetStatus{{Type: latestType, Percent: 100}}
	}
	r.services[name] = s
}

const (
	latestType   = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
	revisionType = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
)

func (r *fakeRun) CreateService(_ context.Context, req *runpb.CreateServiceRequest) (*longrunningpb.Operation, error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if r.f.refuse != nil {
		return nil, r.f.refuse
	}
	r.f.note("create %s", req.GetServiceId())
	r.store(req.GetParent()+"/services/"+req.GetServiceId(), req.GetService())
	r.f.write(r.f.buildLog...)
	return &longrunningpb.Operation{Name: runOp}, nil
}

func (r *fakeRun) UpdateService(_ context.Context, req *runpb.UpdateServiceRequest) (*longrunningpb.Operation, error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if r.f.refuse != nil {
		return nil, r.f.refuse
	}
	r.f.note("update %s: %s", lastPart(req.GetService().GetName()), strings.Join(req.GetUpdateMask().GetPaths(), " "))
	r.updates = append(r.updates, req)
	r.store(req.GetService().GetName(), req.GetService())
	return &longrunningpb.Operation{Name: runOp}, nil
}

func (r *fakeRun) GetService(_ context.Context, req *runpb.GetServiceRequest) (*runpb.Service, error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	s, ok := r.services[req.GetName()]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "%s: service not found", req.GetName())
	}
	return s, nil
}

func (r *fakeRun) ListServices(_ context.Context, req *runpb.ListServicesRequest) (*runpb.ListServicesResponse, error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	out := &runpb.ListServicesResponse{}
	for _, name := range slices.Sorted(maps.Keys(r.services)) {
		if strings.HasSuffix(req.GetParent(), "/-") || strings.HasPrefix(name, req.GetParent()+"/") {
			out.Services = append(out.Services, r.services[name])
		}
	}
	return out, nil
}

func (r *fakeRun) DeleteService(_ context.Context, req *runpb.DeleteServiceRequest) (*longrunningpb.Operation, error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	delete(r.services, req.GetName())
	r.f.note("delete %s", lastPart(req.GetName()))
	return &longrunningpb.Operation{Name: runOp}, nil
}

func (r *fakeRun) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if p := r.policies[req.GetResource()]; p != nil {
		return p, nil
	}
	return &iampb.Policy{Version: 1, Etag: []byte("e")}, nil
}

func (r *fakeRun) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	var bindings []string
	for _, b := range req.GetPolicy().GetBindings() {
		bindings = append(bindings, b.GetRole()+"="+strings.Join(b.GetMembers(), ","))
	}
	r.f.note("policy of %s: %s", lastPart(req.GetResource()), strings.Join(bindings, " "))
	r.policies[req.GetResource()] = req.GetPolicy()
	return req.GetPolicy(), nil
}

// fakeRevision is the only revision of a service.
func fakeRevision(service string) *runpb.Revision {
	return &runpb.Revision{
		Name: service + "/revisions/" + lastPart(service) + "-00001-bcd", Service: service, CreateTime: timestamppb.New(testTime.Add(-time.Hour)),
		Containers: []*runpb.Container{{Image: "gcr.io/sunya/hello:v1@" + fakeDigest}},
		Conditions: []*runpb.Condition{{Type: "Ready", State: runpb.Condition_CONDITION_SUCCEEDED}},
	}
}

func (r fakeRevisions) ListRevisions(_ context.Context, req *runpb.ListRevisionsRequest) (*runpb.ListRevisionsResponse, error) {
	return &runpb.ListRevisionsResponse{Revisions: []*runpb.Revision{fakeRevision(req.GetParent())}}, nil
}

func (r fakeRevisions) GetRevision(_ context.Context, req *runpb.GetRevisionRequest) (*runpb.Revision, error) {
	service, _, _ := strings.Cut(req.GetName(), "/revisions/")
	if found := fakeRevision(service); r.services[service] != nil && found.GetName() == req.GetName() {
		return found, nil
	}
	return nil, status.Errorf(codes.NotFound, "%s: revision not found", req.GetName())
}

func (r fakeRevisions) DeleteRevision(_ context.Context, req *runpb.DeleteRevisionRequest) (*longrunningpb.Operation, error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	r.f.note("delete %s", lastPart(req.GetName()))
	return &longrunningpb.Operation{Name: runOp}, nil
}

func (r fakeBuilds) SubmitBuild(_ context.Context, req *runpb.SubmitBuildRequest) (*runpb.SubmitBuildResponse, error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	r.builds = append(r.builds, req)
	return &runpb.SubmitBuildResponse{BuildOperation: &longrunningpb.Operation{Name: buildOp}}, nil
}

// routes are what of the REST APIs the command line uses.
func (r *fakeRun) routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /storage/v1/b", func(w http.ResponseWriter, req *http.Request) {
		var b storage.Bucket
		_ = json.NewDecoder(req.Body).Decode(&b)
		_ = json.NewEncoder(w).Encode(b)
	})
	const services = "/run.googleapis.com/v1/" + fakeParent + "/services"
	mux.HandleFunc("PUT "+services+"/{name}", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"code":404,"message":"not found","status":"NOT_FOUND"}}`)
	})
	mux.HandleFunc("POST "+services, func(w http.ResponseWriter, req *http.Request) {
		body, _ := readAtMost(req.Body, maxPeek)
		r.f.mu.Lock()
		defer r.f.mu.Unlock()
		r.replaced = append(r.replaced, string(body))
		_ = json.NewEncoder(w).Encode(&knative.Service{Metadata: &knative.ObjectMeta{Name: "hello", Generation: 2}, Status: &knative.ServiceStatus{ObservedGeneration: 1}})
	})
	mux.HandleFunc("GET "+services+"/{name}", func(w http.ResponseWriter, _ *http.Request) {
		s := &knative.Service{ApiVersion: "serving.knative.dev/v1", Kind: "Service", Metadata: &knative.ObjectMeta{
			Name: "hello", Generation: 2, Uid: "u", Annotations: map[string]string{"serving.knative.dev/creator": "me", "mine": "x"},
		}, Spec: &knative.ServiceSpec{Template: &knative.RevisionTemplate{}}, Status: &knative.ServiceStatus{
			ObservedGeneration: 2, Url: "http://hello.localhost", Conditions: []*knative.GoogleCloudRunV1Condition{{Type: "Ready", Status: "True"}},
		}}
		if r.f.failure != nil {
			s.Status.Conditions[0].Status, s.Status.Conditions[0].Message = "False", r.f.failure.GetMessage()
		}
		_ = json.NewEncoder(w).Encode(s)
	})
}
