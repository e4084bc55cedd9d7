package functions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// memberRE is a member of an IAM policy that can be told by a token.
var memberRE = regexp.MustCompile(`^(allUsers|allAuthenticatedUsers|(user|serviceAccount):[^\s@]+@[^\s@]+)$`)

// SetInvokers says who may call a function, by members of IAM policies. etag,
// when not empty, must be that of what was there: else Aborted.
func (a *Admin) SetInvokers(ctx context.Context, k Key, members []string, etag string) (*Function, error) {
	for _, m := range members {
		if !memberRE.MatchString(m) {
			return nil, sunya.Invalid("policy.bindings.members", "%q is not supported: use allUsers, allAuthenticatedUsers, user:EMAIL or serviceAccount:EMAIL", m)
		}
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
	members = slices.Clone(members)
	slices.Sort(members)
	f.Invokers = slices.Compact(members)
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

// access is who may call a function. The project's own accounts may always, as
// editors of the project may at Google.
func access(f *Function) sunya.Access {
	own := []string{
		"serviceAccount:" + AppAccount(f.Project),
		"serviceAccount:" + DefaultAccount(f.Project),
	}
	return sunya.Access{Private: true, Invokers: append(own, f.Invokers...)}
}

// PolicyETag changes with who may call the function.
func (f *Function) PolicyETag() string {
	sum := sha256.Sum256([]byte(strings.Join(f.Invokers, "\n")))
	return hex.EncodeToString(sum[:8])
}
