package runv1

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// invoker is the role that lets somebody call.
const invoker = "roles/run.invoker"

// withPolicies answers the verbs about who may call a service, and leaves what
// has no verb to next. What is not a service of Cloud Run may be a function.
func (a *API) withPolicies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := parse(r)
		if call.verb == "" {
			next.ServeHTTP(w, r)
			return
		}
		v, err := a.policy(r.Context(), call)
		if sunya.CodeOf(err) == sunya.NotFound {
			a.Functions.ServeHTTP(w, r)
			return
		}
		a.answer(w, r, v, err)
	})
}

// policy carries out the verbs of IAM.
func (a *API) policy(ctx context.Context, r *request) (any, error) {
	k := run.Key{Project: r.project, Location: r.locationOr(a.Location), ID: r.id}
	s, err := a.Admin.Service(ctx, k)
	if err != nil {
		return nil, err
	}
	switch r.Method + " " + r.verb {
	case "GET getIamPolicy":
		return policyOf(s), nil
	case "POST setIamPolicy":
		return a.setPolicy(ctx, k, r)
	case "POST testIamPermissions":
		// Whoever may administer the platform may do everything.
		var req knative.TestIamPermissionsRequest
		if err := r.read(&req); err != nil {
			return nil, err
		}
		return &knative.TestIamPermissionsResponse{Permissions: req.Permissions}, nil
	}
	return nil, sunya.Errorf(sunya.NotFound, k.Name(), "%q is not a method of services", r.verb)
}

func (a *API) setPolicy(ctx context.Context, k run.Key, r *request) (any, error) {
	var req knative.SetIamPolicyRequest
	if err := r.read(&req); err != nil {
		return nil, err
	}
	members, etag, err := readPolicy(&req)
	if err != nil {
		return nil, err
	}
	s, err := a.Admin.SetInvokers(ctx, k, members, etag)
	if err != nil {
		return nil, err
	}
	return policyOf(s), nil
}

// readPolicy reads the members to whom a policy gives the one role that there is,
// and the etag of the policy before.
func readPolicy(req *knative.SetIamPolicyRequest) (members []string, etag string, err error) {
	if req.Policy == nil {
		return nil, "", sunya.Invalid("policy", "is missing")
	}
	for _, b := range req.Policy.Bindings {
		switch {
		case b == nil:
			return nil, "", sunya.Invalid("policy.bindings", "holds null")
		case b.Role != invoker:
			return nil, "", unimplemented("policy.bindings.role", "only "+invoker+" can be granted yet, not "+b.Role)
		case b.Condition != nil:
			return nil, "", unimplemented("policy.bindings.condition", "conditions are not supported yet")
		}
		members = append(members, b.Members...)
	}
	raw, err := base64.StdEncoding.DecodeString(req.Policy.Etag)
	if err != nil {
		return nil, "", sunya.Invalid("policy.etag", "%q is not an etag that this server gave out: read the policy again", req.Policy.Etag)
	}
	return members, string(raw), nil
}

func policyOf(s *run.Service) *knative.Policy {
	out := &knative.Policy{Version: 1, Etag: base64.StdEncoding.EncodeToString([]byte(s.PolicyETag()))}
	if len(s.Invokers) > 0 {
		out.Bindings = []*knative.Binding{{Role: invoker, Members: s.Invokers}}
	}
	return out
}

// locations are those with services, and the default one: any name will do.
func (a *API) locations(ctx context.Context, r *request) (any, error) {
	all, err := a.services(ctx, r)
	if err != nil {
		return nil, err
	}
	out := &knative.ListLocationsResponse{}
	seen := map[string]bool{}
	for _, id := range append([]string{a.Location, "us-central1"}, locationsOf(all)...) {
		if !seen[id] {
			seen[id] = true
			out.Locations = append(out.Locations, &knative.Location{Name: sunya.LocationName(r.project, id), LocationId: id, DisplayName: strings.ToUpper(id[:1]) + id[1:]})
		}
	}
	return out, nil
}

func locationsOf(all []run.Service) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = all[i].Location
	}
	return out
}
