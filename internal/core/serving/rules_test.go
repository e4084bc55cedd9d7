package serving_test

import (
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

func file(path, file string, optional bool) sunya.Rule {
	return sunya.Rule{Path: path, Static: &sunya.StaticRule{File: file, Optional: optional}}
}

func TestRulesMatch(t *testing.T) {
	rules, err := serving.CompileRules([]sunya.Rule{
		file(`/favicon\.ico`, "img/favicon.ico", false),
		file(`/s/(.*)`, `static/\1`, false),
		file(`/(.*\.(gif|png))$`, `img/\1`, false),
		file(`/swap/(a*)/(b*)`, `\2/\1-\0-\9`, false),
		file(`/maybe/(.*)`, `maybe/\1`, true),
		{Path: `/maybe/.*|/`},
		{Path: `/api/.*`, Secure: sunya.SecureAlways},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		rule, path string
		found      bool
		file       string // empty: the program
	}{
		{"exact", "/favicon.ico", true, "img/favicon.ico"},
		{"dots are escaped", "/faviconxico", false, ""},
		{"a group", "/s/css/a.css", true, "static/css/a.css"},
		{"the first wins", "/s/a.png", true, "static/a.png"},
		{"an anchor at the end", "/deep/a.png", true, "img/deep/a.png"},
		{"whole paths only", "/x/a.png.txt", false, ""},
		{"groups in any order, unknown ones stay", "/swap/aa/b", true, `b/aa-/swap/aa/b-\9`},
		{"an optional file that is there", "/maybe/here", true, "maybe/here"},
		{"an optional file that is not", "/maybe/gone", true, ""},
		{"to the program", "/api/x", true, ""},
		{"nothing", "/other", false, ""},
		{"a line break is not any character", "/s/a\nb", false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			m, ok := rules.Match(tt.path, func(f string) bool { return f == "maybe/here" })
			if ok != tt.found || m.File != tt.file {
				t.Errorf("%s: %q, %v; want %q, %v", tt.path, m.File, ok, tt.file, tt.found)
			}
		})
	}
	if _, err := serving.CompileRules([]sunya.Rule{{Path: "("}}); err == nil {
		t.Error("a malformed pattern was accepted")
	}
}

func TestMatchDispatch(t *testing.T) {
	rules := []sunya.DispatchRule{
		{Domain: "*", Path: "/favicon.ico", Service: "default"},
		{Domain: "a.localhost", Path: "/*", Service: "a"},
		{Domain: "*.example.com", Path: "/mobile/*", Service: "mobile"},
		{Domain: "*", Path: "/work*", Service: "work"},
	}
	for _, tt := range []struct{ rule, host, path, want string }{
		{"any host, exact path", "a.localhost", "/favicon.ico", "default"},
		{"exact host, any path", "a.localhost", "/x/y", "a"},
		{"end of a host", "m.example.com", "/mobile/x", "mobile"},
		{"the host must fit", "example.com", "/mobile/x", ""},
		{"the path must fit", "m.example.com", "/mobile", ""},
		{"beginning of a path", "b.localhost", "/worker", "work"},
		{"exact path", "b.localhost", "/favicon.icon", ""},
	} {
		if got, ok := serving.MatchDispatch(rules, tt.host, tt.path); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %s%s goes to %q, want %q", tt.rule, tt.host, tt.path, got, tt.want)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add(`/(.*\.(gif|png|jpg))$`, `static/\1`, "/a/b.png")
	f.Add(`/static/(.*)`, `\1\\1\`, "/static/../x")
	f.Add(`(/|/index\.html)`, `www/index.html`, "/")
	f.Fuzz(func(t *testing.T, pattern, template, path string) {
		rules, err := serving.CompileRules([]sunya.Rule{file(pattern, template, false), {Path: pattern}})
		if err != nil {
			return
		}
		first, ok := rules.Match(path, func(string) bool { return false })
		again, same := rules.Match(path, func(string) bool { return true })
		if ok != same || first.File != again.File {
			t.Errorf("%q, %v is not %q, %v", first.File, ok, again.File, same)
		}
	})
}
