package eventing

import (
	"context"

	"github.com/sunya-cloud/sunya/internal/core/iam"
)

// Policy returns the policy of a trigger, which its name says; NotFound.
func (s *Service) Policy(ctx context.Context, resource string) (iam.Policy, error) {
	k, err := ParseName("resource", resource)
	if err != nil {
		return iam.Policy{}, err
	}
	t, err := s.Trigger(ctx, k)
	if err != nil {
		return iam.Policy{}, err
	}
	return t.Policy, nil
}

// SetPolicy replaces the policy of a trigger; Aborted when etag is not empty and
// not that of the policy that there is. The trigger has not changed by it.
func (s *Service) SetPolicy(ctx context.Context, resource string, p iam.Policy, etag string) (iam.Policy, error) {
	k, err := ParseName("resource", resource)
	if err != nil {
		return iam.Policy{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	t, err := s.Trigger(ctx, k)
	if err != nil {
		return iam.Policy{}, err
	}
	if t.Policy, err = t.Policy.Replace(p, etag); err != nil {
		return iam.Policy{}, err
	}
	return t.Policy, s.Store.PutTrigger(ctx, t)
}
