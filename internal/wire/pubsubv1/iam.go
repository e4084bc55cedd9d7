package pubsubv1

import (
	"context"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/type/expr"

	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
)

// policies implements google.iam.v1.IAMPolicy for topics, subscriptions,
// snapshots and schemas.
type policies struct {
	iampb.UnimplementedIAMPolicyServer
	broker  Broker
	schemas Schemas
}

// Policies serves those of b's and s' resources.
func Policies(b Broker, s Schemas) iampb.IAMPolicyServer { return &policies{broker: b, schemas: s} }

// Collections are the kinds of resources that have policies.
func Collections() []string {
	return []string{pubsub.Topics, pubsub.Subscriptions, pubsub.Snapshots, pubsub.Schemas}
}

func isSchema(resource string) bool { return strings.Contains(resource, "/"+pubsub.Schemas+"/") }

func (p *policies) policy(ctx context.Context, resource string) (iam.Policy, error) {
	if !isSchema(resource) {
		return p.broker.Policy(ctx, resource)
	}
	rec, _, err := p.schemas.Get(ctx, resource)
	if err != nil {
		return iam.Policy{}, err
	}
	return rec.Policy, nil
}

// GetIamPolicy implements the service.
func (p *policies) GetIamPolicy(ctx context.Context, r *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return policyAnswer(p.policy(ctx, r.GetResource()))
}

// SetIamPolicy implements the service. Its mask knows bindings and etag, which
// is the default.
func (p *policies) SetIamPolicy(ctx context.Context, r *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	next, etag := policyOf(r.GetPolicy()), string(r.GetPolicy().GetEtag())
	paths, err := fieldmask.Paths(r.GetUpdateMask(), r.GetPolicy())
	if err != nil {
		return nil, err
	}
	if len(paths) > 0 && !slices.Contains(paths, "bindings") {
		have, err := p.policy(ctx, r.GetResource())
		if err != nil {
			return nil, err
		}
		next.Bindings = have.Bindings
	}
	if isSchema(r.GetResource()) {
		return policyAnswer(p.schemas.SetPolicy(ctx, r.GetResource(), next, etag))
	}
	return policyAnswer(p.broker.SetPolicy(ctx, r.GetResource(), next, etag))
}

// TestIamPermissions implements the service: whoever reaches the API may do
// everything.
func (p *policies) TestIamPermissions(ctx context.Context, r *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	if _, err := p.policy(ctx, r.GetResource()); err != nil {
		return nil, err
	}
	return &iampb.TestIamPermissionsResponse{Permissions: r.GetPermissions()}, nil
}

func policyAnswer(p iam.Policy, err error) (*iampb.Policy, error) {
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
