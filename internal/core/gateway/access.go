package gateway

import (
	"context"
	"net/http"
	"net/url"
	"strings"

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

// admit keeps callers out that a private service does not admit.
func (x *exchange) admit(route serving.Route) error {
	access := route.Service.Access
	if access.Open() {
		return nil
	}
	header := x.r.Header.Get(serverlessAuthorization)
	if header == "" {
		header = x.r.Header.Get("Authorization")
	}
	scheme, token, _ := strings.Cut(header, " ")
	if x.g.Verifier == nil || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return x.unauthenticated("the service is private: an identity token is missing")
	}
	claims, err := x.g.Verifier.Verify(x.r.Context(), strings.TrimSpace(token), "")
	if err != nil {
		return x.unauthenticated("the service is private, and the identity token is not valid")
	}
	if !x.addressed(claims.Audience) {
		return x.unauthenticated("the service is private, and the identity token is for another audience than its URL")
	}
	if !access.Admits(claims.Email) {
		return fault(http.StatusForbidden, "the service is private, and does not admit the caller")
	}
	return nil
}

// unauthenticated is 401 with what RFC 6750 §3 asks for.
func (x *exchange) unauthenticated(why string) error {
	x.challenge = `Bearer error="invalid_token", error_description="` + why + `"`
	return fault(http.StatusUnauthorized, "%s", why)
}

// addressed reports whether one of the audiences is this service: a URL with the
// host that the request is for, and for functions by path their path.
func (x *exchange) addressed(audiences []string) bool {
	for _, aud := range audiences {
		u, err := url.Parse(aud)
		if err != nil || !strings.EqualFold(u.Hostname(), hostOnly(x.r.Host)) {
			continue
		}
		if x.prefix == "" || strings.TrimSuffix(u.Path, "/") == x.prefix {
			return true
		}
	}
	return false
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
	parts := strings.SplitN(x.r.URL.Path, "/", 5) // the first is empty
	if len(parts) < 4 {
		return serving.Route{}, false
	}
	route, ok := table.Route("projects/" + parts[1] + "/locations/" + parts[2] + "/services/" + parts[3])
	if ok {
		x.prefix = strings.Join(parts[:4], "/")
	}
	return route, ok
}
