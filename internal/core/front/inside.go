package front

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Inside serves routes, and gRPC by grpc, to callers who are known by where their
// connections come from. Paths are read as a Front reads them; hosts and
// permissions do not count: whoever is let through may use all that is listed. The
// routes in absent are not found, though a wider pattern would cover them.
func Inside(routes, absent []Route, grpc http.Handler, now func() time.Time) (http.Handler, error) {
	all := slices.Clone(routes)
	for _, r := range absent {
		r.Handler, r.Method = http.HandlerFunc(noRoute), ""
		all = append(all, r)
	}
	t, err := newTable(all)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isGRPC(r) {
			grpc.ServeHTTP(w, r)
			return
		}
		path, err := CanonicalPath(r.URL.EscapedPath())
		if err != nil {
			fail(w, r, err)
			return
		}
		if first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); strings.HasSuffix(first, apiSuffix) { // an API by its name
			noRoute(w, r)
			return
		}
		route, err := t.match(r.Method, "", path)
		if err != nil {
			fail(w, r, err)
			return
		}
		limitBody(w, r, now)
		route.Handler.ServeHTTP(w, withPath(r, path))
	}), nil
}

func noRoute(w http.ResponseWriter, r *http.Request) {
	fail(w, r, sunya.Errorf(sunya.NotFound, "", "%s is not served to instances", r.URL.Path))
}
