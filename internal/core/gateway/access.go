package gateway

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/identity"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Verifier checks identity tokens.
type Verifier interface {
	// Verify returns what a token says; an empty audience takes any.
	Verify(ctx context.Context, token, audience string) (*identity.Claims, error)
}

// serverlessAuthorization is looked at instead of Authorization where a client
// sends it, so that a program can use the latter for itself (Cloud Run,
// "Authenticating service-to-service").
const serverlessAuthorization = "X-Serverless-Authorization"

// signatureRemoved stands for the signature of a token that was checked, so that
// a program cannot use its caller's token itself (Cloud Run, as Google names it).
const signatureRemoved = "SIGNATURE_REMOVED_BY_GOOGLE"

// verifyTime is how long checking a token may take: keys may have to be read.
const verifyTime = 10 * time.Second

// admit keeps callers out that a service does not admit.
func (x *exchange) admit(route serving.Route) error {
	if !x.enters(route.Service) {
		return &outside{host: hostOnly(x.host), ingress: route.Service.Ingress}
	}
	access := route.Service.Access
	if access.Open() {
		return nil
	}
	header, own := x.header.Get("Authorization"), true
	if h := x.header.Get(serverlessAuthorization); h != "" {
		header, own = h, false
	}
	if header == "" {
		return fault(http.StatusForbidden, "the service is private: an identity token is missing")
	}
	scheme, token, _ := strings.Cut(header, " ")
	if x.g.Verifier == nil || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return x.unauthenticated("the service is private: it asks for an identity token (Authorization: Bearer TOKEN)")
	}
	ctx, cancel := context.WithTimeout(x.context(), verifyTime)
	defer cancel()
	claims, err := x.g.Verifier.Verify(ctx, strings.Clone(strings.TrimSpace(token)), "")
	if err != nil {
		return x.unauthenticated("the service is private, and the identity token is not valid")
	}
	if !x.addressed(route.Service, claims.Audience) {
		return x.unauthenticated("the service is private, and the identity token is for another audience than its URL")
	}
	if !access.Admits(claims.Email) {
		return fault(http.StatusForbidden, "the service is private, and does not admit the caller")
	}
	if own {
		x.unsigned = scheme + " " + token[:strings.LastIndexByte(token, '.')+1] + signatureRemoved
	}
	return nil
}

// enters reports whether a service takes requests from where this one comes
// from. Internal are the instances of its own project, as Google's are the
// project's networks.
func (x *exchange) enters(s *sunya.Service) bool {
	switch s.Ingress {
	case sunya.IngressAll:
		return true
	case sunya.IngressInternal:
		return x.caller != nil && x.caller.Project == s.Project
	}
	return false
}

// unauthenticated is 401 with what RFC 6750 §3 asks for.
func (x *exchange) unauthenticated(why string) error {
	x.challenge = `Bearer error="invalid_token", error_description="` + why + `"`
	return fault(http.StatusUnauthorized, "%s", why)
}

// gcloudAudience is that of the identity tokens of gcloud's own, which name no
// service: Google lets them call any that admits their account (gcloud functions
// call, gcloud auth print-identity-token).
const gcloudAudience = "32555940559.apps.googleusercontent.com"

// addressed reports whether one of the audiences is this service: one that it
// names itself, or any of its URLs, by whichever of them it is called.
func (x *exchange) addressed(s *sunya.Service, audiences []string) bool {
	for _, aud := range audiences {
		if aud == gcloudAudience || slices.Contains(s.Access.Audiences, aud) || x.isURLOf(s, aud) {
			return true
		}
	}
	return false
}

// isURLOf reports whether a URL leads to a service. Scheme and port are not
// looked at: behind proxies they are others.
func (x *exchange) isURLOf(s *sunya.Service, aud string) bool {
	u, err := url.Parse(aud)
	if err != nil {
		return false
	}
	host, err := front.CanonicalHost(u.Host)
	if err != nil {
		return false
	}
	label, ok := x.g.label(host)
	if internal, is := strings.CutSuffix(host, "."+InternalDomain); is {
		label, ok = internal, true
	}
	if !ok {
		return false
	}
	table := x.g.Catalog.Table()
	if label == functionsLabel {
		route, _, ok := functionAt(table, u.Path)
		return ok && route.Service.Name == s.Name
	}
	route, ok := table.Lookup(label)
	return ok && route.Service.Name == s.Name
}

// hostOnly cuts the port off.
func hostOnly(hostport string) string {
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		return hostport[:i]
	}
	return hostport
}

// functionsLabel is the host under which functions answer by path.
const functionsLabel = "functions"

// byPath finds the service of /PROJECT/LOCATION/NAME/…, of which its program
// sees only what follows.
func (x *exchange) byPath(table *serving.Table) (serving.Route, bool) {
	route, prefix, ok := functionAt(table, x.path)
	x.prefix = prefix
	return route, ok
}

func functionAt(table *serving.Table, path string) (route serving.Route, prefix string, ok bool) {
	parts := strings.SplitN(path, "/", 5) // the first is empty
	if len(parts) < 4 {
		return serving.Route{}, "", false
	}
	route, ok = table.Route(sunya.LocationName(parts[1], parts[2]) + "/services/" + parts[3])
	if !ok {
		return serving.Route{}, "", false
	}
	return route, strings.Join(parts[:4], "/"), true
}
