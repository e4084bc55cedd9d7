package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Serving is the contract of serving.Store.
func Serving(t *testing.T, open func(testing.TB) serving.Store) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, serving.Store)
	}{
		{"EmptyStoreLoads", emptyStoreLoads},
		{"ApplyThenLoad", applyThenLoad},
		{"ReplaceKeepsIdentity", replaceKeepsIdentity},
		{"AllOrNothing", allOrNothing},
		{"RevisionsNeverChange", revisionsNeverChange},
		{"HostsHaveOneOwner", hostsHaveOneOwner},
		{"HostMovesInOneChange", hostMovesInOneChange},
		{"ReplacedRevisionTakesItsHostsAlong", replacedRevision},
		{"DeletingAServiceDeletesItsParts", deletingAService},
		{"DeletingWhatIsGone", deletingWhatIsGone},
		{"UIDRangesAreNeverReused", uidRangesAreNeverReused},
		{"WritersSideBySide", writersSideBySide},
		{"CanceledWritesNothing", canceledWritesNothing},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func service(n string) sunya.Service {
	return sunya.Service{Name: "apps/p/services/" + n, Project: "p", Product: sunya.AppEngine, CreateTime: at(0), UpdateTime: at(0)}
}

func revision(svc sunya.Service, id string) sunya.Revision {
	return sunya.Revision{
		Name: svc.Name + "/" + id, ID: id, Service: svc.Name, Project: svc.Project, Product: svc.Product,
		Labels: map[string]string{"module_id": "m", "version_id": "v"},
		Container: sunya.Container{
			ContainerName: "web",
			Image: sunya.Image{Stack: sunya.HostStack, Layers: []sunya.Layer{{Digest: "sha256:00", Target: "/app", Bytes: 7}},
				HostPaths: []string{"/opt/python"}, Fingerprint: "f", Runtime: "Python 3.11.7", Reference: "gcr.io/p/web:v1", Digest: "sha256:02"},
			Command: []string{"gunicorn", "main:app"}, Env: []sunya.EnvVar{{Name: "A", Value: "ü\n"}, {Name: "B", Field: sunya.FieldInstanceID}},
			Dir: "/app", User: "nobody", MemoryBytes: 384 << 20, CPUMillis: 600, DependsOn: []string{"db"},
			Startup: &sunya.Probe{HTTP: &sunya.HTTPProbe{Path: "/up", Header: map[string]string{"A": "b"}}, Period: time.Second, Failures: 3},
			Mounts:  []sunya.VolumeMount{{Volume: "scratch", Path: "/scratch"}},
		},
		Sidecars: []sunya.Container{{ContainerName: "db", Command: []string{"db"}, Liveness: &sunya.Probe{TCP: &sunya.TCPProbe{Port: 5432}}}},
		Volumes:  []sunya.Volume{{Name: "scratch", Memory: &sunya.MemoryVolume{Bytes: 1 << 20}}},
		Port:     8080, Protocol: sunya.H2C, Affinity: true, Concurrency: 10,
		Site:       "sha256:01",
		Rules:      []sunya.Rule{{Path: "/s/(.*)", Static: &sunya.StaticRule{File: `s/\1`, MaxAge: time.Hour, Headers: []sunya.Header{{Name: "X", Value: "y"}}}}, {Path: ".*", Secure: sunya.SecureAlways}},
		ErrorPages: []sunya.ErrorPage{{On: sunya.ErrorTimeout, File: "late.html"}},
		Scaling:    sunya.Scaling{Min: 1, Max: 5, Idle: 90 * time.Second, TargetUtil: 0.6, NoFreeze: true, MinIdle: 1, MaxIdle: 4, MinPending: 30 * time.Millisecond, MaxPending: time.Second, Always: true},
		Lifecycle: sunya.Lifecycle{
			Start: sunya.Call{Path: "/start", Host: "v.m.p", Header: map[string]string{"X-From": "0.1.0.3"}, Accept: []int{404}},
			Stop:  sunya.Call{Path: "/stop"},
		},
		RequestTimeout: 10 * time.Minute, StartTimeout: time.Minute, CreateTime: at(1),
	}
}

func split(revisions ...string) sunya.Traffic {
	tr := sunya.Traffic{ShardBy: sunya.ShardByCookie}
	for _, r := range revisions {
		tr.Targets = append(tr.Targets, sunya.Target{Revision: r, Permille: 1000 / len(revisions)})
	}
	tr.Order = []sunya.Target{{Revision: revisions[0], Permille: 1000}}
	tr.Goal, tr.GoalOf, tr.Stopped = tr.Targets, "1234", revisions
	return tr
}

func load(t *testing.T, s serving.Store) serving.Snapshot {
	t.Helper()
	snap, err := s.Load(t.Context())
	must(t, err)
	return snap
}

func emptyStoreLoads(t *testing.T, s serving.Store) {
	wantSame(t, load(t, s), serving.Snapshot{})
	must(t, s.Apply(t.Context(), serving.Change{}))
}

func applyThenLoad(t *testing.T, s serving.Store) {
	a, b := service("a"), service("b")
	ra, rb := revision(a, "ra"), revision(b, "rb")
	a.Traffic = split(ra.Name)
	a.Dispatch = []sunya.DispatchRule{{Domain: "*", Path: "/b/*", Service: b.Name}}
	b.Access = sunya.Access{Private: true, Invokers: []string{sunya.AllUsers}}
	b.Ingress = sunya.IngressInternal
	b.Scaling = &sunya.Bounds{Min: 1, Max: 2, Limited: true}
	hosts := []sunya.Host{{Label: "a", Service: a.Name}, {Label: "v-dot-a", Service: a.Name, Revision: ra.Name}}
	must(t, s.Apply(t.Context(), serving.Change{
		PutServices: []sunya.Service{b, a}, PutRevisions: []sunya.Revision{rb, ra}, PutHosts: hosts,
	}))
	got := load(t, s)
	for i := range got.Services {
		if got.Services[i].UIDRange <= 0 {
			t.Errorf("%s has uid range %d, want a positive one", got.Services[i].Name, got.Services[i].UIDRange)
		}
		got.Services[i].UIDRange = 0
	}
	a.Generation, b.Generation = 1, 1
	wantSame(t, got, serving.Snapshot{Services: []sunya.Service{a, b}, Revisions: []sunya.Revision{ra, rb}, Hosts: hosts})
}

func replaceKeepsIdentity(t *testing.T, s serving.Store) {
	svc := service("a")
	must(t, s.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc}}))
	before := load(t, s).Services[0]
	next := svc
	next.CreateTime, next.UpdateTime, next.UIDRange, next.Generation = at(50), at(51), 9999, 77
	next.Traffic = split("r")
	next.Access.Private = true
	next.Scaling = &sunya.Bounds{Min: 3}
	next.Ingress = sunya.IngressInternal
	next.Dispatch = []sunya.DispatchRule{{Domain: "h", Path: "/", Service: "s"}}
	must(t, s.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{next}}))
	want := before
	want.Generation, want.UpdateTime, want.Traffic, want.Dispatch = 2, at(51), next.Traffic, next.Dispatch
	want.Access, want.Ingress, want.Scaling = next.Access, next.Ingress, next.Scaling
	wantSame(t, load(t, s).Services, []sunya.Service{want})
	other := svc
	other.Project = "q"
	wantCode(t, s.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{other}}), sunya.AlreadyExists)
}

func allOrNothing(t *testing.T, s serving.Store) {
	a, b := service("a"), service("b")
	must(t, s.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{a}, PutHosts: []sunya.Host{{Label: "x", Service: a.Name}}}))
	before := load(t, s)
	for rule, bad := range map[string]serving.Change{
		"a host of another": {DeleteRevisions: []string{"r"}, PutServices: []sunya.Service{a, b}, PutHosts: []sunya.Host{{Label: "y", Service: b.Name}, {Label: "x", Service: b.Name}}},
		"no such service":   {PutServices: []sunya.Service{b}, PutRevisions: []sunya.Revision{revision(service("none"), "r")}},
		"no such revision":  {PutServices: []sunya.Service{b}, PutHosts: []sunya.Host{{Label: "z", Service: b.Name, Revision: "none"}}},
	} {
		if err := s.Apply(t.Context(), bad); err == nil {
			t.Errorf("%s: accepted", rule)
		}
		wantSame(t, load(t, s), before)
	}
}

func revisionsNeverChange(t *testing.T, s serving.Store) {
	a := service("a")
	r := revision(a, "r")
	put := func(r sunya.Revision) error {
		return s.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{a}, PutRevisions: []sunya.Revision{r}})
	}
	must(t, put(r))
	again := r
	again.CreateTime = at(30)
	must(t, put(again)) // a repeated step
	changed := r
	changed.Port = 9090
	wantCode(t, put(changed), sunya.AlreadyExists)
	sameID := r
	sameID.Name += "2"
	wantCode(t, put(sameID), sunya.AlreadyExists)
	wantSame(t, load(t, s).Revisions, []sunya.Revision{r})
}

func hostsHaveOneOwner(t *testing.T, s serving.Store) {
	a, b := service("a"), service("b")
	r := revision(a, "r")
	must(t, s.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{a, b}, PutRevisions: []sunya.Revision{r},
		PutHosts: []sunya.Host{{Label: "x", Service: a.Name}}}))
	steal := serving.Change{PutHosts: []sunya.Host{{Label: "x", Service: b.Name}}}
	wantCode(t, s.Apply(t.Context(), steal), sunya.AlreadyExists)
	own := sunya.Host{Label: "x", Service: a.Name, Revision: r.Name}
	must(t, s.Apply(t.Context(), serving.Change{PutHosts: []sunya.Host{own}}))
	wantSame(t, load(t, s).Hosts, []sunya.Host{own})

	errs := together(t.Context(), 8, func(ctx context.Context, i int) error {
		return s.Apply(ctx, serving.Change{PutHosts: []sunya.Host{{Label: "race", Service: []string{a.Name, b.Name}[i%2]}}})
	})
	owner := load(t, s).Hosts[0].Service
	for i, err := range errs {
		if won := []string{a.Name, b.Name}[i%2] == owner; won != (err == nil) {
			t.Errorf("claim %d for owner %s: %v", i, owner, err)
		}
	}
}

func hostMovesInOneChange(t *testing.T, s serving.Store) {
	a, b := service("a"), service("b")
	must(t, s.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{a, b}, PutHosts: []sunya.Host{{Label: "x", Service: a.Name}}}))
	to := sunya.Host{Label: "x", Service: b.Name}
	must(t, s.Apply(t.Context(), serving.Change{DeleteHosts: []string{"x"}, PutHosts: []sunya.Host{to}}))
	wantSame(t, load(t, s).Hosts, []sunya.Host{to})
}

func replacedRevision(t *testing.T, s serving.Store) {
	a := service("a")
	r1, r2 := revision(a, "r1"), revision(a, "r2")
	must(t, s.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{a}, PutRevisions: []sunya.Revision{r1},
		PutHosts: []sunya.Host{{Label: "v", Service: a.Name, Revision: r1.Name}}}))
	host := sunya.Host{Label: "v", Service: a.Name, Revision: r2.Name}
	must(t, s.Apply(t.Context(), serving.Change{PutRevisions: []sunya.Revision{r2}, PutHosts: []sunya.Host{host}, DeleteRevisions: []string{r1.Name}}))
	got := load(t, s)
	wantSame(t, got.Hosts, []sunya.Host{host})
	wantSame(t, got.Revisions, []sunya.Revision{r2})
}

func deletingAService(t *testing.T, s serving.Store) {
	a, b := service("a"), service("b")
	ra, rb := revision(a, "ra"), revision(b, "rb")
	hb := sunya.Host{Label: "b", Service: b.Name, Revision: rb.Name}
	must(t, s.Apply(t.Context(), serving.Change{
		PutServices: []sunya.Service{a, b}, PutRevisions: []sunya.Revision{ra, rb},
		PutHosts: []sunya.Host{{Label: "a", Service: a.Name}, {Label: "ra", Service: a.Name, Revision: ra.Name}, hb},
	}))
	must(t, s.Apply(t.Context(), serving.Change{DeleteServices: []string{a.Name}}))
	got := load(t, s)
	if len(got.Services) != 1 || got.Services[0].Name != b.Name {
		t.Errorf("services left: %+v", got.Services)
	}
	wantSame(t, got.Revisions, []sunya.Revision{rb})
	wantSame(t, got.Hosts, []sunya.Host{hb})
}

func deletingWhatIsGone(t *testing.T, s serving.Store) {
	must(t, s.Apply(t.Context(), serving.Change{DeleteServices: []string{"s"}, DeleteRevisions: []string{"r"}, DeleteHosts: []string{"h"}}))
}

func uidRangesAreNeverReused(t *testing.T, s serving.Store) {
	owner := map[int]string{}
	for i := range 6 {
		svc := service(name("s%d", i%3)) // each name lives twice
		must(t, s.Apply(t.Context(), serving.Change{PutServices: []sunya.Service{svc}}))
		got := load(t, s).Services[0].UIDRange
		if had, ok := owner[got]; ok && had != svc.Name {
			t.Errorf("range %d of %s was given to %s", got, had, svc.Name)
		}
		owner[got] = svc.Name
		must(t, s.Apply(t.Context(), serving.Change{DeleteServices: []string{svc.Name}}))
	}
}

func writersSideBySide(t *testing.T, s serving.Store) {
	const n = 40
	errs := together(t.Context(), n, func(ctx context.Context, i int) error {
		return s.Apply(ctx, serving.Change{PutServices: []sunya.Service{service("s00")}})
	})
	must(t, errors.Join(errs...))
	errs = together(t.Context(), n, func(ctx context.Context, i int) error {
		svc := service(name("s%02d", i))
		if i%10 == 9 {
			svc = service("s00")
			svc.Project = "q"
		}
		return s.Apply(ctx, serving.Change{PutServices: []sunya.Service{svc}})
	})
	for i, err := range errs {
		if (err != nil) != (i%10 == 9) {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	got, ranges := load(t, s).Services, map[int]bool{}
	for _, svc := range got {
		ranges[svc.UIDRange] = true
	}
	if len(got) != n-n/10 || len(ranges) != len(got) {
		t.Errorf("%d services with %d uid ranges, want %d", len(got), len(ranges), n-n/10)
	}
	if got[0].Generation != n+1 {
		t.Errorf("generation %d after %d writes", got[0].Generation, n+1)
	}
}

func canceledWritesNothing(t *testing.T, s serving.Store) {
	err := s.Apply(canceled(t), serving.Change{PutServices: []sunya.Service{service("a")}})
	wantCode(t, err, sunya.Canceled)
	wantSame(t, load(t, s), serving.Snapshot{})
}
