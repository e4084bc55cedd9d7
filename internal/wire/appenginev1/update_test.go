package appenginev1_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func TestClientsChangeAVersion(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		ctx := t.Context()
		s.deploy(t, c, "default", "v1")
		name := parent + "/versions/v1"
		op, err := c.versions.UpdateVersion(ctx, &appenginepb.UpdateVersionRequest{
			Name: name,
			Version: &appenginepb.Version{
				InstanceClass: "F2",
				Runtime:       "nodejs22", // not in the mask
				Scaling: &appenginepb.Version_AutomaticScaling{AutomaticScaling: &appenginepb.AutomaticScaling{
					MinIdleInstances:          2,
					StandardSchedulerSettings: &appenginepb.StandardSchedulerSettings{MaxInstances: 2147483647, MinInstances: 1},
				}},
			},
			UpdateMask: mask("instance_class", "automatic_scaling.min_idle_instances", "automatic_scaling.standard_scheduler_settings.max_instances"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := s.world.Pending(); len(d) != 1 || d[0].Revision.Scaling.MinIdle != 2 || d[0].Revision.Scaling.Min != 0 || d[0].Revision.Scaling.Max != 0 {
			t.Fatalf("deployments = %+v", d)
		}
		meta, err := op.Metadata()
		if err != nil || meta.GetMethod() != "google.appengine.v1.Versions.UpdateVersion" {
			t.Errorf("metadata = %v, %v", meta, err)
		}
		_, err = c.versions.UpdateVersion(ctx, &appenginepb.UpdateVersionRequest{Name: name, Version: &appenginepb.Version{Runtime: "nodejs22"}, UpdateMask: mask("runtime")})
		wantCode(t, err, codes.InvalidArgument, "runtime")
		_, err = c.versions.UpdateVersion(ctx, &appenginepb.UpdateVersionRequest{Name: name, Version: &appenginepb.Version{}, UpdateMask: mask("colour")})
		wantCode(t, err, codes.InvalidArgument, "colour")
		_, err = c.versions.UpdateVersion(ctx, &appenginepb.UpdateVersionRequest{Name: name, Version: &appenginepb.Version{}})
		wantCode(t, err, codes.InvalidArgument, "updateMask")
	})
}

func TestClientsChangeAService(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		ctx := t.Context()
		s.deploy(t, c, "default", "v1")
		s.deploy(t, c, "default", "v2")
		update := func(svc *appenginepb.Service, migrate bool, paths ...string) error {
			op, err := c.services.UpdateService(ctx, &appenginepb.UpdateServiceRequest{Name: parent, Service: svc, UpdateMask: mask(paths...), MigrateTraffic: migrate})
			if err != nil {
				return err
			}
			_, err = op.Wait(ctx)
			return err
		}
		halves := map[string]float64{"v1": 0.5, "v2": 0.5}
		if err := update(&appenginepb.Service{Split: &appenginepb.TrafficSplit{ShardBy: appenginepb.TrafficSplit_COOKIE, Allocations: halves}}, false, "split"); err != nil {
			t.Fatal(err)
		}
		if err := update(&appenginepb.Service{Split: &appenginepb.TrafficSplit{ShardBy: appenginepb.TrafficSplit_IP}}, false, "split.shard_by"); err != nil {
			t.Fatal(err)
		}
		got, err := c.services.GetService(ctx, &appenginepb.GetServiceRequest{Name: parent})
		if err != nil || got.GetSplit().GetShardBy() != appenginepb.TrafficSplit_IP || got.GetSplit().GetAllocations()["v2"] != 0.5 {
			t.Errorf("service = %v, %v", got, err)
		}
		err = update(&appenginepb.Service{Split: &appenginepb.TrafficSplit{ShardBy: appenginepb.TrafficSplit_IP, Allocations: map[string]float64{"v1": 1}}}, true, "split")
		wantCode(t, err, codes.FailedPrecondition, "warm-up requests are not enabled")
		ingress := func(i appenginepb.NetworkSettings_IngressTrafficAllowed) *appenginepb.Service {
			return &appenginepb.Service{NetworkSettings: &appenginepb.NetworkSettings{IngressTrafficAllowed: i}}
		}
		if err := update(ingress(appenginepb.NetworkSettings_INGRESS_TRAFFIC_ALLOWED_ALL), false, "network_settings"); err != nil {
			t.Error(err)
		}
		err = update(ingress(appenginepb.NetworkSettings_INGRESS_TRAFFIC_ALLOWED_INTERNAL_ONLY), false, "network_settings")
		wantCode(t, err, codes.Unimplemented, "only all traffic")
		wantCode(t, update(&appenginepb.Service{Id: "x"}, false, "id"), codes.InvalidArgument, "cannot be changed")
		wantCode(t, update(&appenginepb.Service{Labels: map[string]string{"a": "b"}}, false, "labels"), codes.Unimplemented, "labels")
	})
}

func TestClientsEndInstances(t *testing.T) {
	each(t, func(t *testing.T, s *server, c clients) {
		ctx := t.Context()
		s.deploy(t, c, "default", "v1")
		name := parent + "/versions/v1/instances/i-1"
		if i, err := c.instance.GetInstance(ctx, &appenginepb.GetInstanceRequest{Name: name}); err != nil || i.GetAvailability() != appenginepb.Instance_DYNAMIC {
			t.Errorf("instance = %v, %v", i, err)
		}
		op, err := c.instance.DeleteInstance(ctx, &appenginepb.DeleteInstanceRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if err := op.Wait(ctx); err != nil || len(s.world.Ended) != 1 {
			t.Errorf("ended %v, %v", s.world.Ended, err)
		}
		_, err = c.instance.DeleteInstance(ctx, &appenginepb.DeleteInstanceRequest{Name: parent + "/versions/v1/instances/x"})
		wantCode(t, err, codes.NotFound, "instance not found")
		_, err = c.instance.DebugInstance(ctx, &appenginepb.DebugInstanceRequest{Name: name})
		wantCode(t, err, codes.Unimplemented, "flexible environment")
	})
}

func TestScalingIsReadWhole(t *testing.T) {
	s := newServer(t)
	s.world.Upload("staging.sunya.appspot.com", sha1, 12)
	create := `{"id":"v1","runtime":"python311","inboundServices":["INBOUND_SERVICE_WARMUP","INBOUND_SERVICE_MAIL"],"automaticScaling":{
		"minPendingLatency":"0.5s","maxPendingLatency":"2s","maxIdleInstances":4,"minIdleInstances":1,"maxConcurrentRequests":30,
		"standardSchedulerSettings":{"targetCpuUtilization":0.7,"targetThroughputUtilization":0.8,"minInstances":1,"maxInstances":2147483647}},
		"deployment":{"files":{"main.py":{"sourceUrl":"gs://staging.sunya.appspot.com/` + sha1 + `","sha1Sum":"` + sha1 + `"}}}}`
	made := s.do(t, "POST", "/v1/"+parent+"/versions", create, nil, 200)
	for _, want := range []string{"targetCpuUtilization is stored", "only warmup is supported"} {
		if !strings.Contains(made, want) {
			t.Errorf("no warning %q in %s", want, made)
		}
	}
	rev := s.world.Pending()[0].Revision
	if rev.Concurrency != 30 || rev.Scaling.MinPending.String() != "500ms" || rev.Scaling.MaxIdle != 4 || rev.Scaling.MinIdle != 1 || rev.Scaling.TargetUtil != 0.8 || rev.Scaling.Max != 0 {
		t.Errorf("revision = %+v", rev)
	}
	if rev.Lifecycle.WarmUp.Path != "/_ah/warmup" {
		t.Errorf("warm-up = %+v", rev.Lifecycle)
	}
}

// FuzzUpdateVersionMask: whatever mask and version are sent, the answer is one
// of the API, never a failure of the server, and what a mask may not change
// stays.
func FuzzUpdateVersionMask(f *testing.F) {
	for _, seed := range [][2]string{
		{"servingStatus", `{"servingStatus":"STOPPED"}`},
		{"manualScaling.instances", `{"manualScaling":{"instances":3}}`},
		{"automaticScaling.standardSchedulerSettings.maxInstances,", `{"automaticScaling":{"standardSchedulerSettings":{"maxInstances":5}}}`},
		{"*", `{"instanceClass":"F4","runtime":"cobol"}`},
		{"id,name", `{"id":"x"}`},
		{"automatic_scaling..x", `{`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, paths, body string) {
		s := newServer(t)
		s.world.Upload("staging.sunya.appspot.com", sha1, 12)
		create := `{"id":"v1","runtime":"python311","deployment":{"files":{"main.py":{"sourceUrl":"gs://staging.sunya.appspot.com/` + sha1 + `","sha1Sum":"` + sha1 + `"}}}}`
		s.do(t, "POST", "/v1/"+parent+"/versions", create, nil, 200)
		if err := s.world.Deploy(t.Context(), s.admin, nil); err != nil {
			t.Fatal(err)
		}
		status, answer := s.send(t, "PATCH", "/v1/"+parent+"/versions/v1?updateMask="+url.QueryEscape(paths), body, nil)
		if status >= 500 && status != 501 || !json.Valid([]byte(answer)) {
			t.Fatalf("%d %s", status, answer)
		}
		v, err := s.admin.Version(t.Context(), appengine.Key{Project: "sunya", Service: "default", ID: "v1"})
		if err != nil || v.Runtime != "python311" || v.ServingStatus != appengine.StatusServing {
			t.Errorf("version = %+v, %v", v, err)
		}
	})
}
