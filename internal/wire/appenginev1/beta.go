package appenginev1

import (
	"net/http"
	"strings"
)

// BetaPatterns are where v1beta lies beside v1.
func BetaPatterns() []string { return []string{"/v1beta/apps", "/v1beta/apps/"} }

// Beta serves v1beta's paths with v1: gcloud app update, and everything of
// gcloud beta, asks for them. The messages are v1's with fields more, which are
// treated as any field that v1 does not have.
func Beta(v1 http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path = beta(r.URL.Path)
		r.URL.RawPath = beta(r.URL.RawPath)
		v1.ServeHTTP(w, r)
	})
}

func beta(path string) string {
	if rest, ok := strings.CutPrefix(path, "/v1beta/"); ok {
		return "/v1/" + rest
	}
	return path
}
