package pubsubv1

import (
	"context"

	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/wire/iamv1"
)

// collections are the kinds of resources, all of which have policies.
func collections() []string {
	return []string{pubsub.Topics, pubsub.Subscriptions, pubsub.Snapshots, pubsub.Schemas}
}

// Policies serves those of b's and s' resources, by collection.
func Policies(b Broker, s Schemas) map[string]iamv1.Server {
	out := map[string]iamv1.Server{}
	for _, c := range collections() {
		out[c] = iamv1.Stored(b)
	}
	out[pubsub.Schemas] = iamv1.Stored(schemaPolicies{s})
	return out
}

// schemaPolicies implements iamv1.Holder for schemas.
type schemaPolicies struct{ Schemas }

// Policy implements iamv1.Holder.
func (s schemaPolicies) Policy(ctx context.Context, resource string) (iam.Policy, error) {
	rec, _, err := s.Get(ctx, resource)
	if err != nil {
		return iam.Policy{}, err
	}
	return rec.Policy, nil
}
