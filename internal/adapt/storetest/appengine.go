package storetest

import (
	"context"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/deploy"
	"github.com/sunya-cloud/sunya/internal/core/operations"
)

// AppEngineStore is appengine.Store and the two stores that BeginDeploy writes
// to as well.
type AppEngineStore interface {
	appengine.Store
	deploy.Store
	operations.Store
}

// AppEngine is the contract of appengine.Store.
func AppEngine(t *testing.T, open func(testing.TB) AppEngineStore) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, AppEngineStore)
	}{
		{"Applications", applications},
		{"Versions", versions},
		{"Lists", versionLists},
		{"BeginDeployIsAtomic", beginDeploy},
		{"OneDeployAtATime", oneDeploy},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func version(service, id string) appengine.Version {
	return appengine.Version{
		Key:     appengine.Key{Project: "p", Service: service, ID: id},
		Runtime: "python311", Env: map[string]string{"A": "b"}, InstanceClass: "F1",
		Scaling:   appengine.Scaling{Automatic: &appengine.AutomaticScaling{MinInstances: 1}},
		DiskBytes: 7, ServingStatus: appengine.StatusServing, CreatedBy: "me", CreateTime: at(1),
		Revision: "r", Document: []byte(`{"x":1}`),
	}
}

func applications(t *testing.T, s AppEngineStore) {
	_, err := s.GetApplication(t.Context(), "p")
	wantCode(t, err, sunya.NotFound)
	a := appengine.Application{ID: "p", Location: "local", CreateTime: at(1), Document: []byte(`{}`)}
	must(t, s.PutApplication(t.Context(), &a))
	a.Location = "elsewhere"
	must(t, s.PutApplication(t.Context(), &a))
	got, err := s.GetApplication(t.Context(), "p")
	must(t, err)
	wantSame(t, got, &a)
}

func versions(t *testing.T, s AppEngineStore) {
	v := version("default", "v1")
	_, err := s.GetVersion(t.Context(), v.Key)
	wantCode(t, err, sunya.NotFound)
	must(t, s.PutVersion(t.Context(), &v))
	v.ServingStatus = appengine.StatusStopped
	must(t, s.PutVersion(t.Context(), &v))
	got, err := s.GetVersion(t.Context(), v.Key)
	must(t, err)
	wantSame(t, got, &v)
	for range 2 { // what is gone may be deleted
		must(t, s.DeleteVersion(t.Context(), v.Key))
	}
	_, err = s.GetVersion(t.Context(), v.Key)
	wantCode(t, err, sunya.NotFound)
}

func versionLists(t *testing.T, s AppEngineStore) {
	for _, k := range []string{"b/3", "a/2", "a/1", "a/3", "c/1"} {
		v := version(k[:1], k[2:])
		must(t, s.PutVersion(t.Context(), &v))
	}
	other := version("z", "1")
	other.Project = "q"
	must(t, s.PutVersion(t.Context(), &other))

	found, err := s.ListVersions(t.Context(), "p", "a", "1", 5)
	must(t, err)
	var ids []string
	for _, v := range found {
		ids = append(ids, v.ID)
	}
	wantSame(t, ids, []string{"2", "3"})
	services, err := s.ListServices(t.Context(), "p", "", 2)
	must(t, err)
	wantSame(t, services, []string{"a", "b"})
	services, err = s.ListServices(t.Context(), "p", "b", 2)
	must(t, err)
	wantSame(t, services, []string{"c"})
}

func beginDeploy(t *testing.T, s AppEngineStore) {
	v, d, op := version("default", "v1"), deployment("d1", 1), sunya.Operation{Name: "op1"}
	v.Deployment = d.ID
	must(t, s.BeginDeploy(t.Context(), &v, &op, &d))
	got, err := s.GetVersion(t.Context(), v.Key)
	must(t, err)
	wantSame(t, got, &v)
	_, err = s.GetOperation(t.Context(), op.Name)
	must(t, err)
	pending, err := s.Pending(t.Context())
	must(t, err)
	wantSame(t, pending, []sunya.Deployment{d})

	v2, d2, op2 := v, deployment("d2", 2), sunya.Operation{Name: "op2"}
	v2.Deployment = d2.ID
	wantCode(t, s.BeginDeploy(t.Context(), &v2, &op2, &d2), sunya.Aborted)
	_, err = s.GetOperation(t.Context(), op2.Name)
	wantCode(t, err, sunya.NotFound)
	_, err = s.GetDeployment(t.Context(), d2.ID)
	wantCode(t, err, sunya.NotFound)

	v.Deployment = "" // it ended
	must(t, s.PutVersion(t.Context(), &v))
	must(t, s.BeginDeploy(t.Context(), &v2, &op2, &d2))
}

func oneDeploy(t *testing.T, s AppEngineStore) {
	errs := together(t.Context(), 10, func(ctx context.Context, i int) error {
		v, d, op := version("default", "v1"), deployment(name("d%d", i), i), sunya.Operation{Name: name("op%d", i)}
		v.Deployment = d.ID
		return s.BeginDeploy(ctx, &v, &op, &d)
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, sunya.Aborted)
	}
	pending, err := s.Pending(t.Context())
	must(t, err)
	if won != 1 || len(pending) != 1 {
		t.Errorf("%d deploys began, %d are pending, want 1", won, len(pending))
	}
}
