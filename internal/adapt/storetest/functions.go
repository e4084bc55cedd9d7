package storetest

import (
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/deploy"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/operations"
)

// FunctionsStore is functions.Store and the two stores that BeginFunctionDeploy
// writes to as well.
type FunctionsStore interface {
	functions.Store
	deploy.Store
	operations.Store
}

// Functions is the contract of functions.Store.
func Functions(t *testing.T, open func(testing.TB) FunctionsStore) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, FunctionsStore)
	}{
		{"PutGetDelete", functionRecords},
		{"Lists", functionLists},
		{"BeginDeployIsAtomic", beginFunctionDeploy},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func function(location, id string) functions.Function {
	return functions.Function{
		Key: functions.Key{Project: "p", Location: location, ID: id},
		Spec: functions.Spec{
			Runtime: "python311", EntryPoint: "hello", Signature: functions.HTTP, Source: functions.Source{Bucket: "b", Object: "o"},
			Env: map[string]string{"A": "ü"}, MemoryBytes: 256 << 20, CPUMillis: 167, Timeout: time.Minute, Concurrency: 1, Max: 100,
			Document: []byte(`{"x":1}`),
		},
		State: functions.Active, Revision: "r", Number: 3, Host: id, Invokers: []string{"allUsers"}, CreateTime: at(1), UpdateTime: at(2),
	}
}

func functionRecords(t *testing.T, s FunctionsStore) {
	f := function("local", "hello")
	_, err := s.GetFunction(t.Context(), f.Key)
	wantCode(t, err, sunya.NotFound)
	must(t, s.PutFunction(t.Context(), &f))
	f.State, f.Messages = functions.Failed, []string{"why"}
	must(t, s.PutFunction(t.Context(), &f))
	got, err := s.GetFunction(t.Context(), f.Key)
	must(t, err)
	wantSame(t, got, &f)
	for range 2 { // what is gone may be deleted
		must(t, s.DeleteFunction(t.Context(), f.Key))
	}
	_, err = s.GetFunction(t.Context(), f.Key)
	wantCode(t, err, sunya.NotFound)
}

func functionLists(t *testing.T, s FunctionsStore) {
	for _, name := range [][2]string{{"b", "x"}, {"a", "y"}, {"a", "x"}} {
		f := function(name[0], name[1])
		must(t, s.PutFunction(t.Context(), &f))
	}
	for _, c := range []struct {
		location, after string
		limit           int
		want            string
	}{
		{"", "", 0, "a/x a/y b/x "}, {"", "a/x", 0, "a/y b/x "}, {"", "a/y", 1, "b/x "}, {"a", "", 1, "a/x "}, {"a", "a/x", 5, "a/y "}, {"c", "", 0, ""},
	} {
		fs, err := s.ListFunctions(t.Context(), "p", c.location, c.after, c.limit)
		must(t, err)
		got := ""
		for _, f := range fs {
			got += f.Location + "/" + f.ID + " "
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
	if fs, err := s.ListFunctions(t.Context(), "q", "", "", 0); err != nil || len(fs) > 0 {
		t.Errorf("another project has %v, %v", fs, err)
	}
}

func beginFunctionDeploy(t *testing.T, s FunctionsStore) {
	f := function("local", "hello")
	f.Deployment = "d1"
	op := &sunya.Operation{Name: "projects/p/locations/local/operations/1", CreateTime: at(1)}
	d := &sunya.Deployment{ID: "d1", Operation: op.Name, Step: sunya.StepBuilding, CreateTime: at(1)}
	must(t, s.BeginFunctionDeploy(t.Context(), &f, op, d))
	pending, err := s.Pending(t.Context())
	must(t, err)
	if len(pending) != 1 || pending[0].ID != "d1" {
		t.Errorf("pending = %v, want d1", pending)
	}
	again, second := f, *d
	again.Deployment, second.ID = "d2", "d2"
	wantCode(t, s.BeginFunctionDeploy(t.Context(), &again, op, &second), sunya.Aborted)
	got, err := s.GetFunction(t.Context(), f.Key)
	must(t, err)
	if got.Deployment != "d1" {
		t.Errorf("deployment = %s, want d1", got.Deployment)
	}
}
