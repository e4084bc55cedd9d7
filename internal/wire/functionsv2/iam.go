package functionsv2

import (
	"context"
	"slices"

	"cloud.google.com/go/iam/apiv1/iampb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
)

// policies implements google.iam.v1.IAMPolicy for functions and their services.
type policies struct {
	iampb.UnimplementedIAMPolicyServer
	admin *functions.Admin
}

// invoker is the role that lets somebody call; Cloud Functions has its own name
// for it.
const invoker = "roles/run.invoker"

var invokers = []string{invoker, firstInvoker}

// firstInvoker is its name for functions of the first generation.
const firstInvoker = "roles/cloudfunctions.invoker"

// Policies are those of functions.
func (a *API) Policies() iampb.IAMPolicyServer { return &policies{admin: a.Admin} }

// GetIamPolicy implements the service.
func (p *policies) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	k, err := parseFunction("resource", req.GetResource())
	if err != nil {
		return nil, err
	}
	f, err := p.admin.Function(ctx, k)
	if err != nil {
		return nil, err
	}
	return policy(f), nil
}

// SetIamPolicy implements the service.
func (p *policies) SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	k, err := parseFunction("resource", req.GetResource())
	if err != nil {
		return nil, err
	}
	var members []string
	for _, b := range req.GetPolicy().GetBindings() {
		switch {
		case !slices.Contains(invokers, b.GetRole()):
			return nil, &sunya.Error{Code: sunya.Unimplemented, Resource: req.GetResource(), Field: "policy.bindings.role", Message: "only " + invoker + " can be granted yet, not " + b.GetRole()}
		case b.GetCondition() != nil:
			return nil, &sunya.Error{Code: sunya.Unimplemented, Resource: req.GetResource(), Field: "policy.bindings.condition", Message: "conditions are not supported yet"}
		}
		members = append(members, b.GetMembers()...)
	}
	f, err := p.admin.SetInvokers(ctx, k, members, string(req.GetPolicy().GetEtag()))
	if err != nil {
		return nil, err
	}
	return policy(f), nil
}

// TestIamPermissions implements the service: whoever may administer the
// platform may do everything.
func (p *policies) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	k, err := parseFunction("resource", req.GetResource())
	if err != nil {
		return nil, err
	}
	if _, err := p.admin.Function(ctx, k); err != nil {
		return nil, err
	}
	return &iampb.TestIamPermissionsResponse{Permissions: req.GetPermissions()}, nil
}

func policy(f *functions.Function) *iampb.Policy {
	out := &iampb.Policy{Version: 1, Etag: []byte(f.PolicyETag())}
	role := invoker
	if f.FirstGen {
		role = firstInvoker
	}
	if len(f.Invokers) > 0 {
		out.Bindings = []*iampb.Binding{{Role: role, Members: f.Invokers}}
	}
	return out
}
