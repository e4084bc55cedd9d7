package appenginev1_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gae "cloud.google.com/go/appengine/apiv1"
	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/appengine/appenginetest"
	"github.com/sunya-cloud/sunya/internal/wire/appenginev1"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
	"github.com/sunya-cloud/sunya/internal/wire/transcode"
)

// server is the API on a loopback port, over HTTP/1.1 and h2c.
type server struct {
	*httptest.Server
	world *appenginetest.World
	admin *appengine.Admin
}

func newServer(t testing.TB) *server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := appenginetest.New()
	admin := w.Admin()
	api := appenginev1.New(appenginev1.Deps{
		Admin: admin,
		User:  func(context.Context) string { return "ada@example.com" },
		Instances: func(_ context.Context, revision string) ([]sunya.Instance, error) {
			return []sunya.Instance{{ID: "i-1", Revision: revision, State: sunya.InstanceReady}}, nil
		},
	})
	gs := grpc.NewServer(transcode.ServerOptions(log)...)
	api.Register(gs)
	lro.New(w, api.Operations()).Register(gs)
	h, err := transcode.New(gs, appenginev1.Descriptor(), log)
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
	return &server{srv, w, admin}
}

// get fetches a path as curl would.
func (s *server) get(t *testing.T, path string, want int) string {
	t.Helper()
	return s.do(t, http.MethodGet, path, "", nil, want)
}

func (s *server) do(t testing.TB, method, path, body string, header http.Header, want int) string {
	t.Helper()
	status, doc := s.send(t, method, path, body, header)
	if status != want {
		t.Fatalf("%s %s = %d, want %d: %s", method, path, status, want, doc)
	}
	return doc
}

func (s *server) send(t testing.TB, method, path, body string, header http.Header) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		req.Header[k] = v
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

// clients are the official ones.
type clients struct {
	versions *gae.VersionsClient
	services *gae.ServicesClient
	apps     *gae.ApplicationsClient
	firewall *gae.FirewallClient
	instance *gae.InstancesClient
}

// each runs a test with the official clients over gRPC and over REST.
func each(t *testing.T, run func(t *testing.T, s *server, c clients)) {
	t.Run("gRPC", func(t *testing.T) {
		s := newServer(t)
		opts := []option.ClientOption{
			option.WithEndpoint(strings.TrimPrefix(s.URL, "http://")),
			option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		}
		ctx := t.Context()
		var c clients
		var errs [5]error
		c.versions, errs[0] = gae.NewVersionsClient(ctx, opts...)
		c.services, errs[1] = gae.NewServicesClient(ctx, opts...)
		c.apps, errs[2] = gae.NewApplicationsClient(ctx, opts...)
		c.firewall, errs[3] = gae.NewFirewallClient(ctx, opts...)
		c.instance, errs[4] = gae.NewInstancesClient(ctx, opts...)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			c.versions.Close()
			c.services.Close()
			c.apps.Close()
			c.firewall.Close()
			c.instance.Close()
		})
		run(t, s, c)
	})
	t.Run("REST", func(t *testing.T) {
		s := newServer(t)
		opts := []option.ClientOption{option.WithEndpoint(s.URL), option.WithoutAuthentication(), option.WithHTTPClient(s.Client())}
		ctx := t.Context()
		var c clients
		var errs [5]error
		c.versions, errs[0] = gae.NewVersionsRESTClient(ctx, opts...)
		c.services, errs[1] = gae.NewServicesRESTClient(ctx, opts...)
		c.apps, errs[2] = gae.NewApplicationsRESTClient(ctx, opts...)
		c.firewall, errs[3] = gae.NewFirewallRESTClient(ctx, opts...)
		c.instance, errs[4] = gae.NewInstancesRESTClient(ctx, opts...)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		run(t, s, c)
	})
}

const sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

// version is a version that uses what is understood and what is not.
func version(id string) *appenginepb.Version {
	return &appenginepb.Version{
		Id:           id,
		Runtime:      "python311",
		EnvVariables: map[string]string{"COLOUR": "blue"},
		Handlers: []*appenginepb.UrlMap{{
			UrlRegex:    "/static",
			HandlerType: &appenginepb.UrlMap_StaticFiles{StaticFiles: &appenginepb.StaticFilesHandler{Path: "static", UploadPathRegex: "static"}},
		}, {
			UrlRegex:    ".*",
			HandlerType: &appenginepb.UrlMap_Script{Script: &appenginepb.ScriptHandler{ScriptPath: "auto"}},
		}},
		BetaSettings: map[string]string{"cloud_sql_instances": "p:r:i"},
		Scaling: &appenginepb.Version_AutomaticScaling{AutomaticScaling: &appenginepb.AutomaticScaling{
			MaxConcurrentRequests: 40,
			StandardSchedulerSettings: &appenginepb.StandardSchedulerSettings{
				MaxInstances: 3,
			},
		}},
		Entrypoint: &appenginepb.Entrypoint{Command: &appenginepb.Entrypoint_Shell{Shell: "gunicorn main:app"}},
		Deployment: &appenginepb.Deployment{Files: map[string]*appenginepb.FileInfo{
			"main.py": {SourceUrl: "https://storage.googleapis.com/staging.sunya.appspot.com/" + sha1, Sha1Sum: sha1},
		}},
	}
}

const parent = "apps/sunya/services/default"

// deploy creates a version and ends its deployment.
func (s *server) deploy(t *testing.T, c clients, service, id string) *appenginepb.Version {
	t.Helper()
	s.world.Upload("staging.sunya.appspot.com", sha1, 12)
	op, err := c.versions.CreateVersion(t.Context(), &appenginepb.CreateVersionRequest{
		Parent: "apps/sunya/services/" + service, Version: version(id),
	})
	if err != nil {
		t.Fatalf("CreateVersion: %v", err)
	}
	if err := s.world.Deploy(t.Context(), s.admin, nil); err != nil {
		t.Fatal(err)
	}
	v, err := op.Wait(t.Context())
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	return v
}

func TestClientsDeployVersion(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		ctx := t.Context()
		s.world.Upload("staging.sunya.appspot.com", sha1, 12)
		op, err := c.versions.CreateVersion(ctx, &appenginepb.CreateVersionRequest{Parent: parent, Version: version("v1")})
		if err != nil {
			t.Fatalf("CreateVersion: %v", err)
		}
		if op.Done() {
			t.Error("the operation is done before anything is built")
		}
		// The Go client's Metadata() expects another type than Google's own
		// server sends; gcloud reads OperationMetadataV1.
		raw := &longrunningpb.Operation{}
		if err := protojson.Unmarshal([]byte(s.get(t, "/v1/"+op.Name(), http.StatusOK)), raw); err != nil {
			t.Fatal(err)
		}
		meta := &appenginepb.OperationMetadataV1{}
		if err := raw.GetMetadata().UnmarshalTo(meta); err != nil {
			t.Fatal(err)
		}
		want := []string{"betaSettings: not supported yet; it is stored and has no effect"}
		if diff := cmp.Diff(want, meta.GetWarning()); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
		if meta.GetMethod() != "google.appengine.v1.Versions.CreateVersion" || meta.GetTarget() != parent+"/versions/v1" ||
			meta.GetUser() != "ada@example.com" || meta.GetCreateVersionMetadata().GetCloudBuildId() == "" {
			t.Errorf("metadata = %v", meta)
		}
		if err := s.world.Deploy(ctx, s.admin, nil); err != nil {
			t.Fatal(err)
		}
		v, err := op.Wait(ctx)
		if err != nil {
			t.Fatalf("Wait: %v", err)
		}
		if v.GetName() != parent+"/versions/v1" || v.GetServingStatus() != appenginepb.ServingStatus_SERVING ||
			v.GetVersionUrl() != "http://v1-dot-default-dot-sunya.localhost:8080" || v.GetDiskUsageBytes() != 12 {
			t.Errorf("version = %v", v)
		}
	})
}

func TestClientsReadVersion(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		s.deploy(t, c, "default", "v1")
		name := parent + "/versions/v1"
		basic, err := c.versions.GetVersion(t.Context(), &appenginepb.GetVersionRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if basic.GetEnvVariables() != nil || basic.GetDeployment() != nil || basic.GetHandlers() != nil {
			t.Errorf("BASIC shows what only FULL may: %v", basic)
		}
		full, err := c.versions.GetVersion(t.Context(), &appenginepb.GetVersionRequest{Name: name, View: appenginepb.VersionView_FULL})
		if err != nil {
			t.Fatal(err)
		}
		sent := version("v1")
		got := &appenginepb.Version{
			Id: full.Id, Runtime: full.Runtime, EnvVariables: full.EnvVariables, Handlers: full.Handlers,
			Scaling: full.Scaling, Entrypoint: full.Entrypoint, Deployment: full.Deployment, BetaSettings: full.BetaSettings,
		}
		if diff := cmp.Diff(sent, got, protocmp.Transform()); diff != "" {
			t.Errorf("what was sent is not what came back (-sent +got):\n%s", diff)
		}
	})
}

func TestClientsListWithPaging(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		var want []string
		for i := range 5 {
			id := fmt.Sprintf("v%d", i)
			want = append(want, id)
			s.deploy(t, c, "default", id)
		}
		s.deploy(t, c, "worker", "w1")
		var got []string
		it := c.versions.ListVersions(t.Context(), &appenginepb.ListVersionsRequest{Parent: parent, PageSize: 2})
		for {
			v, err := it.Next()
			if errors.Is(err, iterator.Done) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v.GetId())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
		svcs := c.services.ListServices(t.Context(), &appenginepb.ListServicesRequest{Parent: "apps/sunya", PageSize: 1})
		for _, id := range []string{"default", "worker"} {
			if svc, err := svcs.Next(); err != nil || svc.GetId() != id {
				t.Errorf("Next = %v, %v, want %s", svc, err, id)
			}
		}
		if _, err := svcs.Next(); !errors.Is(err, iterator.Done) {
			t.Errorf("after the last service: %v", err)
		}
	})
}

func TestClientsMoveTrafficAndDelete(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		ctx := t.Context()
		s.deploy(t, c, "default", "v1")
		s.deploy(t, c, "default", "v2")
		del := &appenginepb.DeleteVersionRequest{Name: parent + "/versions/v1"}
		_, err := c.versions.DeleteVersion(ctx, del)
		wantCode(t, err, codes.FailedPrecondition, "serves traffic")

		op, err := c.services.UpdateService(ctx, &appenginepb.UpdateServiceRequest{
			Name:       parent,
			Service:    &appenginepb.Service{Split: &appenginepb.TrafficSplit{Allocations: map[string]float64{"v2": 1}}},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"split"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		svc, err := op.Wait(ctx)
		if err != nil || svc.GetSplit().GetAllocations()["v2"] != 1 {
			t.Fatalf("Wait = %v, %v", svc, err)
		}
		gone, err := c.versions.DeleteVersion(ctx, del)
		if err != nil {
			t.Fatal(err)
		}
		if err := gone.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		_, err = c.versions.GetVersion(ctx, &appenginepb.GetVersionRequest{Name: del.Name})
		wantCode(t, err, codes.NotFound, "version not found")
	})
}

func TestClientsSeeErrors(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		ctx := t.Context()
		bad := version("v1")
		bad.Runtime = "cobol85"
		s.world.Upload("staging.sunya.appspot.com", sha1, 12)
		_, err := c.versions.CreateVersion(ctx, &appenginepb.CreateVersionRequest{Parent: parent, Version: bad})
		wantCode(t, err, codes.InvalidArgument, "nodejs22, python311")
		var api *apierror.APIError
		if !errors.As(err, &api) || api.Details().BadRequest.GetFieldViolations()[0].GetField() != "version.runtime" {
			t.Errorf("no field violation in %v", err)
		}
		_, err = c.firewall.GetIngressRule(ctx, &appenginepb.GetIngressRuleRequest{Name: "apps/sunya/firewall/ingressRules/1"})
		wantCode(t, err, codes.Unimplemented, "firewall rules")
		_, err = c.apps.GetApplication(ctx, &appenginepb.GetApplicationRequest{Name: "apps/Bad_Name"})
		wantCode(t, err, codes.InvalidArgument, "not a project id")
	})
}

func TestClientsSeeFailedDeploy(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		ctx := t.Context()
		s.world.Upload("staging.sunya.appspot.com", sha1, 12)
		op, err := c.versions.CreateVersion(ctx, &appenginepb.CreateVersionRequest{Parent: parent, Version: version("v1")})
		if err != nil {
			t.Fatal(err)
		}
		cause := sunya.Errorf(sunya.FailedPrecondition, "", "requirements.txt: no such package")
		if err := s.world.Deploy(ctx, s.admin, cause); err != nil {
			t.Fatal(err)
		}
		_, err = op.Wait(ctx)
		wantCode(t, err, codes.FailedPrecondition, "no such package")
		var api *apierror.APIError
		if !errors.As(err, &api) || api.Reason() != sunya.ReasonBuildFailed || len(api.Details().DebugInfo.GetStackEntries()) != 1 {
			t.Errorf("reason or log lines are missing in %v", err)
		}
		_, err = c.versions.GetVersion(ctx, &appenginepb.GetVersionRequest{Name: parent + "/versions/v1"})
		wantCode(t, err, codes.NotFound, "")
	})
}

func TestClientsApplicationAndInstances(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		ctx := t.Context()
		app, err := c.apps.GetApplication(ctx, &appenginepb.GetApplicationRequest{Name: "apps/sunya"})
		if err != nil {
			t.Fatal(err)
		}
		want := &appenginepb.Application{
			Name: "apps/sunya", Id: "sunya", LocationId: "local", CodeBucket: "staging.sunya.appspot.com",
			DefaultBucket: "sunya.appspot.com", DefaultHostname: "sunya.localhost:8080",
			ServiceAccount: "sunya@appspot.gserviceaccount.com",
			ServingStatus:  appenginepb.Application_SERVING,
		}
		if diff := cmp.Diff(want, app, protocmp.Transform()); diff != "" {
			t.Errorf("application (-want +got):\n%s", diff)
		}
		op, err := c.apps.RepairApplication(ctx, &appenginepb.RepairApplicationRequest{Name: "apps/sunya"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(ctx); err != nil {
			t.Error(err)
		}
		s.deploy(t, c, "default", "v1")
		inst, err := c.instance.ListInstances(ctx, &appenginepb.ListInstancesRequest{Parent: parent + "/versions/v1"}).Next()
		if err != nil || inst.GetId() != "i-1" {
			t.Errorf("instance = %v, %v", inst, err)
		}
	})
}

// wantCode checks code and text of an error from either kind of client.
func wantCode(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	var api *apierror.APIError
	if !errors.As(err, &api) {
		t.Errorf("err = %v, want an API error", err)
		return
	}
	if !strings.Contains(err.Error(), text) {
		t.Errorf("err = %v, want %q in it", err, text)
	}
	if http := api.HTTPCode(); http > 0 {
		if want := sunya.Code(code).HTTP(); http != want {
			t.Errorf("HTTP status = %d, want %d", http, want)
		}
		return
	}
	if got := api.GRPCStatus().Code(); got != code {
		t.Errorf("code = %v, want %v", got, code)
	}
}
