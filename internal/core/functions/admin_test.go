package functions

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// world is everything around an Admin, in memory.
type world struct {
	functions map[Key]Function
	pending   []sunya.Deployment
	ops       []sunya.Operation
	snapshot  serving.Snapshot
	catalog   *serving.Catalog
	kicks     int
}

func (w *world) GetFunction(_ context.Context, k Key) (*Function, error) {
	f, ok := w.functions[k]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, k.Name(), "no such function")
	}
	return &f, nil
}

func (w *world) ListFunctions(context.Context, string, string, string, int) ([]Function, error) {
	return nil, errors.New("not asked here")
}

func (w *world) BeginFunctionDeploy(_ context.Context, f *Function, op *sunya.Operation, d *sunya.Deployment) error {
	w.functions[f.Key] = *f
	w.ops, w.pending = append(w.ops, *op), append(w.pending, *d)
	return nil
}

func (w *world) PutFunction(_ context.Context, f *Function) error {
	w.functions[f.Key] = *f
	return nil
}

func (w *world) DeleteFunction(_ context.Context, k Key) error {
	delete(w.functions, k)
	return nil
}

func (w *world) Put(_ context.Context, op *sunya.Operation) error {
	w.ops = append(w.ops, *op)
	return nil
}

func (w *world) GetObject(_ context.Context, bucket, name string) (*objects.Object, error) {
	if name != "source.zip" {
		return nil, sunya.Errorf(sunya.NotFound, bucket+"/"+name, "no such object")
	}
	return &objects.Object{Bucket: bucket, Name: name}, nil
}

// Load and Apply make it a serving.Store that forgets.
func (w *world) Load(context.Context) (serving.Snapshot, error) { return w.snapshot, nil }
func (w *world) Apply(_ context.Context, c serving.Change) error {
	w.snapshot.Services = append(w.snapshot.Services, c.PutServices...)
	return nil
}

func newWorld(t *testing.T) (*world, *Admin) {
	t.Helper()
	w := &world{functions: map[Key]Function{}}
	w.catalog = serving.NewCatalog(w)
	if err := w.catalog.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return w, New(Parts{
		Store: w, Catalog: w.catalog, Operations: w, Objects: w,
		CheckRuntime: func(r string) error {
			if r != "python311" {
				return sunya.Invalid("runtime", "unknown runtime %q", r)
			}
			return nil
		},
		Kick: func() { w.kicks++ },
		Now:  func() time.Time { now = now.Add(time.Second); return now }, NewID: func() string { return "op" },
	})
}

var (
	hello = Key{"sunya", "local", "hello"}
	spec  = Spec{Runtime: "python311", EntryPoint: "f", Source: Source{"b", "source.zip"}, Env: map[string]string{"A": "1"}}
)

// end carries the last deployment to its end, as the deploy runner does.
func (w *world) end(t *testing.T, a *Admin, cause error) {
	t.Helper()
	d := w.pending[len(w.pending)-1]
	if cause != nil {
		if err := a.Fail(t.Context(), &d, cause); err != nil {
			t.Fatal(err)
		}
		return
	}
	change := serving.Change{PutRevisions: []sunya.Revision{d.Revision}, PutHosts: d.Hosts}
	if _, ok := w.catalog.Service(d.Revision.Service); !ok {
		change.PutServices = []sunya.Service{{Name: d.Revision.Service, Project: d.Revision.Project, Product: d.Revision.Product, Access: d.Access, Ingress: d.Ingress}}
	}
	if err := w.catalog.Apply(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if err := a.Finish(t.Context(), &d); err != nil {
		t.Fatal(err)
	}
}

// put makes a service that is nobody's function.
func (w *world) put(t *testing.T, svc sunya.Service) {
	t.Helper()
	if err := w.catalog.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc}}); err != nil {
		t.Fatal(err)
	}
}

func TestCreateDescribesDeployment(t *testing.T) {
	w, a := newWorld(t)
	op, err := a.Create(t.Context(), hello, spec, []string{"careful"}, "me")
	if err != nil {
		t.Fatal(err)
	}
	if op.Target != hello.Name() || op.BuildID == "" || w.kicks != 1 || len(op.Warnings) != 1 {
		t.Errorf("operation = %+v, kicks %d", op, w.kicks)
	}
	d := w.pending[0]
	rev := d.Revision
	if !strings.HasPrefix(rev.Name, hello.ServiceName()+"/revisions/hello-00001-") || rev.MemoryBytes != 256<<20 || rev.CPUMillis != 167 || rev.Concurrency != 1 ||
		rev.RequestTimeout != time.Minute || rev.Scaling.Max != 100 || !strings.HasSuffix(rev.ServiceAccount, "-compute@developer.gserviceaccount.com") {
		t.Errorf("revision = %+v", rev)
	}
	env := map[string]string{}
	for _, v := range rev.Env {
		env[v.Name] = v.Value
	}
	want := map[string]string{
		"PORT": "8080", "K_SERVICE": "hello", "K_REVISION": sunya.ShortRevision(rev.Name), "K_CONFIGURATION": "hello", "CLOUD_RUN_TIMEOUT_SECONDS": "60", "A": "1",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Error(diff)
	}
	if d.Source.Archive != "b/source.zip" || d.Build.Function.Target != "f" || d.Hosts[0].Label != "hello" || !d.Access.Private || d.Access.Open() {
		t.Errorf("deployment = %+v", d)
	}
	if f := w.functions[hello]; f.State != Deploying || f.Revision != "" {
		t.Errorf("function = %+v", f)
	}
}

func TestRefusals(t *testing.T) {
	w, a := newWorld(t)
	for _, c := range []struct {
		name   string
		change func(*Key, *Spec)
		text   string
	}{
		{"no runtime", func(_ *Key, s *Spec) { s.Runtime = "" }, "runtime: is missing"},
		{"unknown runtime", func(_ *Key, s *Spec) { s.Runtime = "cobol85" }, `build_config.runtime: unknown runtime "cobol85"`},
		{"no source", func(_ *Key, s *Spec) { s.Source = Source{} }, "the source is missing"},
		{"a source that is not there", func(_ *Key, s *Spec) { s.Source.Object = "x" }, "object x does not exist"},
		{"a name that cannot be", func(k *Key, _ *Spec) { k.ID = "Hello" }, "function_id"},
	} {
		k, s := hello, spec
		c.change(&k, &s)
		if _, err := a.Create(t.Context(), k, s, nil, ""); sunya.CodeOf(err) != sunya.InvalidArgument || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %q", c.name, err, c.text)
		}
	}
	if _, err := a.Update(t.Context(), hello, spec, nil, ""); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("update of nothing: %v", err)
	}
	if len(w.functions) > 0 || len(w.pending) > 0 {
		t.Error("something was stored")
	}
}

func TestLifeOfAFunction(t *testing.T) {
	w, a := newWorld(t)
	must := func(_ *sunya.Operation, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(a.Create(t.Context(), hello, spec, nil, ""))
	if _, err := a.Update(t.Context(), hello, spec, nil, ""); sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("update while it is deployed: %v, want Aborted", err)
	}
	w.end(t, a, errors.New("broken"))
	if f := w.functions[hello]; f.State != Failed || f.Deployment != "" || f.Messages[0] != "internal error: see the server's log" {
		t.Errorf("after a failure: %+v", f)
	}
	must(a.Create(t.Context(), hello, spec, nil, "")) // the first one never was
	if _, err := a.SetInvokers(t.Context(), hello, []string{sunya.AllUsers}, ""); err != nil {
		t.Fatal(err)
	}
	w.end(t, a, nil)
	f := w.functions[hello]
	svc, _ := w.catalog.Service(hello.ServiceName())
	if f.State != Active || f.Revision == "" || !svc.Access.Open() {
		t.Errorf("after a deploy: %+v, access %+v", f, svc.Access)
	}
	if _, err := a.Create(t.Context(), hello, spec, nil, ""); sunya.CodeOf(err) != sunya.AlreadyExists {
		t.Errorf("create again: %v, want AlreadyExists", err)
	}
	changed := spec
	changed.Env = map[string]string{"A": "2"}
	must(a.Update(t.Context(), hello, changed, nil, ""))
	if now := w.functions[hello]; now.State != Deploying || now.Env["A"] != "1" || now.Revision != f.Revision {
		t.Errorf("while it is updated it shows %+v, want what serves", now)
	}
	w.end(t, a, sunya.Invalid("", "no such function"))
	if now := w.functions[hello]; now.State != Active || now.Env["A"] != "1" || now.Messages[0] != "no such function" || now.Number != 3 {
		t.Errorf("after a failed update: %+v, want the old one with the reason", now)
	}
	must(a.Delete(t.Context(), hello, ""))
	if _, ok := w.catalog.Service(hello.ServiceName()); ok || len(w.functions) > 0 {
		t.Error("it was not deleted")
	}
}

func TestHostsOfOthersAreNotTaken(t *testing.T) {
	w, a := newWorld(t)
	for _, k := range []Key{hello, {"sunya", "elsewhere", "hello"}, {"sunya", "local", "api"}, {"sunya", "local", "sunya"}} {
		if _, err := a.Create(t.Context(), k, spec, nil, ""); err != nil {
			t.Fatal(err)
		}
		w.end(t, a, nil)
	}
	if got := w.functions[Key{"sunya", "elsewhere", "hello"}].Host; !strings.HasPrefix(got, "hello-") {
		t.Errorf("host = %q, want one of its own", got)
	}
	if got := w.functions[Key{"sunya", "local", "api"}].Host; got == "api" {
		t.Error("a function has the platform's host")
	}
	if got := w.functions[Key{"sunya", "local", "sunya"}].Host; got == "sunya" {
		t.Error("a function has its project's host, which is the application's")
	}
}

func TestInvokers(t *testing.T) {
	w, a := newWorld(t)
	if _, err := a.Create(t.Context(), hello, spec, nil, ""); err != nil {
		t.Fatal(err)
	}
	w.end(t, a, nil)
	f, err := a.SetInvokers(t.Context(), hello, []string{"user:b@c.de", "serviceAccount:x@y.z", "user:b@c.de"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"serviceAccount:x@y.z", "user:b@c.de"}, f.Invokers); diff != "" {
		t.Error(diff)
	}
	svc, _ := w.catalog.Service(hello.ServiceName())
	for email, want := range map[string]bool{
		"x@y.z": true, "b@c.de": true, "other@y.z": false, "": false, "sunya@appspot.gserviceaccount.com": true, sunya.ComputeAccount("sunya"): true, "p@appspot.gserviceaccount.com": false,
	} {
		if got := svc.Access.Admits(email); got != want {
			t.Errorf("%q is admitted: %v, want %v", email, got, want)
		}
	}
	if _, err := a.SetInvokers(t.Context(), hello, nil, "stale"); sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("a stale etag: %v, want Aborted", err)
	}
	for _, m := range []string{"group:x@y.z", "domain:y.z", "user:", "everybody", "user:a b@c"} {
		if _, err := a.SetInvokers(t.Context(), hello, []string{m}, ""); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%q: %v, want InvalidArgument", m, err)
		}
	}
}
