package storetest

import (
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// RunStore is run.Store and the stores that PutRun writes to as well. Functions
// share its names.
type RunStore interface {
	run.Store
	FunctionsStore
}

// Run is the contract of run.Store.
func Run(t *testing.T, open func(testing.TB) RunStore) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, RunStore)
	}{
		{"PutGetDelete", runRecords},
		{"ListsServices", runServiceLists},
		{"ListsRevisions", runRevisionLists},
		{"PutIsAtomic", putRunIsAtomic},
		{"NamesAreSharedWithFunctions", runNames},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func runService(location, id string) run.Service {
	manual := 2
	return run.Service{
		Key: run.Key{Project: "p", Location: location, ID: id},
		Spec: run.Spec{
			Template: run.Template{
				Containers: []run.Container{{
					Container: sunya.Container{Env: []sunya.EnvVar{{Name: "A", Value: "ü"}}, Startup: &sunya.Probe{HTTP: &sunya.HTTPProbe{Path: "/"}, Period: time.Second}},
					From:      sunya.ImageSpec{Reference: "gcr.io/p/hello", Args: []string{"-v"}}, Port: 8080, Protocol: sunya.H2C,
				}},
				Volumes: []sunya.Volume{{Name: "tmp", Memory: &sunya.MemoryVolume{Bytes: 1 << 20}}}, Timeout: time.Minute, Document: []byte(`{"x":1}`),
			},
			Traffic: []run.Target{{Latest: true, Percent: 100, Tag: "now"}}, Ingress: run.IngressAll, Scaling: run.Scaling{Manual: &manual},
			Document: []byte(`{"y":1}`),
		},
		UID: "u", Generation: 2, Observed: 1, Number: 3, Host: id, Invokers: []string{"allUsers"},
		Conditions: []run.Condition{{Type: run.ConditionReady, State: run.False, Reason: run.ReasonInternal, Message: "why", Time: at(3)}},
		CreateTime: at(1), UpdateTime: at(2),
	}
}

func runRevision(s run.Service, id string, n int) run.Revision {
	return run.Revision{
		Service: s.Key, ID: id, Template: s.Template, Digests: map[string]string{"": "sha256:1"},
		Conditions: s.Conditions, CreateTime: at(n), UpdateTime: at(n),
	}
}

func runRecords(t *testing.T, s RunStore) {
	svc := runService("local", "hello")
	rev := runRevision(svc, "hello-1", 1)
	_, err := s.GetRunService(t.Context(), svc.Key)
	wantCode(t, err, sunya.NotFound)
	wantCode(t, s.PutRun(t.Context(), run.Write{Revision: &rev}), sunya.FailedPrecondition)
	must(t, s.PutRun(t.Context(), run.Write{Service: &svc, Revision: &rev}))
	svc.Description, rev.Build = "new", "b"
	must(t, s.PutRun(t.Context(), run.Write{Service: &svc, Revision: &rev}))
	got, err := s.GetRunService(t.Context(), svc.Key)
	must(t, err)
	wantSame(t, got, &svc)
	gotRev, err := s.GetRunRevision(t.Context(), svc.Key, rev.ID)
	must(t, err)
	wantSame(t, gotRev, &rev)
	for range 2 { // what is gone may be deleted
		must(t, s.PutRun(t.Context(), run.Write{Service: &svc, DeleteRevisions: []string{rev.ID}}))
	}
	_, err = s.GetRunRevision(t.Context(), svc.Key, rev.ID)
	wantCode(t, err, sunya.NotFound)

	must(t, s.PutRun(t.Context(), run.Write{Revision: &rev}))
	for range 2 {
		must(t, s.PutRun(t.Context(), run.Write{Delete: &svc.Key}))
	}
	_, err = s.GetRunService(t.Context(), svc.Key)
	wantCode(t, err, sunya.NotFound)
	_, err = s.GetRunRevision(t.Context(), svc.Key, rev.ID)
	wantCode(t, err, sunya.NotFound)
	must(t, s.PutRun(t.Context(), run.Write{Delete: &svc.Key, Service: &svc})) // deletions come first
	_, err = s.GetRunService(t.Context(), svc.Key)
	must(t, err)
}

func runServiceLists(t *testing.T, s RunStore) {
	for _, name := range [][2]string{{"b", "x"}, {"a", "y"}, {"a", "x"}} {
		svc := runService(name[0], name[1])
		must(t, s.PutRun(t.Context(), run.Write{Service: &svc}))
	}
	for _, c := range []struct {
		location, after string
		limit           int
		want            string
	}{
		{"", "", 0, "a/x a/y b/x "}, {"", "a/x", 0, "a/y b/x "}, {"", "a/y", 1, "b/x "}, {"a", "", 1, "a/x "}, {"a", "a/x", 5, "a/y "}, {"c", "", 0, ""},
	} {
		all, err := s.ListRunServices(t.Context(), "p", c.location, c.after, c.limit)
		must(t, err)
		got := ""
		for _, svc := range all {
			got += svc.Location + "/" + svc.ID + " "
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
	if all, err := s.ListRunServices(t.Context(), "q", "", "", 0); err != nil || len(all) > 0 {
		t.Errorf("another project has %v, %v", all, err)
	}
}

func runRevisionLists(t *testing.T, s RunStore) {
	svc, other := runService("local", "hello"), runService("local", "other")
	must(t, s.PutRun(t.Context(), run.Write{Service: &other}))
	for _, r := range []run.Revision{runRevision(svc, "b", 1), runRevision(svc, "a", 2), runRevision(svc, "c", 2), runRevision(other, "d", 3)} {
		w := run.Write{Revision: &r}
		if r.Service == svc.Key {
			w.Service = &svc
		}
		must(t, s.PutRun(t.Context(), w))
	}
	for _, c := range []struct {
		after run.Cursor
		limit int
		want  string
	}{
		{run.Cursor{}, 0, "c a b "}, {run.Cursor{}, 1, "c "}, {run.Cursor{Time: at(2), ID: "c"}, 0, "a b "},
		{run.Cursor{Time: at(2), ID: "b"}, 1, "a "}, {run.Cursor{Time: at(1), ID: "b"}, 0, ""},
	} {
		all, err := s.ListRunRevisions(t.Context(), svc.Key, c.after, c.limit)
		must(t, err)
		got := ""
		for _, r := range all {
			got += r.ID + " "
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
	all, err := s.ListRunRevisions(t.Context(), run.Key{Project: "p", Location: "local"}, run.Cursor{}, 2)
	must(t, err)
	if len(all) != 2 || all[0].ID != "d" || all[1].ID != "c" {
		t.Errorf("the location has %v first, want d and c", all)
	}
}

func putRunIsAtomic(t *testing.T, s RunStore) {
	svc := runService("local", "hello")
	rev := runRevision(svc, "hello-1", 1)
	svc.Deployment = "d1"
	op := &sunya.Operation{Name: "projects/p/locations/local/operations/1", CreateTime: at(1)}
	d := &sunya.Deployment{ID: "d1", Operation: op.Name, Step: sunya.StepBuilding, CreateTime: at(1)}
	must(t, s.PutRun(t.Context(), run.Write{Service: &svc, Revision: &rev, Operation: op, Deployment: d}))
	pending, err := s.Pending(t.Context())
	must(t, err)
	if len(pending) != 1 || pending[0].ID != "d1" {
		t.Errorf("pending = %v, want d1", pending)
	}
	again, second, secondOp := svc, *d, *op
	again.Deployment, second.ID, secondOp.Name = "d2", "d2", op.Name+"2"
	wantCode(t, s.PutRun(t.Context(), run.Write{Service: &again, Operation: &secondOp, Deployment: &second}), sunya.Aborted)
	_, err = s.GetOperation(t.Context(), secondOp.Name)
	wantCode(t, err, sunya.NotFound)
	svc.Deployment = "" // its end
	must(t, s.PutRun(t.Context(), run.Write{Service: &svc}))
	must(t, s.PutRun(t.Context(), run.Write{Service: &again, Deployment: &second}))
}

func runNames(t *testing.T, s RunStore) {
	svc, f := runService("local", "hello"), function("local", "hello")
	op := &sunya.Operation{Name: "projects/p/locations/local/operations/1", CreateTime: at(1)}
	d := &sunya.Deployment{ID: "d1", Operation: op.Name, Step: sunya.StepBuilding, CreateTime: at(1)}
	must(t, s.PutRun(t.Context(), run.Write{Service: &svc}))
	wantCode(t, s.BeginFunctionDeploy(t.Context(), &f, op, d), sunya.AlreadyExists)
	must(t, s.PutRun(t.Context(), run.Write{Delete: &svc.Key}))
	must(t, s.BeginFunctionDeploy(t.Context(), &f, op, d))
	wantCode(t, s.PutRun(t.Context(), run.Write{Service: &svc}), sunya.AlreadyExists)
	must(t, s.DeleteFunction(t.Context(), functions.Key(svc.Key)))
	must(t, s.PutRun(t.Context(), run.Write{Service: &svc}))
}
