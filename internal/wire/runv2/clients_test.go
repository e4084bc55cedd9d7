package runv2_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	cloudrun "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/go-cmp/cmp"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/internal/core/run/runtest"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/runv2"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// server is the API on a loopback port, over HTTP/1.1 and h2c.
type server struct {
	*httptest.Server
	world *runtest.World
}

func newServer(t testing.TB) *server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := runtest.New()
	w.Auto = true
	api := runv2.New(runv2.Deps{
		Admin: w.Admin(),
		URL:   func(label string) string { return "http://" + label + ".localhost:8080" },
	})
	gs := grpc.NewServer(transcode.ServerOptions(log)...)
	api.Register(gs)
	lro.New(w, api.Operations()).Register(gs)
	h, err := transcode.New(gs, runv2.Descriptor(), log)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	t.Cleanup(gs.Stop)
	return &server{srv, w}
}

// clients are the official ones.
type clients struct {
	t         *testing.T
	services  *cloudrun.ServicesClient
	revisions *cloudrun.RevisionsClient
}

// each runs a test with the official clients over gRPC and over REST.
func each(t *testing.T, do func(t *testing.T, c clients)) {
	t.Run("gRPC", func(t *testing.T) {
		opts := []option.ClientOption{
			option.WithEndpoint(strings.TrimPrefix(newServer(t).URL, "http://")),
			option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		}
		s, err := cloudrun.NewServicesClient(t.Context(), opts...)
		r, err2 := cloudrun.NewRevisionsClient(t.Context(), opts...)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(); r.Close() })
		do(t, clients{t, s, r})
	})
	t.Run("REST", func(t *testing.T) {
		opts := []option.ClientOption{option.WithEndpoint(newServer(t).URL), option.WithoutAuthentication()}
		s, err := cloudrun.NewServicesRESTClient(t.Context(), opts...)
		r, err2 := cloudrun.NewRevisionsRESTClient(t.Context(), opts...)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(); r.Close() })
		do(t, clients{t, s, r})
	})
}

const (
	parent = "projects/sunya/locations/us-central1"
	name   = parent + "/services/hello"
)

func service(image string) *runpb.Service {
	return &runpb.Service{Template: &runpb.RevisionTemplate{Containers: []*runpb.Container{{Image: image}}}}
}

func (c clients) create(id string, s *runpb.Service) *runpb.Service {
	c.t.Helper()
	op, err := c.services.CreateService(c.t.Context(), &runpb.CreateServiceRequest{Parent: parent, ServiceId: id, Service: s})
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := op.Wait(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c clients) update(s *runpb.Service, paths ...string) (*runpb.Service, error) {
	req := &runpb.UpdateServiceRequest{Service: s}
	if len(paths) > 0 {
		req.UpdateMask = &fieldmaskpb.FieldMask{Paths: paths}
	}
	op, err := c.services.UpdateService(c.t.Context(), req)
	if err != nil {
		return nil, err
	}
	return op.Wait(c.t.Context())
}

func (c clients) get(name string) *runpb.Service {
	c.t.Helper()
	s, err := c.services.GetService(c.t.Context(), &runpb.GetServiceRequest{Name: name})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// wantCode reads the status out of whatever a client makes of it.
func wantCode(t *testing.T, err error, want codes.Code, says string) {
	t.Helper()
	var e *apierror.APIError
	if !errors.As(err, &e) {
		t.Errorf("error = %v, want %v", err, want)
		return
	}
	got := e.GRPCStatus().Code()
	if !strings.Contains(err.Error(), says) || got != want && e.HTTPCode() != httpOf(want) {
		t.Errorf("error = %v (%v, HTTP %d), want %v with %q", err, got, e.HTTPCode(), want, says)
	}
}

func httpOf(c codes.Code) int {
	return map[codes.Code]int{codes.NotFound: 404, codes.AlreadyExists: 409, codes.Aborted: 409, codes.InvalidArgument: 400, codes.FailedPrecondition: 400, codes.Unimplemented: 501}[c]
}

func TestCreateAndRead(t *testing.T) {
	each(t, func(t *testing.T, c clients) {
		made := c.create("hello", service("gcr.io/sunya/hello:v1"))
		got := c.get(name)
		if diff := cmp.Diff(made, got, protocmp.Transform()); diff != "" {
			t.Errorf("the operation's response is not the service: %s", diff)
		}
		if got.GetUri() != "http://hello.localhost:8080" || got.GetReconciling() || got.GetGeneration() != 1 || got.GetObservedGeneration() != 1 || got.GetEtag() == "" {
			t.Errorf("service = %v", got)
		}
		if cond := got.GetTerminalCondition(); cond.GetType() != "Ready" || cond.GetState() != runpb.Condition_CONDITION_SUCCEEDED {
			t.Errorf("terminal condition = %v", cond)
		}
		want := &runpb.Container{
			Image:        "gcr.io/sunya/hello:v1",
			Ports:        []*runpb.ContainerPort{{Name: "http1", ContainerPort: 8080}},
			Resources:    &runpb.ResourceRequirements{Limits: map[string]string{"cpu": "1000m", "memory": "512Mi"}, CpuIdle: true},
			StartupProbe: &runpb.Probe{TimeoutSeconds: 240, PeriodSeconds: 240, FailureThreshold: 1, ProbeType: &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{Port: 8080}}},
		}
		if diff := cmp.Diff([]*runpb.Container{want}, got.GetTemplate().GetContainers(), protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
		rev, err := c.revisions.GetRevision(t.Context(), &runpb.GetRevisionRequest{Name: got.GetLatestReadyRevision()})
		if err != nil {
			t.Fatal(err)
		}
		if rev.GetService() != "hello" || !strings.HasPrefix(rev.GetContainers()[0].GetImage(), "gcr.io/sunya/hello@sha256:") || rev.GetMaxInstanceRequestConcurrency() != 80 {
			t.Errorf("revision = %v", rev)
		}
		_, err = c.services.CreateService(t.Context(), &runpb.CreateServiceRequest{Parent: parent, ServiceId: "hello", Service: service("x")})
		wantCode(t, err, codes.AlreadyExists, "exists already")
		_, err = c.services.GetService(t.Context(), &runpb.GetServiceRequest{Name: parent + "/services/other"})
		wantCode(t, err, codes.NotFound, "not found")
	})
}

// everything is a service with all that this server can do.
func everything() *runpb.Service {
	manual := int32(2)
	return &runpb.Service{
		Description: "d", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"x.example/y": "z"},
		Client: "c", ClientVersion: "1", Ingress: runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_ONLY,
		InvokerIamDisabled: true, CustomAudiences: []string{"https://a.example"},
		Scaling: &runpb.ServiceScaling{MinInstanceCount: 1, ScalingMode: runpb.ServiceScaling_MANUAL, ManualInstanceCount: &manual},
		Traffic: []*runpb.TrafficTarget{{Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, Percent: 100, Tag: "now"}},
		Template: &runpb.RevisionTemplate{
			Revision: "hello-one", Labels: map[string]string{"c": "d"}, Annotations: map[string]string{"x.example/z": "y"},
			ExecutionEnvironment: runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN2, SessionAffinity: true,
			Volumes: []*runpb.Volume{{Name: "v", VolumeType: &runpb.Volume_EmptyDir{EmptyDir: &runpb.EmptyDirVolumeSource{SizeLimit: "10Mi"}}}},
			Containers: []*runpb.Container{{
				Name: "main", Image: "a", Command: []string{"/a"}, Args: []string{"b"}, WorkingDir: "/w", DependsOn: []string{"side"},
				Env:          []*runpb.EnvVar{{Name: "A", Values: &runpb.EnvVar_Value{Value: "b"}}},
				Resources:    &runpb.ResourceRequirements{Limits: map[string]string{"cpu": "2", "memory": "1Gi"}, StartupCpuBoost: true},
				Ports:        []*runpb.ContainerPort{{Name: "h2c", ContainerPort: 9000}},
				VolumeMounts: []*runpb.VolumeMount{{Name: "v", MountPath: "/v"}},
				StartupProbe: &runpb.Probe{ProbeType: &runpb.Probe_HttpGet{HttpGet: &runpb.HTTPGetAction{HttpHeaders: []*runpb.HTTPHeader{{Name: "A", Value: "b"}}}}},
				LivenessProbe: &runpb.Probe{
					InitialDelaySeconds: 1, TimeoutSeconds: 2, PeriodSeconds: 3, FailureThreshold: 4,
					ProbeType: &runpb.Probe_Grpc{Grpc: &runpb.GRPCAction{Port: 9001, Service: "s"}},
				},
			}, {Name: "side", Image: "b"}},
		},
	}
}

func TestWhatIsReadCanBeSentAgain(t *testing.T) {
	each(t, func(t *testing.T, c clients) {
		for _, s := range []*runpb.Service{service("x"), everything()} {
			made := c.create("hello", s)
			again, err := c.update(proto.CloneOf(made))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(made, again, protocmp.Transform()); diff != "" {
				t.Errorf("sending what was read changes the service: %s", diff)
			}
			op, err := c.services.DeleteService(t.Context(), &runpb.DeleteServiceRequest{Name: name, Etag: made.GetEtag()})
			if err != nil {
				t.Fatal(err)
			}
			if gone, err := op.Wait(t.Context()); err != nil || gone.GetDeleteTime() == nil || gone.GetUid() != made.GetUid() {
				t.Errorf("deleted = %v, %v", gone, err)
			}
		}
	})
}

func TestEverythingReachesTheCore(t *testing.T) {
	each(t, func(t *testing.T, c clients) {
		made := c.create("hello", everything())
		rev, err := c.revisions.GetRevision(t.Context(), &runpb.GetRevisionRequest{Name: name + "/revisions/hello-one"})
		if err != nil {
			t.Fatal(err)
		}
		if len(rev.GetContainers()) != 2 || rev.GetLabels()["c"] != "d" || !rev.GetSessionAffinity() || len(rev.GetVolumes()) != 1 {
			t.Errorf("revision = %v", rev)
		}
		if got := made.GetTrafficStatuses(); len(got) != 1 || got[0].GetUri() != "http://now---hello.localhost:8080" || got[0].GetRevision() != "hello-one" {
			t.Errorf("traffic statuses = %v", got)
		}
	})
}

func TestUpdate(t *testing.T) {
	each(t, func(t *testing.T, c clients) {
		made := c.create("hello", service("a"))
		first := made.GetLatestReadyRevision()
		change := &runpb.Service{
			Name: name, Etag: made.GetEtag(), Labels: map[string]string{"a": "b"},
			Template: &runpb.RevisionTemplate{Containers: []*runpb.Container{{Image: "not in the mask"}}},
		}
		got, err := c.update(change, "labels")
		if err != nil || got.GetLabels()["a"] != "b" || got.GetLatestReadyRevision() != first || got.GetGeneration() != 2 {
			t.Fatalf("labels = %v, %v", got, err)
		}
		_, err = c.update(change, "labels")
		wantCode(t, err, codes.Aborted, "etag")
		change.Etag = ""
		_, err = c.update(change, "moon")
		wantCode(t, err, codes.InvalidArgument, "moon")
		got, err = c.update(service2("b"), "template.containers")
		if err != nil || got.GetLatestReadyRevision() == first || got.GetLabels()["a"] != "b" {
			t.Fatalf("image = %v, %v", got, err)
		}
		split := &runpb.Service{Name: name, Traffic: []*runpb.TrafficTarget{
			{Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION, Revision: first[strings.LastIndexByte(first, '/')+1:], Percent: 25},
			{Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, Percent: 75, Tag: "next"},
		}}
		got, err = c.update(split, "traffic")
		if err != nil || len(got.GetTrafficStatuses()) != 2 || got.GetTrafficStatuses()[1].GetPercent() != 75 {
			t.Fatalf("traffic = %v, %v", got, err)
		}
		missing := service("a")
		missing.Name = parent + "/services/new"
		_, err = c.update(missing)
		wantCode(t, err, codes.NotFound, "not found")
		op, err := c.services.UpdateService(t.Context(), &runpb.UpdateServiceRequest{Service: missing, AllowMissing: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := op.Wait(t.Context()); err != nil || got.GetName() != missing.GetName() {
			t.Errorf("allow missing = %v, %v", got, err)
		}
	})
}

func service2(image string) *runpb.Service {
	s := service(image)
	s.Name = name
	return s
}

func TestFailure(t *testing.T) {
	each(t, func(t *testing.T, c clients) {
		op, err := c.services.CreateService(t.Context(), &runpb.CreateServiceRequest{Parent: parent, ServiceId: "hello", Service: service("silent")})
		if err != nil {
			t.Fatal(err)
		}
		if meta, err := op.Metadata(); err != nil || meta.GetName() != name {
			t.Errorf("metadata = %v, %v", meta, err)
		}
		_, err = op.Wait(t.Context())
		wantCode(t, err, codes.FailedPrecondition, "nothing listens on port 8080")
		got := c.get(name)
		if cond := got.GetTerminalCondition(); cond.GetState() != runpb.Condition_CONDITION_FAILED || cond.GetRevisionReason() != runpb.Condition_HEALTH_CHECK_CONTAINER_ERROR {
			t.Errorf("terminal condition = %v", cond)
		}
		if got.GetLatestReadyRevision() != "" || got.GetLatestCreatedRevision() == "" || got.GetReconciling() {
			t.Errorf("service = %v", got)
		}
		if _, err := c.update(service2("a"), "template"); err != nil {
			t.Errorf("deploying again: %v", err)
		}
	})
}

func TestLists(t *testing.T) {
	each(t, func(t *testing.T, c clients) {
		for _, id := range []string{"b", "c", "a"} {
			c.create(id, service("x"))
		}
		var got []string
		it := c.services.ListServices(t.Context(), &runpb.ListServicesRequest{Parent: parent, PageSize: 2, ShowDeleted: true})
		for s, err := range it.All() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, s.GetName()[len(parent)+len("/services/"):])
		}
		if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
			t.Error(diff)
		}
		for _, image := range []string{"y", "z"} {
			s := service(image)
			s.Name = parent + "/services/a"
			if _, err := c.update(s); err != nil {
				t.Fatal(err)
			}
		}
		for service, want := range map[string]int{"a": 3, "-": 5} {
			n, last := 0, ""
			revs := c.revisions.ListRevisions(t.Context(), &runpb.ListRevisionsRequest{Parent: parent + "/services/" + service, PageSize: 1})
			for {
				r, err := revs.Next()
				if errors.Is(err, iterator.Done) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				n, last = n+1, r.GetName()
			}
			if n != want {
				t.Errorf("%s has %d revisions, want %d; the last is %s", service, n, want, last)
			}
		}
	})
}

func TestDeleteRevision(t *testing.T) {
	each(t, func(t *testing.T, c clients) {
		first := c.create("hello", service("a")).GetLatestReadyRevision()
		second, err := c.update(service2("b"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.revisions.DeleteRevision(t.Context(), &runpb.DeleteRevisionRequest{Name: second.GetLatestReadyRevision()})
		wantCode(t, err, codes.FailedPrecondition, "traffic")
		op, err := c.revisions.DeleteRevision(t.Context(), &runpb.DeleteRevisionRequest{Name: first})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := op.Wait(t.Context()); err != nil || r.GetName() != first {
			t.Errorf("deleted = %v, %v", r, err)
		}
		_, err = c.revisions.GetRevision(t.Context(), &runpb.GetRevisionRequest{Name: first})
		wantCode(t, err, codes.NotFound, "not found")
	})
}

func TestPolicies(t *testing.T) {
	each(t, func(t *testing.T, c clients) {
		c.create("hello", service("a"))
		p, err := c.services.GetIamPolicy(t.Context(), &iampb.GetIamPolicyRequest{Resource: name})
		if err != nil || len(p.GetBindings()) != 0 {
			t.Fatalf("policy = %v, %v", p, err)
		}
		p.Bindings = []*iampb.Binding{{Role: "roles/run.invoker", Members: []string{"allUsers"}}}
		next, err := c.services.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: name, Policy: p})
		if err != nil || next.GetBindings()[0].GetMembers()[0] != "allUsers" {
			t.Fatalf("policy = %v, %v", next, err)
		}
		_, err = c.services.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: name, Policy: p})
		wantCode(t, err, codes.Aborted, "changed")
		p.Bindings[0].Role = "roles/owner"
		_, err = c.services.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: name, Policy: p})
		wantCode(t, err, codes.Unimplemented, "roles/owner")
		can, err := c.services.TestIamPermissions(t.Context(), &iampb.TestIamPermissionsRequest{Resource: name, Permissions: []string{"run.services.setIamPolicy"}})
		if err != nil || len(can.GetPermissions()) != 1 {
			t.Errorf("permissions = %v, %v", can, err)
		}
	})
}

// plain asks as curl would.
func (s *server) plain(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(doc)
}

func TestWhatCannotBeHad(t *testing.T) {
	s := newServer(t)
	const containers = `"template":{"containers":[{"image":"a"`
	for body, want := range map[string]string{
		`{"template":{"containers":[{"image":"a"}],"vpcAccess":{"connector":"c"}}}`:                                                   "service.template.vpc_access",
		`{"template":{"containers":[{"image":"a"}],"encryptionKey":"k"}}`:                                                             "service.template.encryption_key",
		`{"template":{"containers":[{"image":"a"}],"nodeSelector":{"accelerator":"x"}}}`:                                              "GPUs",
		`{"template":{"containers":[{"image":"a"}],"volumes":[{"name":"v","secret":{"secret":"s"}}]}}`:                                "volumes[0].secret",
		`{"template":{"containers":[{"image":"a"}],"volumes":[{"name":"v","gcs":{"bucket":"s"}}]}}`:                                   "volumes[0].gcs",
		`{"template":{"containers":[{"image":"a"}],"volumes":[{"name":"v","nfs":{"server":"s"}}]}}`:                                   "volumes[0].nfs",
		`{"template":{"containers":[{"image":"a"}],"volumes":[{"name":"v","cloudSqlInstance":{"instances":["s"]}}]}}`:                 "volumes[0].cloud_sql_instance",
		`{"binaryAuthorization":{"useDefault":true},` + containers + `}]}}`:                                                           "binary_authorization",
		`{"iapEnabled":true,` + containers + `}]}}`:                                                                                   "iap_enabled",
		`{` + containers + `,"env":[{"name":"A","valueSource":{"secretKeyRef":{"secret":"s"}}}]}]}}`:                                  "env[0].value_source",
		`{` + containers + `,"resources":{"limits":{"nvidia.com/gpu":"1"}}}]}}`:                                                       "limits[nvidia.com/gpu]",
		`{` + containers + `,"readinessProbe":{"tcpSocket":{}}}]}}`:                                                                   "readiness_probe",
		`{` + containers + `,"volumeMounts":[{"name":"v","mountPath":"/v","subPath":"x"}]}],"volumes":[{"name":"v","emptyDir":{}}]}}`: "sub_path",
	} {
		status, doc := s.plain(t, "POST", "/v2/"+parent+"/services?serviceId=hello", body)
		if status != 501 || !strings.Contains(doc, want) {
			t.Errorf("%s: %d %s, want 501 with %q", body, status, doc, want)
		}
	}
	for body, want := range map[string]string{
		`{}`:                               "service.template",
		`{"template":{}}`:                  "service.template.containers",
		`{"template":{"containers":[{}]}}`: "service.template.containers[0].image",
		`{` + containers + `,"ports":[{},{}]}]}}`:                                                           "2 ports",
		`{` + containers + `,"ports":[{"name":"quic"}]}]}}`:                                                 `\"quic\"`,
		`{` + containers + `,"ports":[{"containerPort":70000}]}]}}`:                                         "70000",
		`{` + containers + `,"resources":{"limits":{"memory":"12Q"}}}]}}`:                                   `\"12Q\"`,
		`{` + containers + `,"resources":{"limits":{"disk":"1"}}}]}}`:                                       "limits[disk]",
		`{` + containers + `}],"volumes":[{"name":"v","emptyDir":{"sizeLimit":"x"}}]}}`:                     "size_limit",
		`{"labels":{"run.googleapis.com/x":"y"},` + containers + `}]}}`:                                     "run.googleapis.com/x",
		`{"annotations":{"autoscaling.knative.dev/minScale":"1"},` + containers + `}]}}`:                    "autoscaling.knative.dev/minScale",
		`{"traffic":[{"type":"TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST","percent":50}],` + containers + `}]}}`: "sum to 50",
	} {
		status, doc := s.plain(t, "POST", "/v2/"+parent+"/services?serviceId=hello", body)
		if status != 400 || !strings.Contains(doc, want) {
			t.Errorf("%s: %d %s, want 400 with %q", body, status, doc, want)
		}
	}
	if status, doc := s.plain(t, "GET", "/v2/"+parent+"/services", ""); status != 200 || strings.Contains(doc, "hello") {
		t.Errorf("something was left behind: %d %s", status, doc)
	}
}

func TestWarnings(t *testing.T) {
	s := newServer(t)
	_, doc := s.plain(t, "POST", "/v2/"+parent+"/services?serviceId=hello&validateOnly=true",
		`{"moon":1,"ingress":"INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER","template":{"containers":[{"image":"a"}]}}`)
	for _, want := range []string{"AllFieldsApplied", "WARNING", "service.moon", "load balancers"} {
		if !strings.Contains(doc, want) {
			t.Errorf("no %q in %s", want, doc)
		}
	}
}

func TestOperations(t *testing.T) {
	s := newServer(t)
	_, doc := s.plain(t, "POST", "/v2/"+parent+"/services?serviceId=hello&validateOnly=true", `{"template":{"containers":[{"image":"a"}]}}`)
	if !strings.Contains(doc, `"done":true`) || !strings.Contains(doc, `type.googleapis.com/google.cloud.run.v2.Service`) {
		t.Errorf("validate only: %s", doc)
	}
	status, doc := s.plain(t, "POST", "/v2/"+parent+"/services?serviceId=hello", `{"template":{"containers":[{"image":"a"}]}}`)
	_, rest, _ := strings.Cut(doc, `"name":"`)
	op, _, _ := strings.Cut(rest, `"`)
	if status != 200 || !strings.HasPrefix(op, parent+"/operations/") {
		t.Fatalf("create: %d %s", status, doc)
	}
	if status, doc := s.plain(t, "POST", "/v2/"+op+":wait", `{"timeout":"60s"}`); status != 200 || !strings.Contains(doc, `"done":true`) {
		t.Errorf("wait: %d %s", status, doc)
	}
	if status, doc := s.plain(t, "GET", "/v2/"+parent+"/operations", ""); status != 200 || !strings.Contains(doc, op) {
		t.Errorf("list: %d %s", status, doc)
	}
	if status, doc := s.plain(t, "GET", "/v2/"+parent+"/services/a/b", ""); status != 404 {
		t.Errorf("no such path: %d %s", status, doc)
	}
}
