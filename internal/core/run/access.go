package run

import (
	"context"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// SetInvokers says who may call a service, by members of IAM policies. etag,
// when not empty, must be that of what was there: else Aborted.
func (a *Admin) SetInvokers(ctx context.Context, k Key, members []string, etag string) (*Service, error) {
	members, err := sunya.Members(members)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.Service(ctx, k)
	if err != nil {
		return nil, err
	}
	if etag != "" && etag != s.PolicyETag() {
		return nil, sunya.Errorf(sunya.Aborted, k.Name(), "the policy has changed since it was read: read it again")
	}
	s.Invokers = members
	if err := a.applyAccess(ctx, s); err != nil {
		return nil, err
	}
	return s, a.Store.PutRun(ctx, Write{Service: s})
}

// applyAccess makes the service in the core admit whom its policy admits.
func (a *Admin) applyAccess(ctx context.Context, s *Service) error {
	if _, ok := a.Catalog.Service(s.Name()); !ok {
		return nil
	}
	return a.Catalog.Update(ctx, s.Name(), func(svc sunya.Service) (serving.Change, error) {
		svc.Access.Invokers = s.access().Invokers
		return serving.Change{PutServices: []sunya.Service{svc}}, nil
	})
}

// access is who may call a service.
func (s *Service) access() sunya.Access {
	return sunya.Access{Private: !s.Open, Invokers: append(sunya.ProjectMembers(s.Project), s.Invokers...), Audiences: s.CustomAudiences}
}

// PolicyETag changes with who may call the service.
func (s *Service) PolicyETag() string { return strings.Trim(etag(s.Invokers...), `"`) }
