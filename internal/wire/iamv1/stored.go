package iamv1

import (
	"context"
	"slices"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/type/expr"

	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
)

// Holder keeps the policies of its resources; NotFound, and InvalidArgument for
// what is no name of theirs.
type Holder interface {
	Policy(ctx context.Context, resource string) (iam.Policy, error)
	// SetPolicy is Aborted when etag is not empty and not that of the policy that
	// there is.
	SetPolicy(ctx context.Context, resource string, p iam.Policy, etag string) (iam.Policy, error)
}

// Stored serves policies that are kept and given back.
func Stored(h Holder) Server { return &stored{holder: h} }

type stored struct {
	iampb.UnimplementedIAMPolicyServer
	holder Holder
}

// GetIamPolicy implements the service.
func (s *stored) GetIamPolicy(ctx context.Context, r *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return answer(s.holder.Policy(ctx, r.GetResource()))
}

// SetIamPolicy implements the service. Its mask knows bindings and etag, which
// is the default.
func (s *stored) SetIamPolicy(ctx context.Context, r *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	next, etag := policyOf(r.GetPolicy()), string(r.GetPolicy().GetEtag())
	paths, err := fieldmask.Paths(r.GetUpdateMask(), r.GetPolicy())
	if err != nil {
		return nil, err
	}
	if len(paths) > 0 && !slices.Contains(paths, "bindings") {
		have, err := s.holder.Policy(ctx, r.GetResource())
		if err != nil {
			return nil, err
		}
		next.Bindings = have.Bindings
	}
	return answer(s.holder.SetPolicy(ctx, r.GetResource(), next, etag))
}

// TestIamPermissions implements the service: whoever reaches the API may do
// everything.
func (s *stored) TestIamPermissions(ctx context.Context, r *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	if _, err := s.holder.Policy(ctx, r.GetResource()); err != nil {
		return nil, err
	}
	return &iampb.TestIamPermissionsResponse{Permissions: r.GetPermissions()}, nil
}

func answer(p iam.Policy, err error) (*iampb.Policy, error) {
	if err != nil {
		return nil, err
	}
	out := &iampb.Policy{Version: int32(p.Version), Etag: []byte(p.ETag())}
	for i := range p.Bindings {
		b := &p.Bindings[i]
		pb := &iampb.Binding{Role: b.Role, Members: b.Members}
		if c := b.Condition; c != nil {
			pb.Condition = &expr.Expr{Title: c.Title, Description: c.Description, Expression: c.Expression, Location: c.Location}
		}
		out.Bindings = append(out.Bindings, pb)
	}
	return out, nil
}

func policyOf(p *iampb.Policy) iam.Policy {
	out := iam.Policy{Version: int(p.GetVersion())}
	for _, b := range p.GetBindings() {
		binding := iam.Binding{Role: b.GetRole(), Members: b.GetMembers()}
		if c := b.GetCondition(); c != nil {
			binding.Condition = &iam.Condition{Title: c.GetTitle(), Description: c.GetDescription(), Expression: c.GetExpression(), Location: c.GetLocation()}
		}
		out.Bindings = append(out.Bindings, binding)
	}
	return out
}
