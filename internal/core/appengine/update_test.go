package appengine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/appengine/appenginetest"
)

// scaled deploys default/auto, default/basic and default/manual; auto has the
// traffic and takes warm-up requests.
func scaled(t *testing.T) (*appenginetest.World, *appengine.Admin) {
	t.Helper()
	w, a := world()
	for id, s := range map[string]appengine.Scaling{
		"auto":   {Automatic: &appengine.AutomaticScaling{MinInstances: 1}},
		"basic":  {Basic: &appengine.BasicScaling{MaxInstances: 2}},
		"manual": {Manual: &appengine.ManualScaling{Instances: 2}},
	} {
		n := draft("default", id)
		n.Scaling, n.WarmUp = s, id == "auto"
		if _, err := a.CreateVersion(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if err := w.Deploy(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.SetSplit(t.Context(), "sunya", "default", to(appengine.Split{Allocations: map[string]float64{"auto": 1}}), ""); err != nil {
		t.Fatal(err)
	}
	return w, a
}

func keyOf(id string) appengine.Key {
	return appengine.Key{Project: "sunya", Service: "default", ID: id}
}

func traffic(w *appenginetest.World) sunya.Traffic {
	svc, _ := w.Service("apps/sunya/services/default")
	return svc.Traffic
}

func TestUpdateVersionRefuses(t *testing.T) {
	stop := func(v *appengine.Version) error { v.ServingStatus = appengine.StatusStopped; return nil }
	nothing := func(*appengine.Version) error { return nil }
	for _, c := range []struct {
		name    string
		version string
		paths   []string
		change  appengine.VersionChange
		code    sunya.Code
		text    string
	}{
		{"no field", "auto", nil, nothing, sunya.InvalidArgument, "name the fields"},
		{"no such version", "v9", []string{"serving_status"}, nothing, sunya.NotFound, "not found"},
		{"the runtime", "auto", []string{"runtime"}, nothing, sunya.InvalidArgument, "runtime: cannot be changed in a version that exists"},
		{"variables", "manual", []string{"env_variables"}, nothing, sunya.InvalidArgument, "deploy a new version"},
		{"handlers", "manual", []string{"handlers"}, nothing, sunya.InvalidArgument, "deploy a new version"},
		{"another kind of scaling", "auto", []string{"manual_scaling.instances"}, nothing, sunya.InvalidArgument, "the version has automatic_scaling"},
		{"back to automatic", "basic", []string{"automatic_scaling"}, nothing, sunya.InvalidArgument, "the version has basic_scaling"},
		{"flexible environment", "auto", []string{"automatic_scaling.cool_down_period"}, nothing, sunya.InvalidArgument, "cannot be changed"},
		{"one good, one not", "manual", []string{"manual_scaling.instances", "id"}, nothing, sunya.InvalidArgument, "id: cannot"},
		{"stop automatic scaling", "auto", []string{"serving_status"}, stop, sunya.FailedPrecondition, "only versions with basic or manual scaling"},
		{"no status", "manual", []string{"serving_status"}, func(v *appengine.Version) error { v.ServingStatus = "SERVING_STATUS_UNSPECIFIED"; return nil }, sunya.InvalidArgument, "use SERVING or STOPPED"},
		{"a class of the other kind", "manual", []string{"instance_class"}, func(v *appengine.Version) error { v.InstanceClass = "F2"; return nil }, sunya.InvalidArgument, "F2 is for automatic scaling"},
		{"too many instances", "manual", []string{"manual_scaling.instances"}, func(v *appengine.Version) error {
			v.Scaling.Manual = &appengine.ManualScaling{Instances: 1001}
			return nil
		}, sunya.InvalidArgument, "1 to 1000, not 1001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, a := scaled(t)
			_, err := a.UpdateVersion(t.Context(), keyOf(c.version), c.paths, c.change, "")
			if sunya.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("err = %v, want %d with %q", err, c.code, c.text)
			}
			if len(w.Pending()) > 0 || len(traffic(w).Stopped) > 0 {
				t.Error("something was stored")
			}
		})
	}
}

func TestUpdateVersionMakesARevisionOfTheSameImage(t *testing.T) {
	ctx := t.Context()
	w, a := scaled(t)
	before, _ := a.Version(ctx, keyOf("auto"))
	op, err := a.UpdateVersion(ctx, keyOf("auto"), []string{"instance_class", "automatic_scaling.min_idle_instances"}, func(v *appengine.Version) error {
		v.InstanceClass = "F4"
		v.Scaling.Automatic = &appengine.AutomaticScaling{MinInstances: 1, MinIdleInstances: 3}
		return nil
	}, "")
	if err != nil || op.Done {
		t.Fatalf("op = %+v, %v", op, err)
	}
	if now, _ := a.Version(ctx, keyOf("auto")); now.InstanceClass != "F1" || now.Deployment == "" {
		t.Errorf("while it is changed, the version shows %s, deployment %q", now.InstanceClass, now.Deployment)
	}
	_, err = a.UpdateVersion(ctx, keyOf("auto"), []string{"instance_class"}, func(*appengine.Version) error { return nil }, "")
	if sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("a second change at once: %v, want Aborted", err)
	}
	d := w.Pending()[0]
	if d.Step != sunya.StepStarting || d.Replaces != before.Revision || d.Revision.MemoryBytes != 1536<<20 || d.Revision.Scaling.MinIdle != 3 {
		t.Errorf("deployment = %+v", d)
	}
	if i := slices.IndexFunc(d.Revision.Env, func(e sunya.EnvVar) bool { return e.Name == "GAE_MEMORY_MB" }); d.Revision.Env[i].Value != "1536" {
		t.Errorf("GAE_MEMORY_MB = %s", d.Revision.Env[i].Value)
	}
	w.Put(ctx, op)
	w.BeginDeploy(ctx, &appengine.Version{Key: keyOf("other")}, op, &d)
	if err := w.Deploy(ctx, a, nil); err != nil {
		t.Fatal(err)
	}
	after, _ := a.Version(ctx, keyOf("auto"))
	if after.Revision == before.Revision || after.InstanceClass != "F4" || after.Deployment != "" || !after.CreateTime.Equal(before.CreateTime) {
		t.Errorf("version = %+v", after)
	}
	if got := traffic(w).Targets; len(got) != 1 || got[0].Revision != after.Revision {
		t.Errorf("traffic = %v, want all to %s", got, after.Revision)
	}
	if _, ok := w.Revision(before.Revision); ok {
		t.Error("the old revision is still there")
	}
}

func TestFailedUpdateLeavesTheVersionAsItWas(t *testing.T) {
	ctx := t.Context()
	w, a := scaled(t)
	before, _ := a.Version(ctx, keyOf("manual"))
	_, err := a.UpdateVersion(ctx, keyOf("manual"), []string{"manual_scaling.instances"}, func(v *appengine.Version) error {
		v.Scaling.Manual = &appengine.ManualScaling{Instances: 7}
		return nil
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Deploy(ctx, a, sunya.Errorf(sunya.Unavailable, "", "it does not start")); err != nil {
		t.Fatal(err)
	}
	after, _ := a.Version(ctx, keyOf("manual"))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

func TestStopAndStart(t *testing.T) {
	ctx := t.Context()
	w, a := scaled(t)
	set := func(s appengine.ServingStatus) *sunya.Operation {
		t.Helper()
		op, err := a.UpdateVersion(ctx, keyOf("manual"), []string{"serving_status"}, func(v *appengine.Version) error {
			v.ServingStatus = s
			return nil
		}, "")
		if err != nil {
			t.Fatal(err)
		}
		return op
	}
	v, _ := a.Version(ctx, keyOf("manual"))
	for range 2 { // twice is not an error
		if op := set(appengine.StatusStopped); !op.Done {
			t.Error("the stop is not done")
		}
	}
	if got := traffic(w).Stopped; !slices.Equal(got, []string{v.Revision}) {
		t.Errorf("stopped = %v", got)
	}
	if !slices.ContainsFunc(w.Hosts(), func(h string) bool { return strings.HasPrefix(h, "manual-dot-sunya ") }) {
		t.Errorf("hosts = %v", w.Hosts())
	}
	_, err := a.SetSplit(ctx, "sunya", "default", to(appengine.Split{Allocations: map[string]float64{"manual": 1}}), "")
	if sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), "start it first") {
		t.Errorf("traffic to a stopped version: %v", err)
	}
	// A change of a stopped version waits until it is started.
	_, err = a.UpdateVersion(ctx, keyOf("manual"), []string{"manual_scaling.instances"}, func(v *appengine.Version) error {
		v.Scaling.Manual = &appengine.ManualScaling{Instances: 5}
		return nil
	}, "")
	if err != nil || len(w.Pending()) > 0 {
		t.Fatalf("change while stopped: %v", err)
	}
	if op := set(appengine.StatusServing); op.Done {
		t.Error("the start with another size is done at once")
	}
	if err := w.Deploy(ctx, a, nil); err != nil {
		t.Fatal(err)
	}
	now, _ := a.Version(ctx, keyOf("manual"))
	rev, _ := w.Revision(now.Revision)
	if now.ServingStatus != appengine.StatusServing || rev.Scaling.Min != 5 || len(traffic(w).Stopped) > 0 {
		t.Errorf("version %s with %d instances, stopped %v", now.ServingStatus, rev.Scaling.Min, traffic(w).Stopped)
	}
	set(appengine.StatusStopped)
	if op := set(appengine.StatusServing); !op.Done || len(traffic(w).Stopped) > 0 {
		t.Error("the start without a change is not done at once")
	}
}

func TestDeleteInstance(t *testing.T) {
	ctx := t.Context()
	w, a := scaled(t)
	if op, err := a.DeleteInstance(ctx, keyOf("auto"), "i1", ""); err != nil || !op.Done || !slices.Equal(w.Ended, []string{"i1"}) {
		t.Errorf("op = %+v, %v, ended %v", op, err, w.Ended)
	}
	for _, k := range []appengine.Key{keyOf("auto"), keyOf("v9")} {
		if _, err := a.DeleteInstance(ctx, k, "nobody", ""); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("%s: %v, want NotFound", k.ID, err)
		}
	}
}

func TestMigrate(t *testing.T) {
	all := func(id string) map[string]float64 { return map[string]float64{id: 1} }
	for _, c := range []struct {
		name string
		by   sunya.ShardBy
		to   map[string]float64
		code sunya.Code
		text string
	}{
		{"to a version that is warmed up", sunya.ShardByIP, all("next"), sunya.OK, ""},
		{"to where it is", sunya.ShardByIP, all("auto"), sunya.OK, ""},
		{"a part of it", sunya.ShardByCookie, map[string]float64{"auto": 0.4, "next": 0.6}, sunya.OK, ""},
		{"no way to shard", "", all("next"), sunya.InvalidArgument, "service.split.shardBy: is missing"},
		{"no warm-up", sunya.ShardByIP, all("cold"), sunya.FailedPrecondition, "inbound_services: [warmup]"},
		{"manual scaling", sunya.ShardByIP, all("manual"), sunya.FailedPrecondition, "no automatic scaling"},
		{"no such version", sunya.ShardByIP, all("v9"), sunya.InvalidArgument, "does not exist"},
		{"does not sum up", sunya.ShardByIP, map[string]float64{"next": 0.5}, sunya.InvalidArgument, "sum to 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			w, a := scaled(t)
			for _, id := range []string{"next", "cold"} {
				n := draft("default", id)
				n.WarmUp = id == "next"
				if _, err := a.CreateVersion(ctx, n); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Deploy(ctx, a, nil); err != nil {
				t.Fatal(err)
			}
			op, err := a.MigrateSplit(ctx, "sunya", "default", to(appengine.Split{ShardBy: c.by, Allocations: c.to}), "")
			if sunya.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Fatalf("err = %v, want %d with %q", err, c.code, c.text)
			}
			if err != nil {
				if len(w.Pending()) > 0 || len(traffic(w).Goal) > 0 {
					t.Error("something was stored")
				}
				return
			}
			if !op.Done {
				migrating(t, w, a)
			}
			if err := w.Deploy(ctx, a, nil); err != nil {
				t.Fatal(err)
			}
			svc, _ := a.Service(ctx, "sunya", "default")
			if diff := cmp.Diff(c.to, svc.Split.Allocations); diff != "" || len(traffic(w).Goal) > 0 {
				t.Errorf("goal %v, split (-want +got):\n%s", traffic(w).Goal, diff)
			}
			if got := traffic(w).ShardBy; got != c.by {
				t.Errorf("sharded by %q, want %q", got, c.by)
			}
			if v, _ := a.Version(ctx, keyOf("next")); v.Deployment != "" || v.Revision == "" {
				t.Errorf("version = %+v", v)
			}
		})
	}
}

// migrating looks at what may not be done to a version that traffic is on its
// way to.
func migrating(t *testing.T, w *appenginetest.World, a *appengine.Admin) {
	t.Helper()
	if len(traffic(w).Goal) == 0 {
		t.Error("the split has no goal")
	}
	split := to(appengine.Split{ShardBy: sunya.ShardByIP, Allocations: map[string]float64{"next": 1}})
	if _, err := a.MigrateSplit(t.Context(), "sunya", "default", split, ""); sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("a second migration: %v, want Aborted", err)
	}
	if _, err := a.DeleteVersion(t.Context(), keyOf("next"), ""); err == nil {
		t.Error("the version was deleted")
	}
	if _, err := a.CreateVersion(t.Context(), draft("default", "next")); sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("deploy it again: %v, want Aborted", err)
	}
}

func TestSplitWithoutMigratingEndsAMigration(t *testing.T) {
	ctx := t.Context()
	w, a := scaled(t)
	n := draft("default", "next")
	n.WarmUp = true
	if _, err := a.CreateVersion(ctx, n); err != nil {
		t.Fatal(err)
	}
	if err := w.Deploy(ctx, a, nil); err != nil {
		t.Fatal(err)
	}
	split := func(id string) appengine.SplitChange {
		return to(appengine.Split{ShardBy: sunya.ShardByIP, Allocations: map[string]float64{id: 1}})
	}
	if _, err := a.MigrateSplit(ctx, "sunya", "default", split("next"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SetSplit(ctx, "sunya", "default", split("auto"), ""); err != nil {
		t.Fatal(err)
	}
	if got := traffic(w).Goal; len(got) > 0 {
		t.Errorf("goal = %v", got)
	}
}

func TestLifecycleOfScaling(t *testing.T) {
	for _, c := range []struct {
		name    string
		scaling appengine.Scaling
		warmUp  bool
		want    [3]string // start, warm-up, stop
	}{
		{"automatic", appengine.Scaling{}, false, [3]string{}},
		{"automatic with warm-up", appengine.Scaling{}, true, [3]string{"", "/_ah/warmup", ""}},
		{"basic", appengine.Scaling{Basic: &appengine.BasicScaling{MaxInstances: 1, IdleTimeout: time.Minute}}, true, [3]string{"/_ah/start", "", "/_ah/stop"}},
		{"manual", appengine.Scaling{Manual: &appengine.ManualScaling{Instances: 1}}, false, [3]string{"/_ah/start", "", "/_ah/stop"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, a := world()
			n := draft("default", "v1")
			n.Scaling, n.WarmUp = c.scaling, c.warmUp
			if _, err := a.CreateVersion(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			l := w.Pending()[0].Revision.Lifecycle
			if got := [3]string{l.Start.Path, l.WarmUp.Path, l.Stop.Path}; got != c.want {
				t.Errorf("requests = %q, want %q", got, c.want)
			}
			for _, call := range []sunya.Call{l.Start, l.WarmUp} {
				if call.Path == "" {
					continue
				}
				if call.Host != "v1-dot-default-dot-sunya.localhost" || call.Header["X-Forwarded-For"] != "0.1.0.3" {
					t.Errorf("%s: host %q, from %q", call.Path, call.Host, call.Header["X-Forwarded-For"])
				}
			}
			if l.Start.Path != "" && !slices.Equal(l.Start.Accept, []int{404}) {
				t.Errorf("accepted at the start: %v", l.Start.Accept)
			}
		})
	}
}
