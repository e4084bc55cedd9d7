package gateway_test

import (
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/serving"
	"github.com/sunya-cloud/sunya/internal/core/static"
)

// big is more than one part of a file.
var big = strings.Repeat("0123456789abcdef", 40_000)

// sites holds one site of the files that tests ask for.
func sites(t testing.TB, files map[string]string) *static.Sites {
	t.Helper()
	src, stage := t.TempDir(), t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sel, err := static.Select(t.Context(), src, []sunya.StaticSource{{Pattern: ".*"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := sel.Write(t.Context(), stage); err != nil {
		t.Fatal(err)
	}
	return static.NewSites(func(string) (string, error) { return stage, nil })
}

// newRuledWorld serves revision 1 with rules and files.
func newRuledWorld(t *testing.T, app http.HandlerFunc, o gateway.Options) *world {
	t.Helper()
	files := sites(t, map[string]string{"a.txt": "file a", "big.bin": big, "sorry.html": "<h1>sorry</h1>", "late": "too late"})
	return newWorldWith(t, app, func(p *gateway.Parts, opts *gateway.Options) {
		p.Sites = files
		o.Domains = opts.Domains
		*opts = o
	}, func(rev *sunya.Revision) {
		rev.Site = "sha256:site"
		rev.Rules = []sunya.Rule{
			{Path: "/files/(.*)", Static: &sunya.StaticRule{File: `\1`}},
			{Path: "/maybe/(.*)", Static: &sunya.StaticRule{File: `\1`, Optional: true}},
			{Path: "/(app|maybe)/.*"},
			{Path: "/secure", Secure: sunya.SecureAlways, RedirectStatus: 301},
			{Path: "/plain", Secure: sunya.SecureNever},
		}
		rev.ErrorPages = []sunya.ErrorPage{{On: sunya.ErrorDefault, File: "sorry.html"}, {On: sunya.ErrorTimeout, File: "late", MIMEType: "text/x-late"}}
	})
}

func TestRulesDecideWhoAnswers(t *testing.T) {
	w := newRuledWorld(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "program") }, gateway.Options{})
	tests := []struct {
		rule, method, path string
		status             int
		body               string
	}{
		{"a file", "GET", "/files/a.txt", 200, "file a"},
		{"a large file", "GET", "/files/big.bin", 200, big},
		{"only its header", "HEAD", "/files/a.txt", 200, ""},
		{"with a query", "GET", "/files/a.txt?v=2", 200, "file a"},
		{"escapes are resolved", "GET", "/files/%61.txt", 200, "file a"},
		{"a file cannot be written", "POST", "/files/a.txt", 405, "it can only be read"},
		{"no such file", "GET", "/files/b.txt", 404, "there is no such file"},
		{"no way out of the site", "GET", "/files/..%2fmain.py", 404, "there is no such file"},
		{"an optional file", "GET", "/maybe/a.txt", 200, "file a"},
		{"the program instead", "GET", "/maybe/b.txt", 200, "program"},
		{"the program", "POST", "/app/x", 200, "program"},
		{"nobody", "GET", "/else", 404, "no handler"},
		{"https is not served here", "GET", "/secure", 200, "program"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			resp, body := w.do(w.request(tt.method, tt.path, nil))
			if resp.StatusCode != tt.status || !strings.Contains(strings.ToLower(body), strings.ToLower(tt.body)) {
				t.Errorf("%s %s = %d %.80q, want %d %.80q", tt.method, tt.path, resp.StatusCode, body, tt.status, tt.body)
			}
			if allow := resp.Header.Get("Allow"); (tt.status == 405) != (allow == "GET, HEAD") {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

func TestFilesStartNothing(t *testing.T) {
	w := newRuledWorld(t, nil, gateway.Options{})
	for range 3 {
		w.do(w.request("GET", "/files/a.txt", nil))
		w.do(w.request("GET", "/files/none", nil))
		w.do(w.request("GET", "/else", nil))
	}
	if n := len(w.engine.Boxes()); n != 0 {
		t.Errorf("%d instances were started", n)
	}
}

func TestSecureRedirects(t *testing.T) {
	proxy := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	tests := []struct {
		name, path, proto string
		opts              gateway.Options
		status            int
		location          string
	}{
		{"to another port", "/secure?a=b", "", gateway.Options{HTTPSPort: 8443}, 301, "https://demo.localhost:8443/secure?a=b"},
		{"to https's own port", "/secure", "", gateway.Options{HTTPSPort: 443}, 301, "https://demo.localhost/secure"},
		{"behind a proxy", "/secure", "http", gateway.Options{TrustedProxies: proxy}, 301, "https://demo.localhost/secure"},
		{"already secure", "/secure", "https", gateway.Options{TrustedProxies: proxy, HTTPSPort: 443}, 200, ""},
		{"nowhere to go", "/secure", "", gateway.Options{}, 200, ""},
		{"back to http", "/plain", "https", gateway.Options{TrustedProxies: proxy, HTTPPort: 8080}, 302, "http://demo.localhost:8080/plain"},
		{"already plain", "/plain", "http", gateway.Options{TrustedProxies: proxy, HTTPPort: 8080}, 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newRuledWorld(t, func(http.ResponseWriter, *http.Request) {}, tt.opts)
			w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			r := w.request("GET", tt.path, nil)
			if tt.proto != "" {
				r.Header.Set("X-Forwarded-Proto", tt.proto)
			}
			resp, _ := w.do(r)
			if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.location {
				t.Errorf("%d to %q, want %d to %q", resp.StatusCode, resp.Header.Get("Location"), tt.status, tt.location)
			}
		})
	}
}

// x:.evil.example/ is a URI without a host. Behind the host of a redirect it
// would make another one.
func TestTargetsThatAreNoPathsAreRefused(t *testing.T) {
	w := newRuledWorld(t, func(http.ResponseWriter, *http.Request) {}, gateway.Options{HTTPSPort: 443})
	r := w.request("GET", "/", nil)
	r.URL.Opaque = "x:.evil.example/"
	if resp, body := w.do(r); resp.StatusCode != 400 {
		t.Errorf("%d %q %s, want 400", resp.StatusCode, resp.Header.Get("Location"), body)
	}
}

func TestOwnErrorPages(t *testing.T) {
	w := newRuledWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/app/own" {
			w.WriteHeader(500)
			io.WriteString(w, "the program's")
			return
		}
		panic(http.ErrAbortHandler)
	}, gateway.Options{})
	resp, body := w.do(w.request("POST", "/app/broken", nil))
	if resp.StatusCode != 502 || body != "<h1>sorry</h1>" || resp.Header.Get("Content-Type") != "text/html" {
		t.Errorf("%d %q %s", resp.StatusCode, body, resp.Header.Get("Content-Type"))
	}
	if resp, body := w.do(w.request("GET", "/app/own", nil)); resp.StatusCode != 500 || body != "the program's" {
		t.Errorf("an error of the program itself became %d %q", resp.StatusCode, body)
	}
	if _, body := w.do(w.request("GET", "/files/none", nil)); strings.Contains(body, "sorry") {
		t.Error("a missing file is not an error of the platform")
	}
}

func TestDispatchGoesToOtherServices(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "default") })
	svc := w.catalog.Table().Services()[0]
	other := sunya.Service{Name: "other", Project: svc.Project, Product: svc.Product}
	own := svc
	own.Dispatch = []sunya.DispatchRule{{Domain: "*", Path: "/other/*", Service: "other"}, {Domain: "*", Path: "/gone/*", Service: "gone"}}
	err := w.catalog.Apply(t.Context(), serving.Change{
		PutServices: []sunya.Service{own, other},
		PutHosts:    []sunya.Host{{Label: "default-dot-" + svc.Project, Service: svc.Name}},
	})
	if err != nil {
		t.Fatal(err)
	}
	get := func(host, path string) (int, string) {
		r := w.request("GET", path, nil)
		r.Host = host
		resp, body := w.do(r)
		return resp.StatusCode, body
	}
	if status, body := get(svc.Project+".localhost", "/other/x"); status != 404 || !strings.Contains(strings.ToLower(body), "other has no traffic") {
		t.Errorf("dispatched: %d %q", status, body)
	}
	for _, u := range [][2]string{{svc.Project + ".localhost", "/x"}, {svc.Project + ".localhost", "/gone/x"}, {"default-dot-demo.localhost", "/other/x"}} {
		if status, body := get(u[0], u[1]); status != 200 || body != "default" {
			t.Errorf("%s%s: %d %q, want the default service", u[0], u[1], status, body)
		}
	}
}
