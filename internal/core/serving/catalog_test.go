package serving_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

const service = "apps/demo/services/default"

func svc(targets ...sunya.Target) sunya.Service {
	return sunya.Service{Name: service, Project: "demo", Product: sunya.AppEngine, Traffic: sunya.Traffic{Targets: targets}}
}

func rev(id string) sunya.Revision {
	return sunya.Revision{Name: service + "/" + id, ID: "demo-" + id, Service: service, Project: "demo", Concurrency: 10}
}

func target(id string, permille int) sunya.Target {
	return sunya.Target{Revision: service + "/" + id, Permille: permille}
}

func host(label, id string) sunya.Host {
	h := sunya.Host{Label: label, Service: service}
	if id != "" {
		h.Revision = service + "/" + id
	}
	return h
}

// newCatalog returns a catalog with revisions v1 (all traffic) and v2, and the
// hosts demo and v2-dot-demo.
func newCatalog(t *testing.T, store serving.Store) *serving.Catalog {
	t.Helper()
	c := serving.NewCatalog(store)
	err := c.Apply(t.Context(), serving.Change{
		PutServices:  []sunya.Service{svc(target("v1", 1000))},
		PutRevisions: []sunya.Revision{rev("v1"), rev("v2")},
		PutHosts:     []sunya.Host{host("demo", ""), host("v2-dot-demo", "v2")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// loadOnly hides GetService.
type loadOnly struct{ serving.Store }

func TestApplyThenLookup(t *testing.T) {
	for name, store := range map[string]serving.Store{"with GetService": &instancetest.Store{}, "with Load only": loadOnly{&instancetest.Store{}}} {
		t.Run(name, func(t *testing.T) {
			c := newCatalog(t, store)
			r, ok := c.Table().Lookup("demo")
			if !ok || r.Fixed != nil || len(r.Shares) != 1 || r.Shares[0].Revision.ID != "demo-v1" || r.Service.UIDRange != 1 || r.Service.Generation != 1 {
				t.Errorf("demo = %+v, %v", r, ok)
			}
			r, ok = c.Table().Lookup("v2-dot-demo")
			if !ok || r.Fixed == nil || r.Fixed.ID != "demo-v2" {
				t.Errorf("v2-dot-demo = %+v, %v", r, ok)
			}
			if _, ok := c.Table().Lookup("nobody"); ok {
				t.Error("an unknown label has a route")
			}
			if got, ok := c.Service(service); !ok || got.UIDRange != 1 {
				t.Errorf("service = %+v, %v", got, ok)
			}
		})
	}
}

func TestLoadGivesTheSameTable(t *testing.T) {
	store := &instancetest.Store{}
	a := newCatalog(t, store).Table()
	c := serving.NewCatalog(store)
	if err := c.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := c.Table()
	if diff := cmp.Diff(a.Services(), b.Services()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(a.Revisions(service), b.Revisions(service)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(a.Hosts(service), b.Hosts(service)); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedChangesHaveNoEffect(t *testing.T) {
	other := sunya.Service{Name: "apps/demo/services/other", Project: "demo"}
	tests := []struct {
		rule   string
		change serving.Change
		code   sunya.Code
		says   string
	}{
		{"splits sum to 1000", serving.Change{PutServices: []sunya.Service{svc(target("v1", 500), target("v2", 499))}}, sunya.InvalidArgument, "999"},
		{"no negative share", serving.Change{PutServices: []sunya.Service{svc(target("v1", 1001), target("v2", -1))}}, sunya.InvalidArgument, "1001"},
		{"no revision twice", serving.Change{PutServices: []sunya.Service{svc(target("v1", 500), target("v1", 500))}}, sunya.InvalidArgument, "twice"},
		{"targets exist", serving.Change{PutServices: []sunya.Service{svc(target("v9", 1000))}}, sunya.InvalidArgument, "v9"},
		{"sharding is known", serving.Change{PutServices: []sunya.Service{{Name: service, Project: "demo", Traffic: sunya.Traffic{ShardBy: "moon"}}}}, sunya.InvalidArgument, "moon"},
		{"traffic keeps its revision", serving.Change{DeleteRevisions: []string{service + "/v1"}}, sunya.FailedPrecondition, "traffic"},
		{"labels are DNS labels", serving.Change{PutHosts: []sunya.Host{host("a_b", "")}}, sunya.InvalidArgument, "a_b"},
		{"labels are short", serving.Change{PutHosts: []sunya.Host{host(strings.Repeat("a", 64), "")}}, sunya.InvalidArgument, "63"},
		{"labels are lower case", serving.Change{PutHosts: []sunya.Host{host("Demo", "")}}, sunya.InvalidArgument, "Demo"},
		{"labels are one label", serving.Change{PutHosts: []sunya.Host{host("a.b", "")}}, sunya.InvalidArgument, "a.b"},
		{"api is reserved", serving.Change{PutHosts: []sunya.Host{host("api", "")}}, sunya.InvalidArgument, "reserved"},
		{"a host's revision exists", serving.Change{PutHosts: []sunya.Host{host("x", "v9")}}, sunya.InvalidArgument, "v9"},
		{"a host's service exists", serving.Change{PutHosts: []sunya.Host{{Label: "x", Service: "nobody"}}}, sunya.FailedPrecondition, "nobody"},
		{"the first claim wins", serving.Change{PutServices: []sunya.Service{other}, PutHosts: []sunya.Host{{Label: "demo", Service: other.Name}}}, sunya.AlreadyExists, "demo"},
		{"a revision has a service", serving.Change{PutRevisions: []sunya.Revision{{Name: "x/v1", ID: "x", Service: "x", Concurrency: 1}}}, sunya.FailedPrecondition, "x"},
		{"concurrency has bounds", serving.Change{PutRevisions: []sunya.Revision{{Name: "x", ID: "x", Service: service, Concurrency: 1001}}}, sunya.InvalidArgument, "1001"},
		{"ids name cgroups", serving.Change{PutRevisions: []sunya.Revision{{Name: "x", ID: "../x", Service: service, Concurrency: 1}}}, sunya.InvalidArgument, "../x"},
		{"a project is one", serving.Change{PutServices: []sunya.Service{{Name: "x", Project: "../x"}}}, sunya.InvalidArgument, "../x"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			c := newCatalog(t, &instancetest.Store{})
			before := c.Table()
			err := c.Apply(t.Context(), tt.change)
			if sunya.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error = %v, want code %d with %q", err, tt.code, tt.says)
			}
			if c.Table() != before {
				t.Error("the table changed")
			}
		})
	}
}

// brokenStore fails to write.
type brokenStore struct{ instancetest.Store }

func (*brokenStore) Apply(context.Context, serving.Change) error { return errors.New("disk full") }

func TestWhatIsNotStoredIsNotVisible(t *testing.T) {
	c := serving.NewCatalog(&brokenStore{})
	if err := c.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc()}}); err == nil {
		t.Fatal("no error")
	}
	if _, ok := c.Service(service); ok {
		t.Error("a service that was not stored is visible")
	}
}

func TestDeleting(t *testing.T) {
	store := &instancetest.Store{}
	c := newCatalog(t, store)
	if err := c.Apply(t.Context(), serving.Change{DeleteRevisions: []string{service + "/v2"}}); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Table().Lookup("v2-dot-demo"); ok {
		t.Error("the host of a deleted revision has a route")
	}
	if snap, _ := store.Load(t.Context()); len(snap.Hosts) != 1 {
		t.Errorf("hosts in the store = %v", snap.Hosts)
	}
	if err := c.Apply(t.Context(), serving.Change{DeleteServices: []string{service}}); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Revision(service + "/v1"); ok {
		t.Error("a revision outlived its service")
	}
	if _, ok := c.Table().Host("demo"); ok {
		t.Error("a host outlived its service")
	}
}

func TestReplacingARevisionInOneChange(t *testing.T) {
	c := newCatalog(t, &instancetest.Store{})
	err := c.Apply(t.Context(), serving.Change{
		PutServices:     []sunya.Service{svc(target("v2", 1000))},
		PutHosts:        []sunya.Host{host("v1-dot-demo", "v2")},
		DeleteRevisions: []string{service + "/v1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := c.Table().Lookup("demo"); len(r.Shares) != 1 || r.Shares[0].Revision.ID != "demo-v2" {
		t.Errorf("demo = %+v", r)
	}
}

func TestAHostMovesToAnotherService(t *testing.T) {
	store := &instancetest.Store{}
	c := newCatalog(t, store)
	other := sunya.Service{Name: "apps/demo/services/v2", Project: "demo"}
	move := serving.Change{
		PutServices: []sunya.Service{other},
		PutHosts:    []sunya.Host{{Label: "v2-dot-demo", Service: other.Name}},
		DeleteHosts: []string{"v2-dot-demo"},
	}
	for range 2 { // it may be repeated
		if err := c.Apply(t.Context(), move); err != nil {
			t.Fatal(err)
		}
		if h, _ := c.Table().Host("v2-dot-demo"); h.Service != other.Name || h.Revision != "" {
			t.Errorf("host = %+v", h)
		}
	}
	if hosts := c.Table().Hosts(service); len(hosts) != 1 {
		t.Errorf("the first service still has %v", hosts)
	}
}

func TestWatchTellsWhatIsReached(t *testing.T) {
	store := &instancetest.Store{}
	newCatalog(t, store)
	c := serving.NewCatalog(store)
	var got []string
	c.Watch(func(r *sunya.Revision, how serving.Reach) { got = append(got, fmt.Sprintf("%s %d", r.ID, how)) })
	take := func() []string {
		defer func() { got = nil }()
		slices.Sort(got)
		return got
	}
	steps := []struct {
		what string
		do   func() error
		want []string
	}{
		{"load", func() error { return c.Load(t.Context()) }, []string{"demo-v1 2", "demo-v2 1"}},
		{"a new revision is not reached", func() error {
			return c.Apply(t.Context(), serving.Change{PutRevisions: []sunya.Revision{rev("v3")}})
		}, nil},
		{"traffic moves", func() error {
			return c.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc(target("v3", 1000), target("v1", 0))}})
		}, []string{"demo-v1 0", "demo-v3 2"}},
		{"nothing changes", func() error {
			return c.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc(target("v3", 1000))}})
		}, nil},
		{"a host goes", func() error {
			return c.Apply(t.Context(), serving.Change{DeleteHosts: []string{"v2-dot-demo"}})
		}, []string{"demo-v2 0"}},
		{"the service goes", func() error {
			return c.Apply(t.Context(), serving.Change{DeleteServices: []string{service}})
		}, []string{"demo-v3 0"}},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.what, err)
		}
		if diff := cmp.Diff(s.want, take()); diff != "" {
			t.Errorf("%s: %s", s.what, diff)
		}
	}
}

func TestReadersNeverSeeHalfAChange(t *testing.T) {
	c := newCatalog(t, &instancetest.Store{})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, ok := c.Table().Lookup("demo")
				if !ok || r.Shares[0].Permille+r.Shares[len(r.Shares)-1].Permille < 1000 {
					t.Errorf("route = %+v, %v", r, ok)
					return
				}
			}
		})
	}
	for n := range 200 {
		err := c.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc(target("v1", n), target("v2", 1000-n))}})
		if err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}

// fill gives a catalog n services of one revision and one host each.
func fill(tb testing.TB, n int) *serving.Catalog {
	var c serving.Change
	for i := range n {
		name := fmt.Sprintf("apps/p/services/s%d", i)
		c.PutServices = append(c.PutServices, sunya.Service{Name: name, Project: "p",
			Traffic: sunya.Traffic{Targets: []sunya.Target{{Revision: name + "/v1", Permille: 1000}}}})
		c.PutRevisions = append(c.PutRevisions, sunya.Revision{Name: name + "/v1", ID: fmt.Sprintf("s%d", i), Service: name, Concurrency: 1})
		c.PutHosts = append(c.PutHosts, sunya.Host{Label: fmt.Sprintf("s%d", i), Service: name})
	}
	catalog := serving.NewCatalog(snapshot(c))
	if err := catalog.Load(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return catalog
}

// snapshot is a store that costs nothing.
type snapshot serving.Change

func (s snapshot) Load(context.Context) (serving.Snapshot, error) {
	return serving.Snapshot{Services: s.PutServices, Revisions: s.PutRevisions, Hosts: s.PutHosts}, nil
}
func (snapshot) Apply(context.Context, serving.Change) error { return nil }
func (s snapshot) GetService(_ context.Context, name string) (*sunya.Service, error) {
	var i int
	if _, err := fmt.Sscanf(name, "apps/p/services/s%d", &i); err != nil {
		return nil, err
	}
	return &s.PutServices[i], nil
}

func BenchmarkLoad10000(b *testing.B) {
	c := fill(b, 10_000)
	for b.Loop() {
		c.Load(b.Context())
	}
}

func BenchmarkApplyAmong10000(b *testing.B) {
	c := fill(b, 10_000)
	s, _ := c.Service("apps/p/services/s5000")
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Apply(b.Context(), serving.Change{PutServices: []sunya.Service{s}}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookupAmong10000(b *testing.B) {
	c := fill(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		r, ok := c.Table().Lookup("s5000")
		if rev, _ := serving.Pick(r, serving.Client{}); !ok || rev == nil {
			b.Fatal("no route")
		}
	}
}

func TestWatchTellsBounds(t *testing.T) {
	c := newCatalog(t, &instancetest.Store{})
	var got []string
	c.WatchBounds(func(r *sunya.Revision, part sunya.Bounds) {
		got = append(got, fmt.Sprintf("%s %d-%d %v", r.ID, part.Min, part.Max, part.Limited))
	})
	for _, step := range []struct {
		what    string
		bounds  *sunya.Bounds
		targets []sunya.Target
		want    []string
	}{
		{"none", nil, []sunya.Target{target("v1", 1000)}, nil},
		{"all", &sunya.Bounds{Min: 3, Max: 10, Limited: true}, []sunya.Target{target("v1", 1000)}, []string{"demo-v1 3-10 true"}},
		{"shared out", &sunya.Bounds{Min: 3, Max: 10, Limited: true}, []sunya.Target{target("v1", 750), target("v2", 250)}, []string{"demo-v1 3-8 true", "demo-v2 1-3 true"}},
		{"the same", &sunya.Bounds{Min: 3, Max: 10, Limited: true}, []sunya.Target{target("v1", 750), target("v2", 250)}, nil},
		{"traffic leaves", &sunya.Bounds{Min: 3, Max: 10, Limited: true}, []sunya.Target{target("v2", 1000)}, []string{"demo-v1 0-0 false", "demo-v2 3-10 true"}},
		{"none again", nil, []sunya.Target{target("v2", 1000)}, []string{"demo-v2 0-0 false"}},
	} {
		got = nil
		s := svc(step.targets...)
		s.Scaling = step.bounds
		if err := c.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{s}}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: %s", step.what, diff)
		}
	}
}
