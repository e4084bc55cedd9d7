package functions

import (
	"context"
	"slices"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// SetInvokers says who may call a function, by members of IAM policies. etag,
// when not empty, must be that of what was there: else Aborted.
func (a *Admin) SetInvokers(ctx context.Context, k Key, members []string, etag string) (*Function, error) {
	members, err := sunya.Members(members)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := a.Function(ctx, k)
	if err != nil {
		return nil, err
	}
	if etag != "" && etag != f.PolicyETag() {
		return nil, sunya.Errorf(sunya.Aborted, k.Name(), "the policy has changed since it was read: read it again")
	}
	f.Invokers = members
	if err := a.applyAccess(ctx, f); err != nil {
		return nil, err
	}
	return f, a.Store.PutFunction(ctx, f)
}

// applyAccess makes the function's service admit whom the function admits, from
// where it does.
func (a *Admin) applyAccess(ctx context.Context, f *Function) error {
	if _, ok := a.Catalog.Service(f.ServiceName()); !ok {
		return nil
	}
	return a.Catalog.Update(ctx, f.ServiceName(), func(svc sunya.Service) (serving.Change, error) {
		want := access(f)
		if svc.Access.Private == want.Private && slices.Equal(svc.Access.Invokers, want.Invokers) && svc.Ingress == f.Ingress {
			return serving.Change{}, nil
		}
		svc.Access, svc.Ingress = want, f.Ingress
		return serving.Change{PutServices: []sunya.Service{svc}}, nil
	})
}

// access is who may call a function.
func access(f *Function) sunya.Access {
	return sunya.Access{Private: true, Invokers: append(sunya.ProjectMembers(f.Project), f.Invokers...)}
}

// PolicyETag changes with who may call the function.
func (f *Function) PolicyETag() string { return sunya.MembersETag(f.Invokers) }
