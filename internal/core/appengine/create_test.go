package appengine_test

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/appengine/appenginetest"
)

const sha = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

// world returns a world in which the one file of draft is uploaded.
func world() (*appenginetest.World, *appengine.Admin) {
	w := appenginetest.New()
	w.Upload("staging.sunya.appspot.com", sha, 100)
	return w, w.Admin()
}

// draft is a version that can be deployed.
func draft(service, id string) appengine.NewVersion {
	return appengine.NewVersion{
		Version: appengine.Version{
			Key:     appengine.Key{Project: "sunya", Service: service, ID: id},
			Runtime: "python311",
		},
		Files: map[string]appengine.File{"main.py": {SourceURL: "gs://staging.sunya.appspot.com/" + sha, SHA1: sha}},
	}
}

func TestCreateVersionDescribesRevision(t *testing.T) {
	w, a := world()
	n := draft("default", "v1")
	n.Env = map[string]string{"B": "2", "A": "1", "PORT": "99"}
	n.Entrypoint = "gunicorn main:app"
	n.Main = "./cmd"
	op, err := a.CreateVersion(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"envVariables: PORT is set by the platform; your value has no effect"}, op.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	pending := w.Pending()
	if len(pending) != 1 || w.Kicks != 1 {
		t.Fatalf("%d deployments, %d kicks, want 1 and 1", len(pending), w.Kicks)
	}
	d := pending[0]
	name := "apps/sunya/services/default/versions/v1/" + d.ID
	want := sunya.Deployment{
		ID: d.ID, Operation: op.Name, Step: sunya.StepBuilding,
		Source: sunya.Source{Files: []sunya.SourceFile{{Path: "main.py", Bucket: "staging.sunya.appspot.com", Object: sha, SHA1: sha}}},
		Build: sunya.BuildSpec{
			Runtime: "python311", Entrypoint: "gunicorn main:app", Timeout: 10 * time.Minute,
			Env: map[string]string{"GAE_YAML_MAIN": "./cmd"},
		},
		Revision: sunya.Revision{
			Name: name, ID: d.Revision.ID, Service: "apps/sunya/services/default", Project: "sunya", Product: sunya.AppEngine,
			Labels: map[string]string{"project_id": "sunya", "module_id": "default", "version_id": "v1"}, ServiceAccount: "sunya@appspot.gserviceaccount.com",
			Container: sunya.Container{MemoryBytes: 384 << 20, CPUMillis: 600, Env: []sunya.EnvVar{
				{Name: "PORT", Value: "8080"},
				{Name: "GAE_APPLICATION", Value: "s~sunya"},
				{Name: "GAE_DEPLOYMENT_ID", Value: d.ID},
				{Name: "GAE_ENV", Value: "standard"},
				{Name: "GAE_INSTANCE", Field: sunya.FieldInstanceID},
				{Name: "GAE_MEMORY_MB", Value: "384"},
				{Name: "GAE_RUNTIME", Value: "python311"},
				{Name: "GAE_SERVICE", Value: "default"},
				{Name: "GAE_VERSION", Value: "v1"},
				{Name: "GOOGLE_CLOUD_PROJECT", Value: "sunya"},
				{Name: "A", Value: "1"},
				{Name: "B", Value: "2"},
			}},
			Port: 8080, Concurrency: 10,
			Scaling:        sunya.Scaling{TargetUtil: 0.6},
			RequestTimeout: 10 * time.Minute, StartTimeout: 240 * time.Second,
			CreateTime: d.CreateTime,
		},
		Traffic: &sunya.Traffic{Targets: []sunya.Target{{Revision: name, Permille: 1000}}},
		Hosts: []sunya.Host{
			{Label: "sunya", Service: "apps/sunya/services/default"},
			{Label: "v1-dot-default-dot-sunya", Service: "apps/sunya/services/default", Revision: name},
			{Label: "default-dot-sunya", Service: "apps/sunya/services/default"},
			{Label: "v1-dot-sunya", Service: "apps/sunya/services/default", Revision: name},
		},
		Document: d.Document, CreateTime: d.CreateTime,
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("deployment (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(d.Revision.ID, "gae-") || len(d.Revision.ID) > 20 {
		t.Errorf("revision id = %q", d.Revision.ID)
	}
	if _, err := strconv.ParseUint(d.ID, 10, 64); err != nil {
		t.Errorf("deployment id %q is not numeric", d.ID)
	}
}

func TestCreateVersionRefuses(t *testing.T) {
	big := strings.Repeat("x", 40<<10)
	for _, c := range []struct {
		name   string
		change func(*appengine.NewVersion)
		code   sunya.Code
		text   string
	}{
		{"bad project", func(n *appengine.NewVersion) { n.Project = "Sunya" }, sunya.InvalidArgument, "project"},
		{"project that reads as a service", func(n *appengine.NewVersion) { n.Project = "a-dot-b" }, sunya.InvalidArgument, "-dot-"},
		{"project that is the platform's", func(n *appengine.NewVersion) { n.Project = "console" }, sunya.InvalidArgument, "platform"},
		{"bad service", func(n *appengine.NewVersion) { n.Service = "-x" }, sunya.InvalidArgument, "service"},
		{"service with -dot-", func(n *appengine.NewVersion) { n.Service = "a-dot-b" }, sunya.InvalidArgument, "-dot-"},
		{"version with -dot-", func(n *appengine.NewVersion) { n.ID = "a-dot-b" }, sunya.InvalidArgument, "version.id"},
		{"reserved version", func(n *appengine.NewVersion) { n.ID = "latest" }, sunya.InvalidArgument, "reserved"},
		{"reserved prefix", func(n *appengine.NewVersion) { n.ID = "ah-x" }, sunya.InvalidArgument, "reserved"},
		{"upper-case version", func(n *appengine.NewVersion) { n.ID = "V1" }, sunya.InvalidArgument, "version.id"},
		{"long version", func(n *appengine.NewVersion) { n.ID = strings.Repeat("v", 64) }, sunya.InvalidArgument, "version.id"},
		{"first service is not default", func(n *appengine.NewVersion) { n.Service = "worker" }, sunya.FailedPrecondition, "'default' service"},
		{"no runtime", func(n *appengine.NewVersion) { n.Runtime = "" }, sunya.InvalidArgument, "python311"},
		{"odd runtime", func(n *appengine.NewVersion) { n.Runtime = "Python 3" }, sunya.InvalidArgument, "not a runtime"},
		{"unknown runtime", func(n *appengine.NewVersion) { n.Runtime = "cobol85" }, sunya.InvalidArgument, "nodejs22, python311"},
		{"first generation", func(n *appengine.NewVersion) { n.Runtime = "python27" }, sunya.InvalidArgument, "python311"},
		{"reserved variable", func(n *appengine.NewVersion) { n.Env = map[string]string{"GAE_X": ""} }, sunya.InvalidArgument, "reserved"},
		{"odd variable", func(n *appengine.NewVersion) { n.Env = map[string]string{"A-B": ""} }, sunya.InvalidArgument, "A-B"},
		{"NUL in value", func(n *appengine.NewVersion) { n.Env = map[string]string{"A": "\x00"} }, sunya.InvalidArgument, "NUL"},
		{"long value", func(n *appengine.NewVersion) { n.Env = map[string]string{"A": big} }, sunya.InvalidArgument, "bytes"},
		{"odd build variable", func(n *appengine.NewVersion) { n.BuildEnv = map[string]string{"=": ""} }, sunya.InvalidArgument, "buildEnv"},
		{"long entrypoint", func(n *appengine.NewVersion) { n.Entrypoint = big }, sunya.InvalidArgument, "entrypoint"},
		{"unknown class", func(n *appengine.NewVersion) { n.InstanceClass = "F9" }, sunya.InvalidArgument, "F1, F2"},
		{"class of other scaling", func(n *appengine.NewVersion) { n.InstanceClass = "B2" }, sunya.InvalidArgument, "basic and manual"},
		{"F class with manual", func(n *appengine.NewVersion) {
			n.InstanceClass = "F2"
			n.Scaling.Manual = &appengine.ManualScaling{Instances: 1}
		}, sunya.InvalidArgument, "automatic"},
		{"concurrency", func(n *appengine.NewVersion) {
			n.Scaling.Automatic = &appengine.AutomaticScaling{MaxConcurrentRequests: 1001}
		}, sunya.InvalidArgument, "maxConcurrentRequests"},
		{"min over max", func(n *appengine.NewVersion) {
			n.Scaling.Automatic = &appengine.AutomaticScaling{MinInstances: 3, MaxInstances: 2}
		}, sunya.InvalidArgument, "minInstances 3"},
		{"utilisation NaN", func(n *appengine.NewVersion) {
			n.Scaling.Automatic = &appengine.AutomaticScaling{TargetThroughputUtilization: math.NaN()}
		}, sunya.InvalidArgument, "NaN"},
		{"idle instances out of order", func(n *appengine.NewVersion) {
			n.Scaling.Automatic = &appengine.AutomaticScaling{MinIdleInstances: 3, MaxIdleInstances: 2}
		}, sunya.InvalidArgument, "minIdleInstances 3 is more than maxIdleInstances 2"},
		{"latencies out of order", func(n *appengine.NewVersion) {
			n.Scaling.Automatic = &appengine.AutomaticScaling{MinPendingLatency: 2 * time.Second, MaxPendingLatency: time.Second}
		}, sunya.InvalidArgument, "minPendingLatency 2s is more than maxPendingLatency 1s"},
		{"latency too long", func(n *appengine.NewVersion) {
			n.Scaling.Automatic = &appengine.AutomaticScaling{MaxPendingLatency: 16 * time.Second}
		}, sunya.InvalidArgument, "maxPendingLatency must be 10ms to 15s, not 16s"},
		{"latency below zero", func(n *appengine.NewVersion) {
			n.Scaling.Automatic = &appengine.AutomaticScaling{MinPendingLatency: -1}
		}, sunya.InvalidArgument, "minPendingLatency must be 10ms to 15s"},
		{"CPU target", func(n *appengine.NewVersion) {
			n.Scaling.Automatic = &appengine.AutomaticScaling{TargetCPUUtilization: 1}
		}, sunya.InvalidArgument, "targetCpuUtilization must be 0.5 to 0.95, not 1"},
		{"no basic maximum", func(n *appengine.NewVersion) { n.Scaling.Basic = &appengine.BasicScaling{} }, sunya.InvalidArgument, "maxInstances"},
		{"no manual instances", func(n *appengine.NewVersion) { n.Scaling.Manual = &appengine.ManualScaling{} }, sunya.InvalidArgument, "instances"},
		{"no source", func(n *appengine.NewVersion) { n.Files = nil }, sunya.InvalidArgument, "names no source"},
		{"two sources", func(n *appengine.NewVersion) { n.Zip = "gs://a/b" }, sunya.InvalidArgument, "one of them"},
		{"path that leaves", func(n *appengine.NewVersion) { n.Files = map[string]appengine.File{"../x": {}} }, sunya.InvalidArgument, "../x"},
		{"no sum", func(n *appengine.NewVersion) { n.Files["main.py"] = appengine.File{SourceURL: "gs://a/b"} }, sunya.InvalidArgument, "SHA-1"},
		{"foreign URL", func(n *appengine.NewVersion) {
			n.Files["main.py"] = appengine.File{SourceURL: "https://example.com/a/b", SHA1: sha}
		}, sunya.InvalidArgument, "not in this server's storage"},
		{"object is missing", func(n *appengine.NewVersion) { n.Files["main.py"] = appengine.File{SourceURL: "gs://a/b", SHA1: sha} }, sunya.InvalidArgument, "does not exist"},
		{"login", func(n *appengine.NewVersion) { n.Features = []appengine.Feature{"betaSettings", "handlers.login"} }, sunya.Unimplemented, "user accounts"},
		{"bundled services", func(n *appengine.NewVersion) { n.Features = []appengine.Feature{"appEngineApis"} }, sunya.Unimplemented, "client libraries"},
		{"flexible", func(n *appengine.NewVersion) { n.Features = []appengine.Feature{"flexible"} }, sunya.Unimplemented, "env: flex"},
		{"all traffic through VPC", func(n *appengine.NewVersion) { n.Features = []appengine.Feature{"vpcAccessConnector.egress"} }, sunya.Unimplemented, "private-ranges-only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, a := world()
			n := draft("default", "v1")
			c.change(&n)
			_, err := a.CreateVersion(t.Context(), n)
			if sunya.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("err = %v (%d), want %d with %q", err, sunya.CodeOf(err), c.code, c.text)
			}
			if len(w.Pending()) != 0 || w.Kicks != 0 {
				t.Error("something was stored")
			}
		})
	}
}

func TestTooManyFiles(t *testing.T) {
	_, a := world()
	n := draft("default", "v1")
	for i := range 10_001 {
		n.Files["f"+strconv.Itoa(i)] = appengine.File{}
	}
	if _, err := a.CreateVersion(t.Context(), n); err == nil || !strings.Contains(err.Error(), ".gcloudignore") {
		t.Errorf("err = %v", err)
	}
}

func TestScalingBecomesRevision(t *testing.T) {
	for _, c := range []struct {
		name        string
		class       string
		scaling     appengine.Scaling
		want        sunya.Scaling
		concurrency int
		memoryMB    int64
		timeout     time.Duration
	}{
		{"automatic", "F4", appengine.Scaling{Automatic: &appengine.AutomaticScaling{MinInstances: 1, MaxInstances: 5, MaxConcurrentRequests: 80, TargetThroughputUtilization: 0.9}}, sunya.Scaling{Min: 1, Max: 5, TargetUtil: 0.9}, 80, 1536, 10 * time.Minute},
		{"idle instances and latencies", "", appengine.Scaling{Automatic: &appengine.AutomaticScaling{MinIdleInstances: 2, MaxIdleInstances: 4, MinPendingLatency: 500 * time.Millisecond, MaxPendingLatency: time.Second, TargetCPUUtilization: 0.7}}, sunya.Scaling{MinIdle: 2, MaxIdle: 4, MinPending: 500 * time.Millisecond, MaxPending: time.Second, TargetUtil: 0.6}, 10, 384, 10 * time.Minute},
		{"API's way to say no maximum", "", appengine.Scaling{Automatic: &appengine.AutomaticScaling{MaxInstances: 2147483647}}, sunya.Scaling{TargetUtil: 0.6}, 10, 384, 10 * time.Minute},
		{"basic", "", appengine.Scaling{Basic: &appengine.BasicScaling{MaxInstances: 2}}, sunya.Scaling{Max: 2, Idle: 5 * time.Minute, NoFreeze: true}, 10, 384, 24 * time.Hour},
		{"manual", "B8", appengine.Scaling{Manual: &appengine.ManualScaling{Instances: 3}}, sunya.Scaling{Min: 3, Max: 3, Always: true, NoFreeze: true}, 10, 3072, 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, a := world()
			n := draft("default", "v1")
			n.InstanceClass, n.Scaling = c.class, c.scaling
			if _, err := a.CreateVersion(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			rev := w.Pending()[0].Revision
			if diff := cmp.Diff(c.want, rev.Scaling); diff != "" {
				t.Errorf("scaling (-want +got):\n%s", diff)
			}
			if rev.Concurrency != c.concurrency || rev.MemoryBytes>>20 != c.memoryMB || rev.RequestTimeout != c.timeout {
				t.Errorf("concurrency %d, memory %d MB, timeout %v", rev.Concurrency, rev.MemoryBytes>>20, rev.RequestTimeout)
			}
		})
	}
}

func TestRedeployKeepsServingUntilReady(t *testing.T) {
	w, a := world()
	ctx := t.Context()
	create := func(runtime string) error {
		n := draft("default", "v1")
		n.Runtime = runtime
		_, err := a.CreateVersion(ctx, n)
		return err
	}
	if err := errors.Join(create("python311"), w.Deploy(ctx, a, nil)); err != nil {
		t.Fatal(err)
	}
	key := appengine.Key{Project: "sunya", Service: "default", ID: "v1"}
	first, _ := a.Version(ctx, key)

	if err := create("nodejs22"); err != nil {
		t.Fatal(err)
	}
	if err := create("nodejs22"); sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("second deploy at once: %v, want Aborted", err)
	}
	if _, err := a.DeleteVersion(ctx, key, ""); sunya.CodeOf(err) != sunya.Aborted {
		t.Errorf("delete while deploying: %v, want Aborted", err)
	}
	during, _ := a.Version(ctx, key)
	if during.Runtime != "python311" || during.Revision != first.Revision {
		t.Errorf("while deploying: %s %s, want what serves", during.Runtime, during.Revision)
	}
	if err := w.Deploy(ctx, a, errors.New("boom")); err != nil {
		t.Fatal(err)
	}
	failed, _ := a.Version(ctx, key)
	if diff := cmp.Diff(first, failed); diff != "" {
		t.Errorf("a failed deploy changed the version (-before +after):\n%s", diff)
	}
	if err := create("nodejs22"); err != nil {
		t.Fatal(err)
	}
	d := w.Pending()[0]
	if d.Replaces != first.Revision || d.Traffic != nil {
		t.Errorf("replaces %q, traffic %v", d.Replaces, d.Traffic)
	}
	for range 2 { // a crash may repeat it
		if err := a.Finish(ctx, &d); err != nil {
			t.Fatal(err)
		}
	}
	after, _ := a.Version(ctx, key)
	if after.Runtime != "nodejs22" || after.Revision != d.Revision.Name || after.Deployment != "" {
		t.Errorf("after: %+v", after)
	}
}

func TestSecondVersionGetsNoTraffic(t *testing.T) {
	w, a := world()
	ctx := t.Context()
	for _, id := range []string{"v1", "v2"} {
		if _, err := a.CreateVersion(ctx, draft("default", id)); err != nil {
			t.Fatal(err)
		}
		if err := w.Deploy(ctx, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	svc, err := a.Service(ctx, "sunya", "default")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"v1": 1}, svc.Split.Allocations); diff != "" {
		t.Errorf("split (-want +got):\n%s", diff)
	}
}

// TestServiceTakesHostOfVersion: worker-dot-sunya is the version "worker" of
// the default service only as long as there is no service of that name. One whose
// deployment fails takes nothing.
func TestServiceTakesHostOfVersion(t *testing.T) {
	w, a := world()
	ctx := t.Context()
	for _, step := range []struct {
		version appengine.NewVersion
		failure error
		owner   string
	}{
		{draft("default", "worker"), nil, "apps/sunya/services/default apps/"},
		{draft("worker", "v1"), errors.New("it never listens"), "apps/sunya/services/default apps/"},
		{draft("worker", "v1"), nil, "apps/sunya/services/worker"},
		{draft("default", "worker"), nil, "apps/sunya/services/worker"},
	} {
		if _, err := a.CreateVersion(ctx, step.version); err != nil {
			t.Fatal(err)
		}
		if err := w.Deploy(ctx, a, step.failure); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(w.Hosts(), func(h string) bool { return strings.HasPrefix(h, "worker-dot-sunya "+step.owner) }) {
			t.Errorf("after %s of %s: hosts = %q", step.version.ID, step.version.Service, w.Hosts())
		}
	}
}

func TestAutomaticVersionID(t *testing.T) {
	_, a := world()
	op, err := a.CreateVersion(t.Context(), draft("default", ""))
	if err != nil {
		t.Fatal(err)
	}
	if want := "apps/sunya/services/default/versions/20261123t181501"; op.Target != want {
		t.Errorf("target = %s, want %s", op.Target, want)
	}
}

func TestLongHostIsHashed(t *testing.T) {
	k := appengine.Key{Project: "sunya", Service: strings.Repeat("s", 40), ID: strings.Repeat("v", 40)}
	other := k
	other.ID = strings.Repeat("v", 39) + "w"
	if l := k.Label(); len(l) > 63 || l == other.Label() || !strings.HasPrefix(l, "vvv") {
		t.Errorf("labels %q and %q", l, other.Label())
	}
}

// TestConcurrentDeploys: of many deploys of one version at once exactly one
// begins, and deployments of different versions get different ids.
func TestConcurrentDeploys(t *testing.T) {
	w, a := world()
	var wg sync.WaitGroup
	var begun, aborted atomic.Int32
	for i := range 32 {
		wg.Go(func() {
			_, err := a.CreateVersion(t.Context(), draft("default", "v"+strconv.Itoa(i%4)))
			switch sunya.CodeOf(err) {
			case sunya.OK:
				begun.Add(1)
			case sunya.Aborted:
				aborted.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ids := map[string]bool{}
	for _, d := range w.Pending() {
		ids[d.ID], ids[d.Revision.ID] = true, true
	}
	if begun.Load() != 4 || aborted.Load() != 28 || len(ids) != 8 {
		t.Errorf("%d begun, %d aborted, %d ids, want 4, 28 and 8", begun.Load(), aborted.Load(), len(ids))
	}
}
