package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/storage/v1"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya/internal/wire/artifactregistryv1"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// fake is a server as far as the command line sees one: real protocols, no
// platform behind them.
type fake struct {
	appenginepb.UnimplementedApplicationsServer
	appenginepb.UnimplementedServicesServer
	appenginepb.UnimplementedVersionsServer
	appenginepb.UnimplementedInstancesServer
	longrunningpb.UnimplementedOperationsServer
	loggingpb.UnimplementedLoggingServiceV2Server

	url    string
	run    *fakeRun
	jobs   *fakeJobs
	images *artifactregistryv1.API
	pubsub *brokerOf
	store  http.Handler // all of Cloud Storage, where a test wants it

	mu       sync.Mutex
	objects  map[string]string               // name to content
	versions map[string]*appenginepb.Version // service/version
	split    map[string]map[string]float64   // service to allocations
	entries  []*loggingpb.LogEntry
	changed  chan struct{} // closed and replaced when entries grow
	tokens   map[string]bool
	mux      *http.ServeMux
	asked    []string // the changes that were asked for, in short

	// What the next deploy does.
	buildLog  []*loggingpb.LogEntry
	failure   *spb.Status
	unending  bool
	polled    chan struct{} // gets a value with each poll, when not nil
	refuse    error         // answer of every admin call
	dropTails int           // so many streams break after one message
	dropPosts int           // so many uploads break before they are answered
}

const (
	fakeProject = "sunya"
	fakeBucket  = "staging.sunya.appspot.com"
	fakeBuild   = "b1"
)

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{
		objects:  map[string]string{},
		versions: map[string]*appenginepb.Version{},
		split:    map[string]map[string]float64{},
		changed:  make(chan struct{}),
		tokens:   map[string]bool{},
	}
	rpc := grpc.NewServer(transcode.ServerOptions(slog.New(slog.DiscardHandler))...)
	appenginepb.RegisterApplicationsServer(rpc, f)
	appenginepb.RegisterServicesServer(rpc, f)
	appenginepb.RegisterVersionsServer(rpc, f)
	appenginepb.RegisterInstancesServer(rpc, f)
	longrunningpb.RegisterOperationsServer(rpc, f)
	loggingpb.RegisterLoggingServiceV2Server(rpc, f)
	f.run = newFakeRun(f, rpc)
	f.jobs = newFakeJobs(t, rpc)
	f.images = newFakeImages(rpc)
	f.pubsub = newFakePubSub(rpc)
	mux := http.NewServeMux()
	f.mux = mux
	mux.HandleFunc("GET /sunya/v1/status", f.serveStatus)
	mux.HandleFunc("GET /sunya/v1/doctor", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"checks":[{"name":"orphans","status":"ok","detail":"none"}]}`)
	})
	mux.HandleFunc("GET /storage/v1/b/{bucket}/o", f.listObjects)
	f.run.routes(mux)
	mux.HandleFunc("POST /upload/storage/v1/b/{bucket}/o", f.insertObject)
	mux.HandleFunc("DELETE /storage/v1/b/{bucket}/o/{object}", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.objects, r.PathValue("object"))
		w.WriteHeader(http.StatusNoContent)
	})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.tokens[r.Header.Get("Authorization")] = true
		f.mu.Unlock()
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			rpc.ServeHTTP(w, r)
			return
		}
		if f.store != nil && !strings.HasPrefix(r.URL.Path, "/sunya/") {
			f.store.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	f.url = srv.URL
	return f
}

func (f *fake) port() string { return f.url[strings.LastIndexByte(f.url, ':')+1:] }

func (f *fake) serveStatus(w http.ResponseWriter, _ *http.Request) {
	st := serverStatus{
		Version: "v0.1.0", Level: "full", Domain: "localhost", Project: fakeProject,
		StartTime: testTime.Add(-time.Hour), AppsURL: "http://localhost:" + f.port(),
		DataDir: "/nowhere/sunya", Facts: []string{"cgroup v2"},
		Listeners: []listenerStatus{{Address: "127.0.0.1:8080", Roles: []string{"apps", "api"}}},
		Services:  []serviceStatus{{Name: "apps/sunya/services/default", Project: fakeProject, Product: "appengine", URLs: []string{"http://sunya.localhost:8080"}, Revisions: 2}},
		Instances: []instanceStatus{{ID: "i1", Revision: "apps/sunya/services/default/v1", State: "frozen", StartTime: testTime.Add(-2 * time.Minute), InFlight: 0, MemoryBytes: 40 << 20}},
	}
	_ = json.NewEncoder(w).Encode(st)
}

func (f *fake) listObjects(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.PathValue("bucket") != fakeBucket {
		http.NotFound(w, r)
		return
	}
	// One object a page, so that paging is used.
	names := slices.Sorted(maps.Keys(f.objects))
	at, _ := slices.BinarySearch(names, r.URL.Query().Get("pageToken"))
	page := &storage.Objects{}
	if at < len(names) {
		page.Items = []*storage.Object{{Name: names[at]}}
	}
	if at+1 < len(names) {
		page.NextPageToken = names[at+1]
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (f *fake) insertObject(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	drop := f.dropPosts > 0
	f.dropPosts--
	f.mu.Unlock()
	if drop {
		panic(http.ErrAbortHandler)
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	meta, err := parts.NextPart()
	var o storage.Object
	if err == nil {
		err = json.NewDecoder(meta).Decode(&o)
	}
	media, mediaErr := parts.NextPart()
	if err != nil || mediaErr != nil {
		http.Error(w, "bad upload", http.StatusBadRequest)
		return
	}
	content, err := io.ReadAll(media)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.objects[o.Name] = string(content)
	f.mu.Unlock()
	_ = json.NewEncoder(w).Encode(o)
}

func (f *fake) GetApplication(_ context.Context, r *appenginepb.GetApplicationRequest) (*appenginepb.Application, error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	project := lastPart(r.GetName())
	return &appenginepb.Application{Name: r.GetName(), Id: project, CodeBucket: fakeBucket, DefaultHostname: project + ".localhost"}, nil
}

func (f *fake) GetService(_ context.Context, r *appenginepb.GetServiceRequest) (*appenginepb.Service, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := lastPart(r.GetName())
	split, ok := f.split[id]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "%s: not found", r.GetName())
	}
	return &appenginepb.Service{Name: r.GetName(), Id: id, Split: &appenginepb.TrafficSplit{Allocations: maps.Clone(split)}}, nil
}

func (f *fake) ListServices(_ context.Context, r *appenginepb.ListServicesRequest) (*appenginepb.ListServicesResponse, error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &appenginepb.ListServicesResponse{}
	for _, id := range slices.Sorted(maps.Keys(f.split)) {
		out.Services = append(out.Services, &appenginepb.Service{
			Name: r.GetParent() + "/services/" + id, Id: id,
			Split: &appenginepb.TrafficSplit{Allocations: maps.Clone(f.split[id])},
		})
	}
	return out, nil
}

func (f *fake) UpdateService(_ context.Context, r *appenginepb.UpdateServiceRequest) (*longrunningpb.Operation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("%s %v by %s migrate=%v", strings.Join(r.GetUpdateMask().GetPaths(), ","), r.GetService().GetSplit().GetAllocations(), r.GetService().GetSplit().GetShardBy(), r.GetMigrateTraffic())
	if split := r.GetService().GetSplit(); split != nil {
		f.split[lastPart(r.GetName())] = split.GetAllocations()
	}
	return f.ended("apps/sunya/operations/split", r.GetService())
}

func (f *fake) ended(name string, result *appenginepb.Service) (*longrunningpb.Operation, error) {
	out, err := anypb.New(result)
	return &longrunningpb.Operation{Name: name, Done: true, Result: &longrunningpb.Operation_Response{Response: out}}, err
}

func (f *fake) CreateVersion(_ context.Context, r *appenginepb.CreateVersionRequest) (*longrunningpb.Operation, error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	service := lastPart(r.GetParent())
	v := r.GetVersion()
	v.Name = r.GetParent() + "/versions/" + v.GetId()
	v.CreateTime = timestamppb.New(testTime.Add(-3 * time.Minute))
	v.ServingStatus = appenginepb.ServingStatus_SERVING
	if f.failure == nil {
		f.versions[service+"/"+v.GetId()] = v
		if f.split[service] == nil {
			f.split[service] = map[string]float64{v.GetId(): 1}
		}
	}
	f.write(f.buildLog...)
	return f.operationState("apps/sunya/operations/op1", false)
}

func (f *fake) GetVersion(_ context.Context, r *appenginepb.GetVersionRequest) (*appenginepb.Version, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parts := strings.Split(r.GetName(), "/")
	v, ok := f.versions[parts[3]+"/"+parts[5]]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "%s: not found", r.GetName())
	}
	return v, nil
}

func (f *fake) ListVersions(_ context.Context, r *appenginepb.ListVersionsRequest) (*appenginepb.ListVersionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, k := range slices.Sorted(maps.Keys(f.versions)) {
		if strings.HasPrefix(k, lastPart(r.GetParent())+"/") {
			all = append(all, k)
		}
	}
	// Paging as a server does it, with pages of at most 100.
	at := 0
	if r.GetPageToken() != "" {
		at, _ = slices.BinarySearch(all, r.GetPageToken())
	}
	out := &appenginepb.ListVersionsResponse{}
	for ; at < len(all) && len(out.Versions) < min(100, int(r.GetPageSize())); at++ {
		out.Versions = append(out.Versions, f.versions[all[at]])
	}
	if at < len(all) {
		out.NextPageToken = all[at]
	}
	return out, nil
}

func (f *fake) DeleteVersion(_ context.Context, r *appenginepb.DeleteVersionRequest) (*longrunningpb.Operation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parts := strings.Split(r.GetName(), "/")
	service, id := parts[3], parts[5]
	if f.split[service][id] > 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "%s gets traffic; move it first", r.GetName())
	}
	delete(f.versions, service+"/"+id)
	out, err := anypb.New(&emptypb.Empty{})
	return &longrunningpb.Operation{Name: "apps/sunya/operations/del", Done: true, Result: &longrunningpb.Operation_Response{Response: out}}, err
}

func (f *fake) GetOperation(ctx context.Context, r *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	if f.polled != nil {
		select {
		case f.polled <- struct{}{}:
		default:
		}
	}
	if op, err := f.jobs.operation(ctx, r.GetName()); op != nil || err != nil {
		return op, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.HasPrefix(r.GetName(), "projects/") {
		return f.run.operation(r.GetName())
	}
	return f.operationState(r.GetName(), !f.unending)
}

func (f *fake) operationState(name string, done bool) (*longrunningpb.Operation, error) {
	meta, err := anypb.New(&appenginepb.OperationMetadataV1{
		Method:         "google.appengine.v1.Versions.CreateVersion",
		Warning:        []string{"python311 is not here, python312 is used"},
		MethodMetadata: &appenginepb.OperationMetadataV1_CreateVersionMetadata{CreateVersionMetadata: &appenginepb.CreateVersionMetadataV1{CloudBuildId: fakeBuild}},
	})
	op := &longrunningpb.Operation{Name: name, Metadata: meta, Done: done}
	if done && f.failure != nil {
		op.Result = &longrunningpb.Operation_Error{Error: f.failure}
	} else if done {
		out, anyErr := anypb.New(&appenginepb.Version{})
		op.Result = &longrunningpb.Operation_Response{Response: out}
		err = anyErr
	}
	return op, err
}

// failed makes the status of a failed deploy.
func failed(code codes.Code, reason, message string, logs ...string) *spb.Status {
	st, err := status.New(code, message).WithDetails(
		&errdetails.ErrorInfo{Reason: reason, Domain: "sunya"},
		&errdetails.DebugInfo{StackEntries: logs},
	)
	if err != nil {
		panic(err)
	}
	return st.Proto()
}

// write stores entries and wakes the followers. The caller holds mu.
func (f *fake) write(entries ...*loggingpb.LogEntry) {
	f.entries = append(f.entries, entries...)
	close(f.changed)
	f.changed = make(chan struct{})
}

// matches knows the few filters that the command line makes by itself.
func matches(e *loggingpb.LogEntry, filter string) bool {
	for clause := range strings.SplitSeq(filter, " AND ") {
		if a, b, either := strings.Cut(clause, " OR "); either {
			if !matches(e, strings.TrimPrefix(a, "(")) && !matches(e, strings.TrimSuffix(b, ")")) {
				return false
			}
			continue
		}
		key, value, _ := strings.Cut(clause, "=")
		value = strings.Trim(value, `"`)
		switch key {
		case "resource.type":
			if e.GetResource().GetType() != value {
				return false
			}
		case "timestamp>":
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil || e.GetTimestamp().AsTime().Before(at) {
				return false
			}
		case "severity>":
			if e.GetSeverity().String() != value {
				return false
			}
		case "":
		default:
			if label, ok := strings.CutPrefix(key, "resource.labels."); ok && e.GetResource().GetLabels()[label] != value {
				return false
			}
		}
	}
	return true
}

func (f *fake) ListLogEntries(_ context.Context, r *loggingpb.ListLogEntriesRequest) (*loggingpb.ListLogEntriesResponse, error) {
	if strings.Contains(r.GetFilter(), "((") {
		return nil, status.Error(codes.InvalidArgument, "filter: expected a comparison at 1")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &loggingpb.ListLogEntriesResponse{}
	for _, e := range f.entries {
		if matches(e, r.GetFilter()) {
			out.Entries = append(out.Entries, e)
		}
	}
	if strings.HasSuffix(r.GetOrderBy(), "desc") {
		slices.Reverse(out.Entries)
	}
	if n := int(r.GetPageSize()); len(out.Entries) > n {
		out.Entries = out.Entries[:n]
	}
	return out, nil
}

func (f *fake) TailLogEntries(stream loggingpb.LoggingServiceV2_TailLogEntriesServer) error {
	r, err := stream.Recv()
	if err != nil {
		return err
	}
	f.mu.Lock()
	at := len(f.entries)
	f.mu.Unlock()
	for {
		f.mu.Lock()
		fresh, changed := f.entries[at:], f.changed
		at = len(f.entries)
		f.mu.Unlock()
		var out []*loggingpb.LogEntry
		for _, e := range fresh {
			if matches(e, r.GetFilter()) {
				out = append(out, e)
			}
		}
		if len(out) > 0 {
			if err := stream.Send(&loggingpb.TailLogEntriesResponse{Entries: out}); err != nil {
				return err
			}
			f.mu.Lock()
			drop := f.dropTails > 0
			f.dropTails--
			f.mu.Unlock()
			if drop {
				return status.Error(codes.Unavailable, "the server restarts")
			}
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-changed:
		}
	}
}

// buildEntry is a line of the build's log.
func buildEntry(n int, text string, labels map[string]string) *loggingpb.LogEntry {
	return &loggingpb.LogEntry{
		InsertId:  fmt.Sprintf("e%04d", n),
		Timestamp: timestamppb.New(testTime.Add(time.Duration(n) * time.Millisecond)),
		Resource:  &monitoredres.MonitoredResource{Type: "build", Labels: map[string]string{"build_id": fakeBuild}},
		Labels:    labels,
		Payload:   &loggingpb.LogEntry_TextPayload{TextPayload: text},
	}
}

func stageEntry(n int, stage, state, took string) *loggingpb.LogEntry {
	return buildEntry(n, stage+": "+state, map[string]string{"stage": stage, "state": state, "took": took})
}

func appEntry(n int, service, text string) *loggingpb.LogEntry {
	e := buildEntry(n, text, nil)
	e.Resource = &monitoredres.MonitoredResource{Type: "gae_app", Labels: map[string]string{"module_id": service, "version_id": "v1"}}
	return e
}

// lastPart is the id at the end of a resource name.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
