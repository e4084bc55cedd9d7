package front

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// apiSuffix ends the name of an API: appengine.googleapis.com.
const apiSuffix = ".googleapis.com"

// Permission says who may use a route.
type Permission uint8

// The permissions. There is none that lets everybody in by omission: the zero
// value denies.
const (
	Deny     Permission = iota
	Public              // anybody who reaches the listener under its name
	Local               // on loopback the owner of the server and root; everybody with a token
	Token               // everybody with a token, nobody else
	Password            // as Local; the token may come as the password of Basic, too, and may be one of an account
)

// Route is one line of the table of everything that the API answers.
type Route struct {
	// Method restricts to one method; empty: every method. HEAD goes with GET.
	Method string
	// API is the API that the route belongs to, such as
	// appengine.googleapis.com; empty: Sunya's own.
	API string
	// Pattern is a canonical path; with a slash at its end it stands for
	// everything below, "*" as a segment for any one, and "/{$}" for the root alone (as in net/http). On the bare host the longest pattern of all APIs wins,
	// and of equal ones the first listed.
	Pattern    string
	Permission Permission
	// Admit, when set, is asked first: true lets in whoever shows something that
	// counts by itself, such as a signed URL, and an error refuses. False leaves
	// it to the Permission.
	Admit   func(r *http.Request) (bool, error)
	Handler http.Handler
	// Refuse, when set, answers those who may not, in the form that the API's
	// clients read.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
}

// rootOnly is the pattern of the root and nothing below it.
const rootOnly = "/{$}"

// table finds routes.
type table struct {
	routes []Route  // longest pattern first
	apis   []string // names, longest first
	later  map[string]string
}

// newTable checks and orders routes.
func newTable(routes []Route) (*table, error) {
	t := &table{routes: slices.Clone(routes)}
	for _, r := range routes {
		if err := r.check(); err != nil {
			return nil, err
		}
		if r.API != "" && !slices.Contains(t.apis, r.API) {
			t.apis = append(t.apis, r.API)
		}
	}
	slices.SortStableFunc(t.routes, func(a, b Route) int { return len(b.Pattern) - len(a.Pattern) })
	slices.SortStableFunc(t.apis, func(a, b string) int { return len(b) - len(a) })
	return t, nil
}

// check says what is wrong with a route.
func (r *Route) check() error {
	if r.Pattern == rootOnly {
		bare := *r
		bare.Pattern = "/"
		return bare.check()
	}
	canonical, err := CanonicalPath(r.Pattern)
	switch {
	case err != nil:
		return fmt.Errorf("route %s %s: %w", r.Method, r.Pattern, err)
	case canonical != r.Pattern:
		return fmt.Errorf("route %s %s: the canonical form is %s", r.Method, r.Pattern, canonical)
	case r.Permission == Deny || r.Permission > Password:
		return fmt.Errorf("route %s %s: no permission", r.Method, r.Pattern)
	case r.Handler == nil:
		return fmt.Errorf("route %s %s: no handler", r.Method, r.Pattern)
	case r.API != "" && !strings.HasSuffix(r.API, apiSuffix):
		return fmt.Errorf("route %s %s: API %s does not end in %s", r.Method, r.Pattern, r.API, apiSuffix)
	}
	return nil
}

// match returns the route for a request; api "" leaves the choice of the API to
// the pattern.
func (t *table) match(method, api, path string) (*Route, error) {
	known := false
	for i := range t.routes {
		r := &t.routes[i]
		if api != "" && r.API != api || !r.covers(path) {
			continue
		}
		if r.allows(method) {
			return r, nil
		}
		known = true
	}
	if known {
		return nil, &methodError{method: method, path: path}
	}
	if api != "" && !slices.Contains(t.apis, api) {
		return nil, t.unserved(api)
	}
	return nil, sunya.Errorf(sunya.NotFound, "", "the requested URL %s was not found on this server", path)
}

// unserved says what is missing. It is not UNIMPLEMENTED, which would be HTTP's
// 501: gcloud repeats that for half a minute, and then blames the network.
func (t *table) unserved(api string) error {
	what := "is not served here"
	if later := t.later[api]; later != "" {
		what = "is not served here yet: " + later
	}
	return sunya.Errorf(sunya.NotFound, "", "%s %s; this server has %s", api, what, strings.Join(t.apis, ", "))
}

// covers says whether a path belongs to the route's pattern.
func (r *Route) covers(path string) bool {
	if r.Pattern == rootOnly {
		return path == "/"
	}
	if strings.Contains(r.Pattern, "*") {
		return coversSegments(r.Pattern, path)
	}
	if strings.HasSuffix(r.Pattern, "/") {
		return strings.HasPrefix(path, r.Pattern)
	}
	return path == r.Pattern
}

// allows says whether a method belongs to the route.
func (r *Route) allows(method string) bool {
	return r.Method == "" || r.Method == method || r.Method == http.MethodGet && method == http.MethodHead
}

// methodError is a path that exists, asked for in a way that does not.
type methodError struct{ method, path string }

func (e *methodError) Error() string {
	return fmt.Sprintf("%s is not a method of %s", e.method, e.path)
}

// apiOf returns the API that a label of LABEL.api.DOMAIN stands for: its short
// name, also with a region in front (gcloud's REGION-run); else "".
func (t *table) apiOf(label string) string {
	if label == "" {
		return ""
	}
	for _, api := range t.apis {
		short := strings.TrimSuffix(api, apiSuffix)
		if label == short || strings.HasSuffix(label, "-"+short) {
			return api
		}
	}
	return ""
}

// coversSegments compares segment by segment; "*" stands for any one.
func coversSegments(pattern, path string) bool {
	pattern, below := strings.CutSuffix(pattern, "/")
	for {
		want, rest, more := strings.Cut(pattern, "/")
		got, left, deeper := strings.Cut(path, "/")
		if want != got && want != "*" {
			return false
		}
		if !more {
			return deeper == below
		}
		if !deeper {
			return false
		}
		pattern, path = rest, left
	}
}
