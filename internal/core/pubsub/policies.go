package pubsub

import (
	"context"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
)

// Policy returns the policy of a topic, subscription or snapshot; NotFound for
// the resource.
func (b *Broker) Policy(ctx context.Context, resource string) (iam.Policy, error) {
	switch collection(resource) {
	case Topics:
		t, err := b.Topic(ctx, resource)
		if err != nil {
			return iam.Policy{}, err
		}
		return t.Policy, nil
	case Subscriptions:
		s, err := b.Subscription(ctx, resource)
		if err != nil {
			return iam.Policy{}, err
		}
		return s.Policy, nil
	case Snapshots:
		s, err := b.Snapshot(ctx, resource)
		if err != nil {
			return iam.Policy{}, err
		}
		return s.Policy, nil
	}
	return iam.Policy{}, noPolicy(resource)
}

// SetPolicy replaces a policy; Aborted when etag is not empty and not that of
// the policy that there is.
func (b *Broker) SetPolicy(ctx context.Context, resource string, p iam.Policy, etag string) (out iam.Policy, err error) {
	switch collection(resource) {
	case Topics:
		_, err = b.updateTopic(ctx, resource, func(t *Topic) (err error) {
			t.Policy, err = t.Policy.Replace(p, etag)
			out = t.Policy
			return err
		})
	case Subscriptions:
		_, err = b.updateSubscription(ctx, resource, func(s *Subscription) (err error) {
			s.Policy, err = s.Policy.Replace(p, etag)
			out = s.Policy
			return err
		})
	case Snapshots:
		_, err = b.updateSnapshot(ctx, resource, func(s *Snapshot) (err error) {
			s.Policy, err = s.Policy.Replace(p, etag)
			out = s.Policy
			return err
		})
	default:
		err = noPolicy(resource)
	}
	return out, err
}

// collection is the C of projects/P/C/ID.
func collection(resource string) string {
	if parts := strings.Split(resource, "/"); len(parts) == 4 {
		return parts[2]
	}
	return ""
}

func noPolicy(resource string) error {
	return sunya.Invalid("resource", "%q is not the name of a topic, subscription, snapshot or schema", resource)
}
