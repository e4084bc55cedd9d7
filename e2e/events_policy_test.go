//go:build e2e

package e2e

import (
	"testing"

	eventarc "cloud.google.com/go/eventarc/apiv1"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// triggerPolicy gives a trigger a policy with Google's client, and reads it after
// the trigger has changed; calls go over gRPC and REST in turn.
func triggerPolicy(t *testing.T, s *platform.Server, trigger string) {
	ctx := t.Context()
	rest, err := eventarc.NewRESTClient(ctx, option.WithEndpoint(s.URL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	rpc, err := eventarc.NewClient(ctx, option.WithEndpoint("127.0.0.1:"+s.Port), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	defer rpc.Close()

	p, err := rpc.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: trigger})
	if err != nil || len(p.GetBindings()) > 0 || len(p.GetEtag()) == 0 {
		t.Fatalf("before it is set: %v, %v", p, err)
	}
	old := p.GetEtag()
	p.Bindings = []*iampb.Binding{{Role: "roles/eventarc.viewer", Members: []string{"user:ada@example.org"}}}
	if _, err := rest.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: trigger, Policy: p}); err != nil {
		t.Fatal(err)
	}
	p.Etag = old
	if _, err := rpc.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: trigger, Policy: p}); status.Code(err) != codes.Aborted {
		t.Errorf("with the etag of the policy before: %v, want Aborted", err)
	}
	s.OK("eventarc", "triggers", "update", "pngs", "--labels", "a=b")
	p, err = rest.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: trigger})
	if err != nil || len(p.GetBindings()) != 1 || p.GetBindings()[0].GetMembers()[0] != "user:ada@example.org" {
		t.Errorf("after the trigger has changed: %v, %v", p, err)
	}
	can, err := rest.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: trigger, Permissions: []string{"eventarc.triggers.get"}})
	if err != nil || len(can.GetPermissions()) != 1 {
		t.Errorf("permissions: %v, %v", can, err)
	}
	if _, err := rpc.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: trigger + "-none"}); status.Code(err) != codes.NotFound {
		t.Errorf("of no trigger: %v, want NotFound", err)
	}
}
