package appengine_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/appengine/appenginetest"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
)

// deployed returns a world with versions: "default/v1".
func deployed(t *testing.T, versions ...string) (*appenginetest.World, *appengine.Admin) {
	t.Helper()
	w, a := world()
	for _, v := range versions {
		service, id, _ := strings.Cut(v, "/")
		if _, err := a.CreateVersion(t.Context(), draft(service, id)); err != nil {
			t.Fatal(err)
		}
		if err := w.Deploy(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	return w, a
}

// to is a client that wants a split, whatever there is.
func to(want appengine.Split) appengine.SplitChange {
	return func(appengine.Split) (appengine.Split, error) { return want, nil }
}

func TestSetSplit(t *testing.T) {
	third := 1.0 / 3
	for _, c := range []struct {
		name string
		by   sunya.ShardBy
		in   map[string]float64
		want map[string]float64 // nil: refused
		text string
	}{
		{"all to one", "", map[string]float64{"v2": 1}, map[string]float64{"v2": 1}, ""},
		{"halves", sunya.ShardByIP, map[string]float64{"v1": 0.5, "v2": 0.5}, map[string]float64{"v1": 0.5, "v2": 0.5}, ""},
		{"thirds at random", sunya.ShardByRandom, map[string]float64{"v1": third, "v2": third, "v3": third}, map[string]float64{"v1": 0.334, "v2": 0.333, "v3": 0.333}, ""},
		{"three decimals by cookie", sunya.ShardByCookie, map[string]float64{"v1": 0.001, "v2": 0.999}, map[string]float64{"v1": 0.001, "v2": 0.999}, ""},
		{"zero is left out", "", map[string]float64{"v1": 0, "v2": 1}, map[string]float64{"v2": 1}, ""},
		{"sum below one", "", map[string]float64{"v1": 0.5, "v2": 0.4}, nil, "sum to 1"},
		{"sum above one", "", map[string]float64{"v1": 1, "v2": 0.4}, nil, "sum to 1"},
		{"nothing", "", nil, nil, "sum to 1"},
		{"negative", "", map[string]float64{"v1": 1.5, "v2": -0.5}, nil, "0 to 1"},
		{"three decimals by IP", sunya.ShardByIP, map[string]float64{"v1": 0.001, "v2": 0.999}, nil, "decimals"},
		{"unknown version", "", map[string]float64{"v9": 1}, nil, "does not exist"},
		{"no version at all", "", map[string]float64{"../x": 1}, nil, "not an id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, a := deployed(t, "default/v1", "default/v2", "default/v3")
			op, err := a.SetSplit(t.Context(), "sunya", "default", to(appengine.Split{ShardBy: c.by, Allocations: c.in}), "")
			if c.want == nil {
				if sunya.CodeOf(err) != sunya.InvalidArgument || !strings.Contains(err.Error(), c.text) {
					t.Errorf("err = %v, want InvalidArgument with %q", err, c.text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			svc, err := a.Service(t.Context(), "sunya", "default")
			if err != nil || !op.Done {
				t.Fatalf("done %v, err %v", op.Done, err)
			}
			if diff := cmp.Diff(appengine.Split{ShardBy: c.by, Allocations: c.want}, svc.Split); diff != "" {
				t.Errorf("split (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTrafficToVersionThatIsNotReady(t *testing.T) {
	_, a := deployed(t, "default/v1")
	if _, err := a.CreateVersion(t.Context(), draft("default", "v2")); err != nil {
		t.Fatal(err)
	}
	_, err := a.SetSplit(t.Context(), "sunya", "default", to(appengine.Split{Allocations: map[string]float64{"v2": 1}}), "")
	if sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("err = %v, want FailedPrecondition", err)
	}
}

func TestDelete(t *testing.T) {
	ctx := t.Context()
	w, a := deployed(t, "default/v1", "default/v2", "worker/w1")
	key := func(s, v string) appengine.Key { return appengine.Key{Project: "sunya", Service: s, ID: v} }
	for _, c := range []struct {
		name string
		do   func() (*sunya.Operation, error)
		code sunya.Code
	}{
		{"version with traffic", func() (*sunya.Operation, error) { return a.DeleteVersion(ctx, key("default", "v1"), "") }, sunya.FailedPrecondition},
		{"version that is not there", func() (*sunya.Operation, error) { return a.DeleteVersion(ctx, key("default", "v9"), "") }, sunya.NotFound},
		{"default service", func() (*sunya.Operation, error) { return a.DeleteService(ctx, "sunya", "default", "") }, sunya.FailedPrecondition},
		{"service that is not there", func() (*sunya.Operation, error) { return a.DeleteService(ctx, "sunya", "nope", "") }, sunya.NotFound},
		{"version without traffic", func() (*sunya.Operation, error) { return a.DeleteVersion(ctx, key("default", "v2"), "") }, sunya.OK},
		{"service with its versions", func() (*sunya.Operation, error) { return a.DeleteService(ctx, "sunya", "worker", "") }, sunya.OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := c.do(); sunya.CodeOf(err) != c.code {
				t.Errorf("err = %v, want %d", err, c.code)
			}
		})
	}
	v, err := a.Version(ctx, key("default", "v1"))
	if err != nil {
		t.Fatal(err)
	}
	svc := "apps/sunya/services/default"
	want := []string{
		"default-dot-sunya " + svc,
		"sunya " + svc,
		"v1-dot-default-dot-sunya " + svc + " " + v.Revision,
		"v1-dot-sunya " + svc + " " + v.Revision,
	}
	if diff := cmp.Diff(want, w.Hosts()); diff != "" {
		t.Errorf("hosts left (-want +got):\n%s", diff)
	}
}

func TestApplication(t *testing.T) {
	ctx := t.Context()
	w, a := world()
	app, err := a.Application(ctx, "sunya")
	if err != nil || app.ID != "sunya" || app.Location != "local" {
		t.Fatalf("app = %+v, %v", app, err)
	}
	if diff := cmp.Diff([]string{"staging.sunya.appspot.com", "sunya.appspot.com"}, w.Buckets); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
	if _, err := a.CreateApplication(ctx, "sunya", "europe-west1", []byte(`{}`), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateApplication(ctx, "sunya", "local", nil, ""); sunya.CodeOf(err) != sunya.AlreadyExists {
		t.Errorf("second create: %v", err)
	}
	if app, _ := a.Application(ctx, "sunya"); app.Location != "europe-west1" {
		t.Errorf("location = %s", app.Location)
	}
}

func TestDecorate(t *testing.T) {
	list := appengine.Headers{}.Decorate(nil, gateway.RequestInfo{ClientIP: "192.0.2.1", Scheme: "https", RequestID: "abc", DefaultHost: "sunya.localhost"})
	h := http.Header{}
	for _, f := range list {
		h.Add(f.Name, f.Value)
	}
	for name, want := range map[string]string{
		"X-AppEngine-Country":                  "ZZ",
		"X-AppEngine-City":                     "?",
		"X-AppEngine-CityLatLong":              "0.000000,0.000000",
		"X-AppEngine-Https":                    "on",
		"X-AppEngine-User-IP":                  "192.0.2.1",
		"X-AppEngine-Request-Log-Id":           "abc",
		"X-AppEngine-Default-Version-Hostname": "sunya.localhost",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}
