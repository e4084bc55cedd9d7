package runv1_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya/internal/core/run/runtest"
	"github.com/sunya-cloud/sunya/internal/wire/runv1"
)

// server is the API on a loopback port, with the official client.
type server struct {
	*knative.APIService
	t     *testing.T
	world *runtest.World
	url   string
}

const (
	namespace = "namespaces/sunya"
	regional  = "us-central1-run.api.localhost" // the host that gcloud calls
)

func newServer(t *testing.T) *server {
	t.Helper()
	w := runtest.New()
	api := runv1.New(runv1.Deps{
		Admin: w.Admin(), URL: func(label string) string { return "http://" + label + ".localhost" }, Location: "local",
		Functions: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"etag":"ZnVuY3Rpb24="}`) }),
		Log:       slog.New(slog.DiscardHandler),
	})
	srv := httptest.NewServer(mux(api))
	t.Cleanup(srv.Close)
	client, err := knative.NewService(t.Context(), option.WithEndpoint(srv.URL), option.WithHTTPClient(&http.Client{Transport: named{regional}}))
	if err != nil {
		t.Fatal(err)
	}
	return &server{client, t, w, srv.URL}
}

// mux serves the routes of the API; its "*" are segments.
func mux(api *runv1.API) http.Handler {
	m := http.NewServeMux()
	seen := map[string]bool{}
	for _, r := range api.Routes() {
		if pattern := r.Method + " " + strings.ReplaceAll(r.Pattern, "*", "{}"); !seen[pattern] {
			seen[pattern] = true
			for _, name := range []string{"{a}", "{b}", "{c}"} {
				pattern = strings.Replace(pattern, "{}", name, 1)
			}
			m.Handle(pattern, r.Handler)
		}
	}
	return m
}

// named calls a server by another name than its address.
type named struct{ host string }

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = n.host
	return http.DefaultTransport.RoundTrip(r)
}

// hello is a service as gcloud sends it.
func hello() *knative.Service {
	return &knative.Service{
		ApiVersion: "serving.knative.dev/v1", Kind: "Service",
		Metadata: &knative.ObjectMeta{Name: "hello", Namespace: "sunya", Annotations: map[string]string{"run.googleapis.com/client-name": "gcloud"}},
		Spec: &knative.ServiceSpec{Template: &knative.RevisionTemplate{
			Metadata: &knative.ObjectMeta{Labels: map[string]string{"client.knative.dev/nonce": "abcdefghij"}},
			Spec:     &knative.RevisionSpec{Containers: []*knative.Container{{Image: "gcr.io/sunya/hello:v1"}}},
		}},
	}
}

func (s *server) create(k *knative.Service) *knative.Service {
	s.t.Helper()
	if _, err := s.Namespaces.Services.Create(namespace, k).Do(); err != nil {
		s.t.Fatal(err)
	}
	s.world.Deploy(s.t.Context())
	return s.get(k.Metadata.Name)
}

func (s *server) get(id string) *knative.Service {
	s.t.Helper()
	out, err := s.Namespaces.Services.Get(namespace + "/services/" + id).Do()
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *server) replace(k *knative.Service) *knative.Service {
	s.t.Helper()
	if _, err := s.Namespaces.Services.ReplaceService(namespace+"/services/"+k.Metadata.Name, k).Do(); err != nil {
		s.t.Fatal(err)
	}
	s.world.Deploy(s.t.Context())
	return s.get(k.Metadata.Name)
}

// refused expects an error of a status that says what.
func refused(t *testing.T, err error, code int, what string) {
	t.Helper()
	var e *googleapi.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, what) {
		t.Errorf("error = %v, want %d with %q", err, code, what)
	}
}

func condition(cs []*knative.GoogleCloudRunV1Condition, kind string) *knative.GoogleCloudRunV1Condition {
	for _, c := range cs {
		if c.Type == kind {
			return c
		}
	}
	return &knative.GoogleCloudRunV1Condition{}
}

// TestCompletion is the protocol by which clients know that they may stop to
// wait: the generation is the observed one, and Ready is True or False.
func TestCompletion(t *testing.T) {
	s := newServer(t)
	made, err := s.Namespaces.Services.Create(namespace, hello()).Do()
	if err != nil {
		t.Fatal(err)
	}
	if made.Metadata.Generation == made.Status.ObservedGeneration || condition(made.Status.Conditions, "Ready").Status != "Unknown" {
		t.Errorf("a service that is being made looks done: %v, %v", made.Metadata, made.Status)
	}
	if made.Metadata.Annotations["run.googleapis.com/operation-id"] != "" {
		t.Error("an operation is named, for which clients would wait in another way")
	}
	s.world.Deploy(t.Context())
	got := s.get("hello")
	if got.Metadata.Generation != got.Status.ObservedGeneration {
		t.Errorf("generation %d, observed %d", got.Metadata.Generation, got.Status.ObservedGeneration)
	}
	for _, kind := range []string{"Ready", "ConfigurationsReady", "RoutesReady"} {
		if c := condition(got.Status.Conditions, kind); c.Status != "True" || c.LastTransitionTime == "" {
			t.Errorf("%s = %+v", kind, c)
		}
	}
	if got.Status.Url != "http://hello.localhost" || got.Status.Address.Url != got.Status.Url || got.Status.LatestReadyRevisionName != got.Status.LatestCreatedRevisionName {
		t.Errorf("status = %+v", got.Status)
	}
	if diff := cmp.Diff([]*knative.TrafficTarget{{LatestRevision: true, Percent: 100, RevisionName: got.Status.LatestReadyRevisionName}}, got.Status.Traffic); diff != "" {
		t.Errorf("status.traffic (-want +got):\n%s", diff)
	}

	got.Spec.Template.Spec.Containers[0].Image = "gcr.io/sunya/silent"
	got = s.replace(got)
	if c := condition(got.Status.Conditions, "Ready"); c.Status != "False" || c.Reason != "HealthCheckContainerError" || !strings.Contains(c.Message, "nothing listens") {
		t.Errorf("Ready = %+v", c)
	}
	if got.Status.LatestReadyRevisionName == got.Status.LatestCreatedRevisionName {
		t.Error("what failed is ready")
	}
}

// What was read and is sent again unchanged changes nothing: no revision is made.
func TestReplaceWithWhatWasRead(t *testing.T) {
	s := newServer(t)
	k := hello()
	k.Metadata.Labels = map[string]string{"team": "a"}
	k.Spec.Template.Metadata.Annotations = map[string]string{"autoscaling.knative.dev/maxScale": "3", "run.googleapis.com/cpu-throttling": "false", "mine": "x"}
	before := s.create(k)
	after := s.replace(before)
	if diff := cmp.Diff(before, after, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".ServerResponse" }, cmp.Ignore())); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// A startup probe that nobody asked for goes with the port.
func TestPortTakesItsProbeAlong(t *testing.T) {
	s := newServer(t)
	k := s.create(hello())
	if k.Spec.Template.Metadata.Labels["run.googleapis.com/startupProbeType"] != "Default" {
		t.Errorf("labels = %v", k.Spec.Template.Metadata.Labels)
	}
	k.Spec.Template.Spec.Containers[0].Ports[0].ContainerPort = 9000
	c := s.replace(k).Spec.Template.Spec.Containers[0]
	if c.StartupProbe.TcpSocket.Port != 9000 {
		t.Errorf("startup probe = %+v", c.StartupProbe.TcpSocket)
	}
}

func TestResourceVersion(t *testing.T) {
	s := newServer(t)
	old := s.create(hello())
	k := s.get("hello")
	k.Metadata.Annotations["run.googleapis.com/description"] = "x"
	s.replace(k)
	old.Metadata.Annotations["run.googleapis.com/description"] = "y"
	_, err := s.Namespaces.Services.ReplaceService(namespace+"/services/hello", old).Do()
	refused(t, err, http.StatusConflict, "has changed since it was read")
	old.Metadata.ResourceVersion = "" // the last write wins
	if got := s.replace(old); got.Metadata.Annotations["run.googleapis.com/description"] != "y" {
		t.Errorf("annotations = %v", got.Metadata.Annotations)
	}
}

func TestDryRun(t *testing.T) {
	s := newServer(t)
	if _, err := s.Namespaces.Services.Create(namespace, hello()).DryRun("all").Do(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Namespaces.Services.Get(namespace + "/services/hello").Do()
	refused(t, err, http.StatusNotFound, "not found")
	_, err = s.Namespaces.Services.Create(namespace, hello()).DryRun("some").Do()
	refused(t, err, http.StatusBadRequest, "use all")
	k := s.create(hello())
	k.Spec.Template.Spec.Containers[0].Image = "other"
	if _, err := s.Namespaces.Services.ReplaceService(namespace+"/services/hello", k).DryRun("all").Do(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Namespaces.Services.Delete(namespace + "/services/hello").DryRun("all").Do(); err != nil {
		t.Fatal(err)
	}
	if got := s.get("hello"); got.Spec.Template.Spec.Containers[0].Image != "gcr.io/sunya/hello:v1" || got.Metadata.Generation != 1 {
		t.Errorf("a dry run changed the service: %v", got.Metadata)
	}
}

func TestDelete(t *testing.T) {
	s := newServer(t)
	s.create(hello())
	done, err := s.Namespaces.Services.Delete(namespace + "/services/hello").Do()
	if err != nil || done.Status != "Success" {
		t.Errorf("delete = %v, %v", done, err)
	}
	_, err = s.Namespaces.Services.Get(namespace + "/services/hello").Do()
	refused(t, err, http.StatusNotFound, "service not found")
	_, err = s.Namespaces.Services.Delete(namespace + "/services/hello").Do()
	refused(t, err, http.StatusNotFound, "service not found")
}

func TestRevisions(t *testing.T) {
	s := newServer(t)
	first := s.create(hello()).Status.LatestReadyRevisionName
	k := s.get("hello")
	k.Spec.Template.Metadata.Labels["client.knative.dev/nonce"] = "another"
	second := s.replace(k).Status.LatestReadyRevisionName
	other := hello()
	other.Metadata.Name = "hello-2" // begins as the other does
	s.create(other)

	list := func(selector string, limit int64, after string) *knative.ListRevisionsResponse {
		t.Helper()
		out, err := s.Namespaces.Revisions.List(namespace).LabelSelector(selector).Limit(limit).Continue(after).Do()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	names := func(r *knative.ListRevisionsResponse) (out []string) {
		for _, item := range r.Items {
			out = append(out, item.Metadata.Name)
		}
		return out
	}
	if got := names(list("client.knative.dev/nonce = another", 0, "")); !cmp.Equal(got, []string{second}) {
		t.Errorf("by nonce: %v", got)
	}
	if got := names(list("serving.knative.dev/service=hello", 0, "")); !cmp.Equal(got, []string{first, second}) {
		t.Errorf("by service: %v", got)
	}
	page := list("", 2, "")
	rest := list("", 2, page.Metadata.Continue)
	if len(page.Items) != 2 || len(rest.Items) != 1 || rest.Metadata.Continue != "" {
		t.Errorf("pages: %v, %v", names(page), names(rest))
	}
	_, err := s.Namespaces.Revisions.List(namespace).LabelSelector("a in b").Do()
	refused(t, err, http.StatusBadRequest, "labelSelector")

	old, err := s.Namespaces.Revisions.Get(namespace + "/revisions/" + first).Do()
	if err != nil {
		t.Fatal(err)
	}
	if c := condition(old.Status.Conditions, "Active"); c.Status != "False" || c.Reason != "Retired" {
		t.Errorf("a revision without traffic: %+v", c)
	}
	if old.Metadata.Labels["serving.knative.dev/configurationGeneration"] != "1" || old.Metadata.OwnerReferences[0].Name != "hello" || !strings.Contains(old.Status.ImageDigest, "@sha256:") {
		t.Errorf("revision = %+v, %+v", old.Metadata, old.Status)
	}
	_, err = s.Namespaces.Revisions.Delete(namespace + "/revisions/" + second).Do()
	refused(t, err, http.StatusBadRequest, "traffic")
	if _, err := s.Namespaces.Revisions.Delete(namespace + "/revisions/" + first).Do(); err != nil {
		t.Error(err)
	}
	_, err = s.Namespaces.Revisions.Get(namespace + "/revisions/" + first).Do()
	refused(t, err, http.StatusNotFound, "revision not found")
}

func TestTraffic(t *testing.T) {
	s := newServer(t)
	k := s.create(hello())
	first := k.Status.LatestReadyRevisionName
	k.Spec.Template.Spec.Containers[0].Image = "other"
	k.Spec.Traffic = []*knative.TrafficTarget{{LatestRevision: true, Percent: 10}, {RevisionName: first, Percent: 90}, {RevisionName: first, Tag: "old"}}
	k = s.replace(k)
	want := []*knative.TrafficTarget{
		{LatestRevision: true, RevisionName: k.Status.LatestReadyRevisionName, Percent: 10},
		{RevisionName: first, Percent: 90}, {RevisionName: first, Tag: "old", Url: "http://old---hello.localhost"},
	}
	if diff := cmp.Diff(want, k.Status.Traffic); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	k.Spec.Traffic[0].Percent = 20
	_, err := s.Namespaces.Services.ReplaceService(namespace+"/services/hello", k).Do()
	refused(t, err, http.StatusBadRequest, "spec.traffic: the shares sum to 110")
	k.Spec.Traffic = []*knative.TrafficTarget{{RevisionName: "hello-nope", Percent: 100}}
	_, err = s.Namespaces.Services.ReplaceService(namespace+"/services/hello", k).Do()
	refused(t, err, http.StatusBadRequest, "spec.traffic[0].revisionName")
}

func TestRoutesAndConfigurations(t *testing.T) {
	s := newServer(t)
	s.create(hello())
	route, err := s.Namespaces.Routes.Get(namespace + "/routes/hello").Do()
	if err != nil || route.Status.Url != "http://hello.localhost" || condition(route.Status.Conditions, "Ready").Status != "True" || len(route.Status.Traffic) != 1 {
		t.Errorf("route = %+v, %v", route, err)
	}
	conf, err := s.Namespaces.Configurations.Get(namespace + "/configurations/hello").Do()
	if err != nil || conf.Spec.Template.Spec.Containers[0].Image != "gcr.io/sunya/hello:v1" || conf.Status.LatestReadyRevisionName == "" {
		t.Errorf("configuration = %+v, %v", conf, err)
	}
	routes, err := s.Namespaces.Routes.List(namespace).Do()
	confs, err2 := s.Namespaces.Configurations.List(namespace).Do()
	if err := errors.Join(err, err2); err != nil || len(routes.Items) != 1 || len(confs.Items) != 1 {
		t.Errorf("lists: %v, %v, %v", routes, confs, err)
	}
}

func TestPolicy(t *testing.T) {
	s := newServer(t)
	s.create(hello())
	const name = "projects/sunya/locations/us-central1/services/hello"
	svc := s.Projects.Locations.Services
	can, err := svc.TestIamPermissions(name, &knative.TestIamPermissionsRequest{Permissions: []string{"run.services.setIamPolicy"}}).Do()
	if err != nil || len(can.Permissions) != 1 {
		t.Errorf("permissions = %v, %v", can, err)
	}
	p, err := svc.GetIamPolicy(name).OptionsRequestedPolicyVersion(3).Do()
	if err != nil || len(p.Bindings) != 0 || p.Etag == "" {
		t.Fatalf("policy = %v, %v", p, err)
	}
	stale := p.Etag
	p.Bindings = []*knative.Binding{{Role: "roles/run.invoker", Members: []string{"allUsers"}}}
	if p, err = svc.SetIamPolicy(name, &knative.SetIamPolicyRequest{Policy: p}).Do(); err != nil || p.Bindings[0].Members[0] != "allUsers" {
		t.Fatalf("policy = %v, %v", p, err)
	}
	p.Etag = stale
	_, err = svc.SetIamPolicy(name, &knative.SetIamPolicyRequest{Policy: p}).Do()
	refused(t, err, http.StatusConflict, "changed since it was read")
	p.Etag, p.Bindings[0].Role = "", "roles/owner"
	_, err = svc.SetIamPolicy(name, &knative.SetIamPolicyRequest{Policy: p}).Do()
	refused(t, err, http.StatusNotImplemented, "only roles/run.invoker")
	// What is no service may be a function.
	p, err = svc.GetIamPolicy("projects/sunya/locations/us-central1/services/fun").Do()
	if err != nil || p.Etag != "ZnVuY3Rpb24=" {
		t.Errorf("policy of a function = %v, %v", p, err)
	}
}

func TestLocations(t *testing.T) {
	s := newServer(t)
	k := hello()
	k.Metadata.Labels = map[string]string{"cloud.googleapis.com/location": "europe-west1"}
	_, err := s.Namespaces.Services.Create(namespace, k).Do()
	refused(t, err, http.StatusBadRequest, "is not the region of the request")
	if _, err := s.Projects.Locations.Services.Create("projects/sunya/locations/europe-west1", k).Do(); err != nil {
		t.Fatal(err)
	}
	s.world.Deploy(t.Context())
	s.create(hello())
	here, err := s.Namespaces.Services.List(namespace).Do()
	everywhere, err2 := s.Projects.Locations.Services.List("projects/sunya/locations/-").Do()
	if err := errors.Join(err, err2); err != nil || len(here.Items) != 1 || len(everywhere.Items) != 2 {
		t.Errorf("lists: %v, %v, %v", here, everywhere, err)
	}
	all, err := s.Projects.Locations.List("projects/sunya").Do()
	if err != nil || len(all.Locations) != 3 {
		t.Errorf("locations = %v, %v", all, err)
	}
	// Without a region a service is found wherever it is.
	plain, err := knative.NewService(t.Context(), option.WithEndpoint(s.url), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	both, err := plain.Namespaces.Services.List(namespace).Do()
	if err != nil || len(both.Items) != 2 {
		t.Errorf("list without a region = %v, %v", both, err)
	}
	if _, err := plain.Namespaces.Services.Get(namespace + "/services/hello").Do(); err != nil {
		t.Error(err)
	}
}

// TestAnnotations: each stands for a field of v2, and comes back.
func TestAnnotations(t *testing.T) {
	for _, tt := range []struct {
		template   bool
		key, value string
		want       string // what comes back; empty: value
	}{
		{false, "run.googleapis.com/ingress", "internal", ""},
		{false, "run.googleapis.com/ingress", "internal-and-cloud-load-balancing", ""},
		{false, "run.googleapis.com/launch-stage", "BETA", ""},
		{false, "run.googleapis.com/description", "what it is for", ""},
		{false, "run.googleapis.com/client-version", "528", ""},
		{false, "run.googleapis.com/minScale", "1", ""},
		{false, "run.googleapis.com/maxScale", "7", ""},
		{false, "run.googleapis.com/invoker-iam-disabled", "true", ""},
		{false, "run.googleapis.com/custom-audiences", `["https://x.example"]`, ""},
		{false, "run.googleapis.com/build-image-uri", "gcr.io/a/b", ""},
		{false, "run.googleapis.com/build-enable-automatic-updates", "true", ""},
		{false, "run.googleapis.com/build-environment-variables", `{"A":"1"}`, ""},
		{false, "example.com/mine", "x", ""},
		{false, "run.googleapis.com/operation-id", "x", "-"},
		{true, "autoscaling.knative.dev/minScale", "1", ""},
		{true, "autoscaling.knative.dev/maxScale", "7", ""},
		{true, "run.googleapis.com/cpu-throttling", "false", ""},
		{true, "run.googleapis.com/cpu-throttling", "true", "-"},
		{true, "run.googleapis.com/startup-cpu-boost", "true", ""},
		{true, "run.googleapis.com/execution-environment", "gen2", ""},
		{true, "run.googleapis.com/sessionAffinity", "true", ""},
		{true, "run.googleapis.com/health-check-disabled", "true", ""},
		{true, "client.knative.dev/user-image", "gcr.io/a/b", ""},
	} {
		t.Run(tt.key+"="+tt.value, func(t *testing.T) {
			s := newServer(t)
			k := hello()
			meta := func(k *knative.Service) *knative.ObjectMeta {
				if tt.template {
					return k.Spec.Template.Metadata
				}
				return k.Metadata
			}
			meta(k).Annotations = map[string]string{tt.key: tt.value}
			want := tt.want
			if want == "" {
				want = tt.value
			}
			if got := meta(s.create(k)).Annotations[tt.key]; got != want && !(want == "-" && got == "") {
				t.Errorf("%s = %q, want %q", tt.key, got, want)
			}
		})
	}
}

// What has no effect is said in a condition that is none of an error's.
func TestWarnings(t *testing.T) {
	s := newServer(t)
	k := hello()
	k.Metadata.Annotations["run.googleapis.com/ingress"] = "internal-and-cloud-load-balancing"
	c := condition(s.create(k).Status.Conditions, "AllFieldsApplied")
	if c.Severity != "Warning" || !strings.Contains(c.Message, "load balancers") {
		t.Errorf("condition = %+v", c)
	}
}

func TestContainerDependencies(t *testing.T) {
	s := newServer(t)
	k := hello()
	const key, value = "run.googleapis.com/container-dependencies", `{"web":["cache"]}`
	k.Spec.Template.Metadata.Annotations = map[string]string{key: value}
	k.Spec.Template.Spec.Containers = []*knative.Container{
		{Name: "web", Image: "a", Ports: []*knative.ContainerPort{{ContainerPort: 80, Name: "h2c"}}, VolumeMounts: []*knative.VolumeMount{{Name: "v", MountPath: "/v"}}},
		{Name: "cache", Image: "b", StartupProbe: &knative.Probe{TcpSocket: &knative.TCPSocketAction{Port: 6379}, PeriodSeconds: 2}},
	}
	k.Spec.Template.Spec.Volumes = []*knative.Volume{{Name: "v", EmptyDir: &knative.EmptyDirVolumeSource{Medium: "Memory", SizeLimit: "1Mi"}}}
	got := s.create(k).Spec.Template
	if got.Metadata.Annotations[key] != value || got.Spec.Containers[1].StartupProbe.PeriodSeconds != 2 || got.Spec.Volumes[0].EmptyDir.SizeLimit != "1Mi" ||
		got.Spec.Containers[0].Ports[0].Name != "h2c" || got.Spec.Containers[0].VolumeMounts[0].MountPath != "/v" {
		t.Errorf("template = %+v", got.Spec)
	}
}

// TestBadServices: every error names the field in this API's words.
func TestBadServices(t *testing.T) {
	c := func(k *knative.Service) *knative.Container { return k.Spec.Template.Spec.Containers[0] }
	for _, tt := range []struct {
		rule   string
		change func(*knative.Service)
		code   int
		want   string
	}{
		{"another version", func(k *knative.Service) { k.ApiVersion = "v1" }, 400, "apiVersion"},
		{"another kind", func(k *knative.Service) { k.Kind = "Job" }, 400, "kind"},
		{"no name", func(k *knative.Service) { k.Metadata.Name = "" }, 400, "metadata.name"},
		{"a bad name", func(k *knative.Service) { k.Metadata.Name = "Hello" }, 400, "metadata.name"},
		{"another project", func(k *knative.Service) { k.Metadata.Namespace = "other" }, 400, "metadata.namespace"},
		{"no template", func(k *knative.Service) { k.Spec.Template = nil }, 400, "spec.template.spec: is missing"},
		{"no containers", func(k *knative.Service) { k.Spec.Template.Spec.Containers = nil }, 400, "spec.template.spec.containers"},
		{"no image", func(k *knative.Service) { c(k).Image = "" }, 400, "spec.template.spec.containers[0].image"},
		{"memory", func(k *knative.Service) {
			c(k).Resources = &knative.ResourceRequirements{Limits: map[string]string{"memory": "12Q"}}
		}, 400, "spec.template.spec.containers[0].resources.limits[memory]"},
		{"a port", func(k *knative.Service) { c(k).Ports = []*knative.ContainerPort{{ContainerPort: 1 << 40}} }, 400, "spec.template.spec.containers[0].ports[0].containerPort"},
		{"a probe", func(k *knative.Service) { c(k).LivenessProbe = &knative.Probe{} }, 400, "spec.template.spec.containers[0].livenessProbe"},
		{"two probes in one", func(k *knative.Service) {
			c(k).LivenessProbe = &knative.Probe{Grpc: &knative.GRPCAction{}, TcpSocket: &knative.TCPSocketAction{}}
		}, 400, "asks in 2 ways"},
		{"an exec probe", func(k *knative.Service) { c(k).LivenessProbe = &knative.Probe{Exec: &knative.ExecAction{}} }, 501, "livenessProbe.exec"},
		{"a secret", func(k *knative.Service) {
			c(k).Env = []*knative.EnvVar{{Name: "A", ValueFrom: &knative.EnvVarSource{}}}
		}, 501, "no Secret Manager"},
		{"all variables of a secret", func(k *knative.Service) { c(k).EnvFrom = []*knative.EnvFromSource{{}} }, 501, "envFrom"},
		{"timeout", func(k *knative.Service) { k.Spec.Template.Spec.TimeoutSeconds = 4000 }, 400, "spec.template.spec.timeoutSeconds"},
		{"concurrency", func(k *knative.Service) { k.Spec.Template.Spec.ContainerConcurrency = 1 << 40 }, 400, "spec.template.spec.containerConcurrency"},
		{"an unknown annotation", func(k *knative.Service) { k.Metadata.Annotations["run.googleapis.com/wrong"] = "x" }, 400, "metadata.annotations[run.googleapis.com/wrong]"},
		{"an unknown annotation of the template", func(k *knative.Service) {
			k.Spec.Template.Metadata.Annotations = map[string]string{"autoscaling.knative.dev/target": "x"}
		}, 400, "spec.template.metadata.annotations[autoscaling.knative.dev/target]"},
		{"a number", func(k *knative.Service) {
			k.Spec.Template.Metadata.Annotations = map[string]string{"autoscaling.knative.dev/maxScale": "many"}
		}, 400, "spec.template.metadata.annotations[autoscaling.knative.dev/maxScale]: \"many\""},
		{"ingress", func(k *knative.Service) { k.Metadata.Annotations["run.googleapis.com/ingress"] = "most" }, 400, "use one of all, internal"},
		{"a connector", func(k *knative.Service) {
			k.Spec.Template.Metadata.Annotations = map[string]string{"run.googleapis.com/vpc-access-connector": "x"}
		}, 501, "there are no VPC networks"},
		{"dependencies of nobody", func(k *knative.Service) {
			k.Spec.Template.Metadata.Annotations = map[string]string{"run.googleapis.com/container-dependencies": `{"a":[]}`}
		}, 400, `"a" is not the name of a container`},
		{"a revision's name", func(k *knative.Service) { k.Spec.Template.Metadata.Name = "other" }, 400, "spec.template.metadata.name"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			s := newServer(t)
			k := hello()
			tt.change(k)
			_, err := s.Namespaces.Services.Create(namespace, k).Do()
			refused(t, err, tt.code, tt.want)
		})
	}
}

// TestBadDocuments: what is no service at all.
func TestBadDocuments(t *testing.T) {
	s := newServer(t)
	for body, want := range map[string]string{
		"":                            "not JSON",
		"[]":                          "not allowed",
		`{"kind":`:                    "not JSON",
		`{"kindd":"Service"}`:         "kindd: is not a field",
		`{"spec":{"traffic":"x"}}`:    "spec.traffic",
		`{"metadata":{"name":1}}`:     "metadata.name",
		`{"spec":{"traffic":[null]}}`: "apiVersion",
		strings.Repeat(" ", 5<<20):    "more than",
		`{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"x"},"spec":{"template":{"spec":{"containers":[null]}}}}`:                         "containers[0]: is null",
		`{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"x"},"spec":{"template":{"spec":{"containers":[{"image":"a","ports":[null]}]}}}}`: "ports[0]: is null",
	} {
		resp, err := http.Post(s.url+"/apis/serving.knative.dev/v1/namespaces/sunya/services", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(answer), want) {
			t.Errorf("%.60q: %d %s, want %q", body, resp.StatusCode, answer, want)
		}
	}
}
