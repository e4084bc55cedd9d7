package appyaml

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

func TestHandlers(t *testing.T) {
	day := 24 * time.Hour
	tests := []struct {
		name, yaml string
		want       Handler
	}{
		{"to the program", "{url: /.*, script: auto}", Handler{URL: "/.*", Script: "auto"}},
		{"a directory", "{url: /static, static_dir: public/}", Handler{URL: "/static/(.*)", StaticFiles: `public/\1`, Upload: "public/.*"}},
		{"the root directory", "{url: /, static_dir: a.b}", Handler{URL: "/(.*)", StaticFiles: `a.b/\1`, Upload: `a\.b/.*`}},
		{"files", `{url: '/(.*\.(gif|png))$', static_files: 'img/\1', upload: 'img/.*\.(gif|png)$'}`,
			Handler{URL: `/(.*\.(gif|png))$`, StaticFiles: `img/\1`, Upload: `img/.*\.(gif|png)$`}},
		{"all keys", `{url: /f, static_files: f.txt, upload: f.txt, mime_type: text/x; charset=x, expiration: "1d 2h", require_matching_file: yes,
  application_readable: true, http_headers: {X-A: b}, secure: always, redirect_http_response_code: 307, login: optional, auth_fail_action: unauthorized}`,
			Handler{URL: "/f", StaticFiles: "f.txt", Upload: "f.txt", MIMEType: "text/x; charset=x", Expiration: ptr(day + 2*time.Hour), RequireMatchingFile: true,
				ApplicationReadable: true, Headers: []sunya.Header{{Name: "X-A", Value: "b"}}, Secure: "always", RedirectCode: 307, AuthFailAction: "unauthorized"}},
		{"never cached", `{url: /f, static_files: f, upload: f, expiration: 0}`, Handler{URL: "/f", StaticFiles: "f", Upload: "f", Expiration: ptr(time.Duration(0))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Parse("app.yaml", []byte("runtime: python311\nhandlers:\n- "+tt.yaml+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Handler{tt.want}, cfg.Handlers); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestHandlerErrors(t *testing.T) {
	const static = "url: /f, static_files: f, upload: f"
	long := strings.Repeat("x", 600)
	tests := []struct{ name, yaml, want string }{
		{"no url", "{script: auto}", "line 3: a handler needs a url"},
		{"no kind", "{url: /a}", `the handler for "/a" says nothing about what answers: add script: auto`},
		{"two kinds", "{url: /a, script: auto, static_dir: s}", "either script or static_dir, not both"},
		{"old script", "{url: /a, script: main.app}", `script: "main.app" is not allowed: current runtimes know only auto`},
		{"no upload", `{url: '/(.*\.js)', static_files: 'js/\1'}`, "static_files needs upload: a regular expression that matches the paths of all its files, such as upload: js/(.*)"},
		{"upload with a directory", "{url: /a, static_dir: s, upload: s/.*}", "upload belongs to static_files"},
		{"static key of a script", "{url: /a, script: auto, expiration: 1d}", "expiration belongs to static_files and static_dir, not to script"},
		{"relative url", "{url: a, script: auto}", `url: "a" is not allowed: it is matched against the whole path`},
		{"anchored url", "{url: ^/a, script: auto}", `begin with /`},
		{"malformed url", "{url: '/(', script: auto}", `url: "/(" is not a regular expression: missing closing )`},
		{"lookahead", "{url: '/(?!api).*', script: auto}", "looks around with (?!…), which App Engine's regular expressions cannot"},
		{"group with a directory", "{url: '/(a|b)', static_dir: s}", `url: "/(a|b)" has a group`},
		{"missing group", `{url: '/(.*)', static_files: 's/\2', upload: s/.*}`, `refers to \2, but the url "/(.*)" has 1 groups`},
		{"absolute file", "{url: /f, static_files: /etc/passwd, upload: .*}", "write a path relative to app.yaml"},
		{"bad upload", "{url: /f, static_files: f, upload: '['}", `upload: "[" is not a regular expression`},
		{"bad expiration", "{" + static + ", expiration: 3 weeks}", `expiration: "3 weeks" is not allowed: use numbers with d, h, m or s`},
		{"endless expiration", "{" + static + ", expiration: 99999d}", "longer than the 2147483647 seconds"},
		{"bad media type", "{" + static + ", mime_type: text}", `mime_type: "text" is not allowed`},
		{"bad boolean", "{" + static + ", require_matching_file: maybe}", `require_matching_file: "maybe" is not allowed: use true or false`},
		{"bad secure", "{url: /a, script: auto, secure: sometimes}", "secure: \"sometimes\" is not allowed: use default, optional, always, never"},
		{"bad redirect", "{url: /a, script: auto, redirect_http_response_code: 308}", "use 301, 302, 303, 307"},
		{"login", "{url: /a, script: auto, login: admin}", "login: admin is not supported yet"},
		{"unknown login", "{url: /a, script: auto, login: maybe}", `login: "maybe" is not allowed`},
		{"position", "{url: /a, script: auto, position: head}", "position belongs to include files"},
		{"header of requests", "{" + static + ", http_headers: {Accept: x}}", "Accept is a header of requests"},
		{"hop-by-hop header", "{" + static + ", http_headers: {Connection: close}}", "Connection is not allowed: the platform sets it"},
		{"reserved header", "{" + static + ", http_headers: {X-AppEngine-Foo: x}}", "names that begin with X-Appengine are reserved"},
		{"header injection", "{" + static + ", http_headers: {X-A: \"a\\r\\nSet-Cookie: b\"}}", "not printable ASCII"},
		{"header name", "{" + static + ", http_headers: {'X A': b}}", `"X A" is not the name of a header`},
		{"long header", "{" + static + ", http_headers: {X-A: " + long + "}}", "more than 500 bytes"},
		{"media type twice", "{" + static + ", mime_type: text/css, http_headers: {content-type: text/css}}", "mime_type (line 3) and the header Content-Type say the same"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("app.yaml", []byte("runtime: python311\nhandlers:\n- "+tt.yaml+"\n"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "app.yaml line ") {
				t.Errorf("error = %v, want … %s", err, tt.want)
			}
		})
	}
}

func TestLongPolicyHeaderIsAllowed(t *testing.T) {
	if err := CheckHeader("Content-Security-Policy", strings.Repeat("x", 10240)); err != nil {
		t.Error(err)
	}
	if err := CheckHeader("Content-Security-Policy", strings.Repeat("x", 10241)); err == nil {
		t.Error("10,241 bytes were accepted")
	}
}

func TestErrorHandlersAndExpiration(t *testing.T) {
	cfg, err := Parse("app.yaml", []byte("runtime: python311\ndefault_expiration: 4d 5h\nerror_handlers:\n- file: e.html\n- {error_code: timeout, file: t.html, mime_type: text/plain}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []ErrorHandler{{Code: "default", File: "e.html"}, {Code: "timeout", File: "t.html", MIMEType: "text/plain"}}
	if diff := cmp.Diff(want, cfg.ErrorHandlers); diff != "" || *cfg.DefaultExpiration != 101*time.Hour {
		t.Error(diff, cfg.DefaultExpiration)
	}
	for name, text := range map[string]string{
		"unknown code": "- {error_code: teapot, file: t}", "no file": "- {error_code: timeout}", "twice": "- {file: a}\n- {error_code: default, file: b}",
	} {
		if _, err := Parse("app.yaml", []byte("runtime: python311\nerror_handlers:\n"+text+"\n")); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseDispatch(t *testing.T) {
	got, err := ParseDispatch("dispatch.yaml", []byte("dispatch:\n- url: \"*/favicon.ico\"\n  service: default\n- {url: 'a.example.com/mobile/*', module: mobile}\n- {url: '*-x.example.com/*', service: w}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []DispatchRule{{"*", "/favicon.ico", "default"}, {"a.example.com", "/mobile/*", "mobile"}, {"*-x.example.com", "/*", "w"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := ParseDispatch("dispatch.yaml", []byte("dispatch:\n")); err != nil || len(got) != 0 {
		t.Errorf("no rules = %v, %v", got, err)
	}
}

func TestDispatchErrors(t *testing.T) {
	many := "dispatch:\n" + strings.Repeat("- {url: '*/a', service: s}\n", MaxDispatch+1)
	tests := []struct{ name, text, want string }{
		{"no url", "dispatch:\n- service: a\n", "line 2: a dispatch rule needs a url"},
		{"no service", "dispatch:\n- url: '*/a'\n", "line 2: a dispatch rule needs a service"},
		{"no path", "dispatch:\n- {url: example.com, service: a}\n", "write HOST/PATH"},
		{"an address", "dispatch:\n- {url: 127.0.0.1/, service: a}\n", "the host may not be an IP address"},
		{"star inside", "dispatch:\n- {url: 'a.*.com/', service: a}\n", "one * is allowed, at its beginning"},
		{"capitals", "dispatch:\n- {url: 'Example.com/', service: a}\n", "in lower case"},
		{"star in the path", "dispatch:\n- {url: '*/a/*/b', service: a}\n", "the path may have one *, at its end"},
		{"too long", "dispatch:\n- {url: '*/" + strings.Repeat("a", 100) + "', service: a}\n", "more than 100"},
		{"too many", many, "at most 20 are allowed"},
		{"not a list", "dispatch: a\n", "must be a list"},
		{"unknown key", "dispatchs: []\n", "unknown key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseDispatch("dispatch.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "dispatch.yaml line ") {
				t.Errorf("error = %v, want … %s", err, tt.want)
			}
		})
	}
}

func FuzzParseDispatch(f *testing.F) {
	f.Add("dispatch:\n- url: \"*/favicon.ico\"\n  service: default\n- url: \"simple-sample.appspot.com/\"\n  service: default\n- url: \"*/mobile/*\"\n  service: mobile-frontend\n")
	f.Add("dispatch: []\napplication: x\n")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := ParseDispatch("dispatch.yaml", []byte(text))
		if err != nil {
			return
		}
		for _, r := range rules {
			if err := CheckDispatch(r.Domain, r.Path); err != nil || r.Service == "" {
				t.Errorf("%+v was accepted: %v", r, err)
			}
		}
	})
}

func FuzzParseExpiration(f *testing.F) {
	for _, s := range []string{"4d 5h", "10m", "0", "7d 7d 7d", "5m 30", " 1D ", "2147483647s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseExpiration(s); err == nil && (d < 0 || d > maxExpiration) {
			t.Errorf("%q is %v", s, d)
		}
	})
}
