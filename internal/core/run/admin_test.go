package run_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/core/run/runtest"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

var hello = run.Key{Project: "sunya", Location: "local", ID: "hello"}

// world is a World with what tests do in it.
type world struct {
	*runtest.World
	*run.Admin
	t *testing.T
}

func newWorld(t *testing.T) *world {
	w := runtest.New()
	return &world{w, w.Admin(), t}
}

// spec is a service of one image. Its template's document is its image, as a
// client's would differ with it.
func spec(image string) run.Spec {
	return run.Spec{Template: run.Template{
		Containers: []run.Container{{From: sunya.ImageSpec{Reference: image}}},
		Document:   []byte(image),
	}}
}

func to(s run.Spec) run.Make {
	return func(*run.Service) (run.Spec, []string, error) { return s, nil, nil }
}

// with changes the Spec that there is.
func with(f func(*run.Spec)) run.Make {
	return func(now *run.Service) (run.Spec, []string, error) {
		s := now.Spec
		f(&s)
		return s, nil, nil
	}
}

// set changes a service, or makes it, and carries the change out.
func (w *world) set(f run.Make) *run.Service {
	w.t.Helper()
	r, err := w.Update(w.t.Context(), hello, f, run.Request{AllowMissing: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Deploy(w.t.Context())
	op, err := w.Get(w.t.Context(), r.Operation.Name)
	if err != nil || !op.Done {
		w.t.Fatalf("operation = %+v, %v; want it done", op, err)
	}
	return w.now()
}

func (w *world) now() *run.Service {
	w.t.Helper()
	s, err := w.Service(w.t.Context(), hello)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// routes is what the core serves: shares, and hosts of single revisions.
func (w *world) routes() string {
	svc, ok := w.Catalog.Service(hello.Name())
	if !ok {
		return "nothing"
	}
	var out []string
	for _, target := range svc.Traffic.Targets {
		out = append(out, fmt.Sprintf("%s=%d", sunya.ShortRevision(target.Revision)[:11], target.Permille))
	}
	for _, h := range w.Catalog.Table().Hosts(hello.Name()) {
		if h.Revision == "" {
			out = append(out, h.Label)
			continue
		}
		out = append(out, h.Label+"="+sunya.ShortRevision(h.Revision)[:11])
	}
	return strings.Join(out, " ")
}

func (w *world) wantRoutes(want string) {
	w.t.Helper()
	if got := w.routes(); got != want {
		w.t.Errorf("serving %s, want %s", got, want)
	}
}

// states are the conditions of a service.
func states(cs []run.Condition) string {
	var out []string
	for _, c := range cs {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s=%s %s", c.Type, c.State, c.Reason)))
	}
	return strings.Join(out, ", ")
}

const allReady = "Ready=True, ConfigurationsReady=True, RoutesReady=True"

func TestFirstDeployment(t *testing.T) {
	w := newWorld(t)
	r, err := w.Create(t.Context(), hello, to(spec("gcr.io/sunya/hello")), run.Request{Method: "m", User: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	s := w.now()
	if got := states(s.Conditions); got != "Ready=Unknown WAITING_FOR_OPERATION, ConfigurationsReady=Unknown WAITING_FOR_OPERATION, RoutesReady=Unknown WAITING_FOR_OPERATION" {
		t.Errorf("while it is deployed: %s", got)
	}
	if r.Operation.Done || s.Generation != 1 || s.Observed != 0 || s.Creator != "ada@example.com" || s.Ready != "" || !strings.HasPrefix(s.Created, "hello-00001-") {
		t.Errorf("service = %+v, operation = %+v", s, r.Operation)
	}
	d := w.Pending()[0]
	if got := d.Build.Images[""].Reference; got != "gcr.io/sunya/hello" || d.Step != sunya.StepBuilding {
		t.Errorf("deployment of %q at %s", got, d.Step)
	}
	want := []sunya.EnvVar{{Name: "PORT", Value: "8080"}, {Name: "K_SERVICE", Value: "hello"}, {Name: "K_REVISION", Value: s.Created}, {Name: "K_CONFIGURATION", Value: "hello"}}
	if diff := cmp.Diff(want, d.Revision.Env); diff != "" {
		t.Error(diff)
	}
	if rev := d.Revision; rev.MemoryBytes != 512<<20 || rev.CPUMillis != 1000 || rev.Concurrency != 80 || rev.RequestTimeout.Seconds() != 300 || rev.Scaling.Max != 100 || rev.Scaling.NoFreeze {
		t.Errorf("defaults = %+v", rev)
	}
	w.Deploy(t.Context())
	w.wantRoutes("hello-00001=1000 hello")
	s = w.now()
	if got := states(s.Conditions); got != allReady || s.Observed != 1 || s.Ready != s.Created || s.Deployment != "" {
		t.Errorf("service = %+v", s)
	}
	if diff := cmp.Diff([]run.Target{{Latest: true, Revision: s.Ready, Percent: 100}}, s.Served); diff != "" {
		t.Error(diff)
	}
	rev, err := w.Revision(t.Context(), hello, s.Ready)
	if err != nil || !rev.IsReady() || rev.Digests[""] == "" {
		t.Errorf("revision = %+v, %v", rev, err)
	}
	svc, _ := w.Catalog.Service(hello.Name())
	if svc.Access.Open() || svc.Ingress != sunya.IngressAll || svc.Product != sunya.CloudRun {
		t.Errorf("a new service is not private, or not reached from outside: %+v", svc)
	}
}

func TestWhatMakesARevision(t *testing.T) {
	for _, tt := range []struct {
		what     string
		change   func(*run.Spec)
		revision bool
	}{
		{"another image", func(s *run.Spec) { s.Template.Document = []byte("b") }, true},
		{"a name", func(s *run.Spec) { s.Template.Revision = "hello-two" }, true},
		{"nothing", func(*run.Spec) {}, false},
		{"labels", func(s *run.Spec) { s.Labels = map[string]string{"a": "b"} }, false},
		{"ingress", func(s *run.Spec) { s.Ingress = run.IngressInternal }, false},
		{"everybody may call", func(s *run.Spec) { s.Open = true }, false},
		{"scaling of the service", func(s *run.Spec) { s.Scaling.Min = 1 }, false},
		{"a tag", func(s *run.Spec) { s.Traffic = []run.Target{{Latest: true, Percent: 100, Tag: "t"}} }, false},
	} {
		t.Run(tt.what, func(t *testing.T) {
			w := newWorld(t)
			before := w.set(to(spec("a")))
			after := w.set(with(tt.change))
			if got := after.Created != before.Created; got != tt.revision {
				t.Errorf("a new revision: %v, want %v", got, tt.revision)
			}
			changed := tt.what != "nothing"
			if (after.Generation == before.Generation+1) != changed || (after.ETag() != before.ETag()) != changed {
				t.Errorf("generation %d after %d", after.Generation, before.Generation)
			}
			if states(after.Conditions) != allReady || after.Observed != after.Generation {
				t.Errorf("conditions = %s, observed %d", states(after.Conditions), after.Observed)
			}
		})
	}
}

func TestTraffic(t *testing.T) {
	w := newWorld(t)
	first := w.set(to(spec("a"))).Ready
	none := spec("b") // a deployment without traffic, with a tag
	none.Traffic = []run.Target{{Revision: first, Percent: 100}, {Latest: true, Tag: "next"}}
	second := w.set(to(none)).Ready
	w.wantRoutes("hello-00001=1000 hello next---hello=hello-00002")
	w.set(with(func(s *run.Spec) {
		s.Traffic = []run.Target{{Revision: first, Percent: 70}, {Latest: true, Percent: 10, Tag: "next"}, {Revision: second, Percent: 20, Tag: "two"}}
	}))
	w.wantRoutes("hello-00001=700 hello-00002=300 hello next---hello=hello-00002 two---hello=hello-00002")
	w.set(with(func(s *run.Spec) { s.Template.Document = []byte("c") })) // latest follows
	w.wantRoutes("hello-00001=700 hello-00003=100 hello-00002=200 hello next---hello=hello-00003 two---hello=hello-00002")
	w.set(with(func(s *run.Spec) { s.Traffic = []run.Target{{Revision: first, Percent: 100}} })) // rollback
	w.wantRoutes("hello-00001=1000 hello")
	w.set(with(func(s *run.Spec) { s.DefaultURLOff = true }))
	w.wantRoutes("hello-00001=1000")
	w.set(with(func(s *run.Spec) { s.Traffic, s.DefaultURLOff = nil, false }))
	w.wantRoutes("hello-00003=1000 hello")
}

func TestRefusedTraffic(t *testing.T) {
	w := newWorld(t)
	first := w.set(to(spec("a"))).Ready
	long := strings.Repeat("t", 46)
	for _, tt := range []struct {
		traffic     []run.Target
		field, says string
	}{
		{[]run.Target{{Latest: true, Percent: 99}}, "service.traffic", "99"},
		{[]run.Target{{Latest: true, Percent: -1}}, "service.traffic[0].percent", "-1"},
		{[]run.Target{{Percent: 100}}, "service.traffic[0].revision", "missing"},
		{[]run.Target{{Latest: true, Revision: first, Percent: 100}}, "service.traffic[0].revision", "leave one out"},
		{[]run.Target{{Latest: true, Percent: 100}, {Revision: "hello-00009-xyz"}}, "service.traffic[1].revision", "hello-00009-xyz"},
		{[]run.Target{{Latest: true, Percent: 100, Tag: "A"}}, "service.traffic[0].tag", `"A"`},
		{[]run.Target{{Latest: true, Percent: 100, Tag: "a---b"}}, "service.traffic[0].tag", "a---b"},
		{[]run.Target{{Latest: true, Percent: 100, Tag: "t"}, {Latest: true, Tag: "t"}}, "service.traffic[1].tag", "another target"},
		{[]run.Target{{Latest: true, Percent: 100, Tag: long + "t"}}, "service.traffic[0].tag", "46"},
	} {
		_, err := w.Update(t.Context(), hello, with(func(s *run.Spec) { s.Traffic = tt.traffic }), run.Request{})
		wantInvalid(t, err, tt.field, tt.says)
	}
	if w.now().Generation != 1 || len(w.Pending()) != 0 {
		t.Error("a refused change left something behind")
	}
}

func wantInvalid(t *testing.T, err error, field, says string) {
	t.Helper()
	if sunya.CodeOf(err) != sunya.InvalidArgument || !strings.HasPrefix(err.Error(), field+":") || !strings.Contains(err.Error(), says) {
		t.Errorf("error = %v, want one about %s with %q", err, field, says)
	}
}

func TestTagsFitIntoALabel(t *testing.T) {
	w := newWorld(t)
	s := spec("a")
	s.Traffic = []run.Target{{Latest: true, Percent: 100, Tag: strings.Repeat("t", 46)}}
	_, err := w.Create(t.Context(), run.Key{Project: "sunya", Location: "local", ID: strings.Repeat("s", 30)}, to(s), run.Request{})
	wantInvalid(t, err, "service.traffic[0].tag", "too long")
}

func TestAFailedRevisionLeavesTheOldOneServing(t *testing.T) {
	w := newWorld(t)
	first := w.set(to(spec("a")))
	s := w.set(to(spec("silent")))
	w.wantRoutes("hello-00001=1000 hello")
	if s.Ready != first.Ready || s.Created == first.Created || s.Observed != s.Generation {
		t.Errorf("service = %+v", s)
	}
	const reason = "HEALTH_CHECK_CONTAINER_ERROR"
	if got := states(s.Conditions); got != "Ready=False "+reason+", ConfigurationsReady=False "+reason+", RoutesReady=True" {
		t.Errorf("conditions = %s", got)
	}
	if m := s.Conditions[0].Message; m != "Revision '"+s.Created+"' is not ready and cannot serve traffic. nothing listens on port 8080" {
		t.Errorf("message = %s", m)
	}
	rev, err := w.Revision(t.Context(), hello, s.Created)
	if err != nil || rev.IsReady() || states(rev.Conditions) != "Ready=False "+reason+", ContainerReady=True, ContainerHealthy=False "+reason {
		t.Errorf("revision = %+v, %v", rev, err)
	}
	// Traffic to what is not ready is refused; a rollback says that the newest
	// revision is still not well.
	_, err = w.Update(t.Context(), hello, with(func(s *run.Spec) { s.Traffic = []run.Target{{Revision: rev.ID, Percent: 100}} }), run.Request{})
	wantInvalid(t, err, "service.traffic[0].revision", rev.ID)
	s = w.set(with(func(s *run.Spec) { s.Traffic = []run.Target{{Revision: first.Ready, Percent: 100}} }))
	if got := states(s.Conditions); !strings.HasPrefix(got, "Ready=False "+reason) || s.Created != rev.ID {
		t.Errorf("conditions = %s, newest %s", got, s.Created)
	}
	s = w.set(to(spec("b")))
	if states(s.Conditions) != allReady {
		t.Errorf("conditions = %s", states(s.Conditions))
	}
	w.wantRoutes("hello-00003=1000 hello")
}

func TestAFailedFirstDeployment(t *testing.T) {
	w := newWorld(t)
	s := w.set(to(spec("missing")))
	if got := states(s.Conditions); got != "Ready=False CONTAINER_MISSING, ConfigurationsReady=False CONTAINER_MISSING, RoutesReady=False CONTAINER_MISSING" || s.Ready != "" {
		t.Errorf("conditions = %s", got)
	}
	w.wantRoutes("nothing")
	s = w.set(with(func(s *run.Spec) { s.Labels = map[string]string{"a": "b"} })) // changed at once: there is nothing to route
	if s.Number != 1 || s.Observed != 2 {
		t.Errorf("service = %+v", s)
	}
	again := w.set(with(func(*run.Spec) {}))
	if again.Number != 2 {
		t.Error("asking again for what failed did not try again")
	}
	s = w.set(to(spec("a")))
	w.wantRoutes("hello-00003=1000 hello")
	if states(s.Conditions) != allReady {
		t.Errorf("conditions = %s", states(s.Conditions))
	}
}

func TestAServiceIsChangedOnceAtATime(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Create(t.Context(), hello, to(spec("a")), run.Request{}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Create(t.Context(), hello, to(spec("a")), run.Request{})
	if sunya.CodeOf(err) != sunya.AlreadyExists {
		t.Errorf("created twice: %v", err)
	}
	_, err = w.Update(t.Context(), hello, with(func(s *run.Spec) { s.Labels = map[string]string{"a": "b"} }), run.Request{})
	if sunya.CodeOf(err) != sunya.Aborted || !strings.Contains(err.Error(), "in progress") {
		t.Errorf("labels during a deployment: %v", err)
	}
	w.Deploy(t.Context())
	stale := w.now().ETag()
	w.set(to(spec("b")))
	_, err = w.Update(t.Context(), hello, to(spec("c")), run.Request{ETag: stale})
	if sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("a stale etag: %v", err)
	}
	if _, err = w.Delete(t.Context(), hello, run.Request{ETag: stale}); sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("a stale etag: %v", err)
	}
}

// A deployment that may take minutes to fail must not keep its owner from
// correcting it.
func TestAnotherTemplateTakesThePlace(t *testing.T) {
	w := newWorld(t)
	first, err := w.Create(t.Context(), hello, to(spec("silent")), run.Request{})
	if err != nil {
		t.Fatal(err)
	}
	bad := spec("b")
	bad.Template.Concurrency = 9999
	if _, err := w.Update(t.Context(), hello, to(bad), run.Request{}); sunya.CodeOf(err) != sunya.InvalidArgument || len(w.Pending()) != 1 {
		t.Errorf("a bad change ended the deployment: %v", err)
	}
	s := w.set(to(spec("b")))
	w.wantRoutes("hello-00002=1000 hello")
	if states(s.Conditions) != allReady {
		t.Errorf("conditions = %s", states(s.Conditions))
	}
	op, err := w.Get(t.Context(), first.Operation.Name)
	if err != nil || !op.Done || op.Error == nil || op.Error.Code != sunya.Aborted {
		t.Errorf("the first operation = %+v, %v", op, err)
	}
	rev, err := w.Revision(t.Context(), hello, first.Service.Created)
	if err != nil || rev.IsReady() {
		t.Errorf("the first revision = %+v, %v", rev, err)
	}
	if _, err := w.Update(t.Context(), hello, to(spec("silent")), run.Request{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Delete(t.Context(), hello, run.Request{}); err != nil {
		t.Errorf("delete during a deployment: %v", err)
	}
	w.wantRoutes("nothing")
}

func TestValidateOnlyDoesNothing(t *testing.T) {
	w := newWorld(t)
	r, err := w.Create(t.Context(), hello, to(spec("a")), run.Request{ValidateOnly: true})
	if err != nil || !r.Operation.Done || r.Service.Template.Concurrency != 80 {
		t.Errorf("result = %+v, %v", r, err)
	}
	if _, err := w.Service(t.Context(), hello); sunya.CodeOf(err) != sunya.NotFound || len(w.Pending()) > 0 {
		t.Errorf("validating made a service: %v", err)
	}
	w.set(to(spec("a")))
	if _, err := w.Delete(t.Context(), hello, run.Request{ValidateOnly: true}); err != nil {
		t.Error(err)
	}
	w.now()
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	uid := w.set(to(spec("a"))).UID
	r, err := w.Delete(t.Context(), hello, run.Request{Method: "Delete"})
	if err != nil || !r.Operation.Done || r.Service.DeleteTime.IsZero() || len(r.Operation.Response) == 0 {
		t.Fatalf("result = %+v, %v", r, err)
	}
	w.wantRoutes("nothing")
	if _, err := w.Service(t.Context(), hello); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("after the deletion: %v", err)
	}
	if s := w.set(to(spec("a"))); s.UID == uid || s.Number != 1 {
		t.Errorf("the next service of that name is %+v", s)
	}
}

// A server that dies between the two writes of a deletion leaves a record of
// what serves nothing.
func TestHalfDeletedIsDeleted(t *testing.T) {
	w := newWorld(t)
	w.set(to(spec("a")))
	if err := w.Catalog.Apply(t.Context(), serving.Change{DeleteServices: []string{hello.Name()}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Service(t.Context(), hello); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("a half deleted service: %v", err)
	}
	all, err := w.Services(t.Context(), "sunya", "-", "", 10)
	if err != nil || len(all) != 0 {
		t.Errorf("list = %v, %v", all, err)
	}
	if s := w.set(to(spec("b"))); s.Number != 1 {
		t.Errorf("the next service of that name is %+v", s)
	}
	w.wantRoutes("hello-00001=1000 hello")
}

func TestRevisions(t *testing.T) {
	w := newWorld(t)
	first := w.set(to(spec("a"))).Ready
	second := w.set(to(spec("silent"))).Created
	third := w.set(to(spec("b"))).Ready
	all, err := w.Revisions(t.Context(), hello, run.Cursor{}, 2)
	if err != nil || len(all) != 2 || all[0].ID != third || all[1].ID != second {
		t.Errorf("the newest two = %v, %v", all, err)
	}
	rest, err := w.Revisions(t.Context(), run.Key{Project: "sunya", Location: "local", ID: "-"}, all[1].Cursor(), 2)
	if err != nil || len(rest) != 1 || rest[0].ID != first {
		t.Errorf("the rest = %v, %v", rest, err)
	}
	for id, code := range map[string]sunya.Code{third: sunya.FailedPrecondition, "hello-x": sunya.NotFound, first: sunya.OK, second: sunya.OK} {
		if _, _, err := w.DeleteRevision(t.Context(), hello, id, run.Request{}); sunya.CodeOf(err) != code {
			t.Errorf("delete %s: %v, want %s", id, err, code)
		}
	}
	if _, ok := w.Catalog.Revision(hello.RevisionName(first)); ok {
		t.Error("a deleted revision is still in the core")
	}
	if _, err := w.Revision(t.Context(), hello, first); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("a deleted revision: %v", err)
	}
}

func TestRevisionNames(t *testing.T) {
	w := newWorld(t)
	s := spec("a")
	s.Template.Revision = "hello-one"
	if got := w.set(to(s)).Ready; got != "hello-one" {
		t.Errorf("revision = %s", got)
	}
	w.set(to(s)) // the same again is no change
	s.Template.Document = []byte("b")
	_, err := w.Update(t.Context(), hello, to(s), run.Request{})
	if sunya.CodeOf(err) != sunya.AlreadyExists || !strings.Contains(err.Error(), "never changes") {
		t.Errorf("another template under the same name: %v", err)
	}
	for _, bad := range []string{"other-one", "hello", "hello-", "hello-A", "hello-" + strings.Repeat("x", 63)} {
		s.Template.Revision = bad
		_, err := w.Update(t.Context(), hello, to(s), run.Request{})
		wantInvalid(t, err, "service.template.revision", bad)
	}
}

func TestInvokers(t *testing.T) {
	w := newWorld(t)
	s := w.set(to(spec("a")))
	if _, err := w.SetInvokers(t.Context(), hello, []string{"group:x@y"}, ""); sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Errorf("a group: %v", err)
	}
	s, err := w.SetInvokers(t.Context(), hello, []string{"user:a@b", "allUsers", "allUsers"}, s.PolicyETag())
	if err != nil || !slices.Equal(s.Invokers, []string{"allUsers", "user:a@b"}) {
		t.Fatalf("invokers = %v, %v", s, err)
	}
	if svc, _ := w.Catalog.Service(hello.Name()); !svc.Access.Open() {
		t.Error("the core does not admit everybody")
	}
	if _, err := w.SetInvokers(t.Context(), hello, nil, "old"); sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("a stale etag: %v", err)
	}
	w.set(to(spec("b")))
	if svc, _ := w.Catalog.Service(hello.Name()); !svc.Access.Open() {
		t.Error("a deployment closed the service")
	}
	w.set(with(func(s *run.Spec) { s.CustomAudiences = []string{"https://x.example"} }))
	svc, _ := w.Catalog.Service(hello.Name())
	if !slices.Equal(svc.Access.Audiences, []string{"https://x.example"}) || !slices.Contains(svc.Access.Invokers, "serviceAccount:"+sunya.ComputeAccount("sunya")) {
		t.Errorf("access = %+v", svc.Access)
	}
}

func TestHosts(t *testing.T) {
	w := newWorld(t)
	err := w.Catalog.Apply(t.Context(), serving.Change{
		PutServices: []sunya.Service{{Name: "apps/other/services/default", Project: "other"}, {Name: "x", Project: "sunya"}},
		PutHosts:    []sunya.Host{{Label: "taken", Service: "x"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, own := range map[string]bool{"free": true, "taken": false, "sunya": false, "other": false, "console": false} {
		k := run.Key{Project: "sunya", Location: "local", ID: id}
		r, err := w.Create(t.Context(), k, to(spec("a")), run.Request{ValidateOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if host := r.Service.Host; (host == id) != own || !strings.HasPrefix(host, id) {
			t.Errorf("%s answers at %s", id, host)
		}
	}
}

func TestOldRevisionsArePruned(t *testing.T) {
	w := newWorld(t)
	first := w.set(to(spec("a"))).Ready
	w.set(with(func(s *run.Spec) { s.Traffic = []run.Target{{Revision: first, Percent: 100}} }))
	for n := range 1001 {
		w.set(with(func(s *run.Spec) { s.Template.Document = []byte(fmt.Sprint(n)) }))
	}
	all, err := w.Revisions(t.Context(), hello, run.Cursor{}, 0)
	if err != nil || len(all) != 1001 || all[1000].ID != first {
		t.Errorf("%d revisions are left, %v; want 1000 and the one that serves", len(all), err)
	}
	if got := len(w.Catalog.Table().Revisions(hello.Name())); got != 1001 {
		t.Errorf("%d revisions are left in the core", got)
	}
}
