//go:build e2e

package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/iterator"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestGoAdminVerbs changes, splits, migrates, stops, starts and ends what
// TestGoAdminClients only deploys, over both transports.
func TestGoAdminVerbs(t *testing.T) {
	base := server(t)
	for _, transport := range []string{"gRPC", "REST"} {
		t.Run(transport, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			a := newAdmin(t, base, transport)
			stamp := strings.ToLower(transport) + fmt.Sprint(time.Now().Unix())
			warm, manual := stamp+"-w", stamp+"-m"
			a.deployKinds(t, ctx, warm, manual)
			a.resize(t, ctx, warm)
			a.split(t, ctx, warm, manual)
			if transport == "gRPC" { // once is enough for ten seconds
				a.migrate(t, ctx, warm, manual)
			}
			a.stopStart(t, ctx, manual)
			a.endInstance(t, ctx, manual)
			a.operations(t, ctx)
		})
	}
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

// deployKinds deploys a version that takes warm-up requests and one with manual
// scaling.
func (a *admin) deployKinds(t *testing.T, ctx context.Context, warm, manual string) {
	t.Helper()
	file, err := a.upload(ctx, platform.BareMain("hi"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*appenginepb.Version{
		{Id: warm, InboundServices: []appenginepb.InboundServiceType{appenginepb.InboundServiceType_INBOUND_SERVICE_WARMUP}},
		{Id: manual, Scaling: &appenginepb.Version_ManualScaling{ManualScaling: &appenginepb.ManualScaling{Instances: 1}}},
	} {
		v.Runtime = "python311"
		v.Entrypoint = &appenginepb.Entrypoint{Command: &appenginepb.Entrypoint_Shell{Shell: "python3 main.py"}}
		v.Deployment = &appenginepb.Deployment{Files: map[string]*appenginepb.FileInfo{"main.py": file}}
		op, err := a.versions.CreateVersion(ctx, &appenginepb.CreateVersionRequest{Parent: parent, Version: v})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// update changes a version in place and returns it.
func (a *admin) update(ctx context.Context, id string, v *appenginepb.Version, paths ...string) (*appenginepb.Version, error) {
	op, err := a.versions.UpdateVersion(ctx, &appenginepb.UpdateVersionRequest{Name: parent + "/versions/" + id, Version: v, UpdateMask: mask(paths...)})
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

func (a *admin) resize(t *testing.T, ctx context.Context, id string) {
	t.Helper()
	v, err := a.update(ctx, id, &appenginepb.Version{
		InstanceClass: "F2",
		Scaling: &appenginepb.Version_AutomaticScaling{AutomaticScaling: &appenginepb.AutomaticScaling{
			StandardSchedulerSettings: &appenginepb.StandardSchedulerSettings{MaxInstances: 3},
		}},
	}, "instance_class", "automatic_scaling.standard_scheduler_settings.max_instances")
	if err != nil || v.GetInstanceClass() != "F2" || v.GetAutomaticScaling().GetStandardSchedulerSettings().GetMaxInstances() != 3 {
		t.Errorf("version = %v, %v", v, err)
	}
	wantError(t, "a runtime cannot be changed", "deploy a new version")(a.update(ctx, id, &appenginepb.Version{Runtime: "python312"}, "runtime"))
	wantError(t, "automatic scaling cannot be stopped", "only versions with basic or manual scaling")(
		a.update(ctx, id, &appenginepb.Version{ServingStatus: appenginepb.ServingStatus_STOPPED}, "serving_status"))
}

// wantError expects a call to fail with a text.
func wantError(t *testing.T, rule, text string) func(any, error) {
	t.Helper()
	return func(_ any, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", rule, err, text)
		}
	}
}

func (a *admin) set(ctx context.Context, migrate bool, split *appenginepb.TrafficSplit) (*appenginepb.Service, error) {
	op, err := a.services.UpdateService(ctx, &appenginepb.UpdateServiceRequest{
		Name: parent, Service: &appenginepb.Service{Split: split}, UpdateMask: mask("split"), MigrateTraffic: migrate,
	})
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

func (a *admin) split(t *testing.T, ctx context.Context, warm, manual string) {
	t.Helper()
	halves := map[string]float64{warm: 0.5, manual: 0.5}
	svc, err := a.set(ctx, false, &appenginepb.TrafficSplit{ShardBy: appenginepb.TrafficSplit_COOKIE, Allocations: halves})
	if err != nil || svc.GetSplit().GetAllocations()[warm] != 0.5 || svc.GetSplit().GetShardBy() != appenginepb.TrafficSplit_COOKIE {
		t.Errorf("service = %v, %v", svc, err)
	}
	wantError(t, "too much", "sum to 1")(a.set(ctx, false, &appenginepb.TrafficSplit{Allocations: map[string]float64{warm: 0.5, manual: 0.6}}))
}

func (a *admin) migrate(t *testing.T, ctx context.Context, warm, manual string) {
	t.Helper()
	all := func(id string) *appenginepb.TrafficSplit {
		return &appenginepb.TrafficSplit{ShardBy: appenginepb.TrafficSplit_IP, Allocations: map[string]float64{id: 1}}
	}
	wantError(t, "migrate to manual scaling", "no automatic scaling")(a.set(ctx, true, all(manual)))
	svc, err := a.set(ctx, true, all(warm))
	if err != nil || svc.GetSplit().GetAllocations()[warm] != 1 {
		t.Errorf("migrated: %v, %v", svc, err)
	}
}

func (a *admin) stopStart(t *testing.T, ctx context.Context, id string) {
	t.Helper()
	for _, status := range []appenginepb.ServingStatus{appenginepb.ServingStatus_STOPPED, appenginepb.ServingStatus_SERVING} {
		v, err := a.update(ctx, id, &appenginepb.Version{ServingStatus: status}, "serving_status")
		if err != nil || v.GetServingStatus() != status {
			t.Errorf("version = %v, %v, want %s", v.GetServingStatus(), err, status)
		}
	}
	v, err := a.update(ctx, id, &appenginepb.Version{Scaling: &appenginepb.Version_ManualScaling{ManualScaling: &appenginepb.ManualScaling{Instances: 2}}}, "manual_scaling.instances")
	if err != nil || v.GetManualScaling().GetInstances() != 2 {
		t.Errorf("version = %v, %v", v, err)
	}
}

func (a *admin) endInstance(t *testing.T, ctx context.Context, id string) {
	t.Helper()
	for ctx.Err() == nil { // the second one starts by itself
		names := a.running(t, ctx, id)
		for _, name := range names {
			op, err := a.instances.DeleteInstance(ctx, &appenginepb.DeleteInstanceRequest{Name: name})
			if err != nil {
				continue // it is still starting
			}
			if err := op.Wait(ctx); err != nil {
				t.Error(err)
			}
			wantError(t, "an instance that was deleted", "instance not found")(a.instances.GetInstance(ctx, &appenginepb.GetInstanceRequest{Name: name}))
			wantError(t, "debugging", "flexible environment")(a.instances.DebugInstance(ctx, &appenginepb.DebugInstanceRequest{Name: name}))
			return
		}
	}
	t.Error("no instance could be deleted")
}

// running names the instances of a version, one a page.
func (a *admin) running(t *testing.T, ctx context.Context, id string) []string {
	t.Helper()
	var names []string
	it := a.instances.ListInstances(ctx, &appenginepb.ListInstancesRequest{Parent: parent + "/versions/" + id, PageSize: 1})
	for {
		i, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if i.GetAvailability() != appenginepb.Instance_RESIDENT {
			t.Errorf("instance = %v, want a resident one", i)
		}
		names = append(names, i.GetName())
	}
}

// operations lists those that there are. The library's REST clients have no
// method for it.
func (a *admin) operations(t *testing.T, ctx context.Context) {
	t.Helper()
	if a.versions.LROClient == nil {
		return
	}
	it := a.versions.LROClient.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: app, PageSize: 2})
	for n := range 5 {
		op, err := it.Next()
		if err != nil {
			t.Fatalf("operation %d: %v", n, err)
		}
		if !op.GetDone() || op.GetMetadata() == nil {
			t.Errorf("operation = %v", op)
		}
	}
}
