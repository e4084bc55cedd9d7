package runv2

import (
	"context"

	"cloud.google.com/go/iam/apiv1/iampb"

	"github.com/sunya-cloud/sunya"
)

// invoker is the role that lets somebody call.
const invoker = "roles/run.invoker"

// GetIamPolicy implements the service.
func (a *services) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	k, err := parseService("resource", req.GetResource())
	if err != nil {
		return nil, err
	}
	s, err := a.Admin.Service(ctx, k)
	if err != nil {
		return nil, err
	}
	return policy(s.Invokers, s.PolicyETag()), nil
}

// SetIamPolicy implements the service.
func (a *services) SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	k, err := parseService("resource", req.GetResource())
	if err != nil {
		return nil, err
	}
	members, err := invokers(req)
	if err != nil {
		return nil, err
	}
	s, err := a.Admin.SetInvokers(ctx, k, members, string(req.GetPolicy().GetEtag()))
	if err != nil {
		return nil, err
	}
	return policy(s.Invokers, s.PolicyETag()), nil
}

// invokers are the members to whom a policy gives the one role that there is.
func invokers(req *iampb.SetIamPolicyRequest) (members []string, err error) {
	for _, b := range req.GetPolicy().GetBindings() {
		switch {
		case b.GetRole() != invoker:
			return nil, &sunya.Error{Code: sunya.Unimplemented, Resource: req.GetResource(), Field: "policy.bindings.role", Message: "only " + invoker + " can be granted yet, not " + b.GetRole()}
		case b.GetCondition() != nil:
			return nil, &sunya.Error{Code: sunya.Unimplemented, Resource: req.GetResource(), Field: "policy.bindings.condition", Message: "conditions are not supported yet"}
		}
		members = append(members, b.GetMembers()...)
	}
	return members, nil
}

// TestIamPermissions implements the service: whoever may administer the
// platform may do everything.
func (a *services) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	k, err := parseService("resource", req.GetResource())
	if err != nil {
		return nil, err
	}
	if _, err := a.Admin.Service(ctx, k); err != nil {
		return nil, err
	}
	return &iampb.TestIamPermissionsResponse{Permissions: req.GetPermissions()}, nil
}

// policy shows who may call a service or execute a job.
func policy(invokers []string, etag string) *iampb.Policy {
	out := &iampb.Policy{Version: 1, Etag: []byte(etag)}
	if len(invokers) > 0 {
		out.Bindings = []*iampb.Binding{{Role: invoker, Members: invokers}}
	}
	return out
}
