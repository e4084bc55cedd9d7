package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/dev"
)

func TestDevTargets(t *testing.T) {
	dir := source(t, map[string]string{
		"app.yaml": "runtime: python311\n", "worker/app.yaml": "runtime: python311\nservice: worker\n",
		"twice.yaml": "runtime: python311\nservice: worker\n", "cron.yaml": "cron: []\n",
		"dispatch.yaml": "dispatch: []\n",
		"java/pom.xml":  "", "java/src/main/appengine/app.yaml": "runtime: java21\n",
	})
	env := prepare(t, nil).env
	env.Dir = dir
	got, err := devTargets(env, []string{"worker", "app.yaml"})
	if err != nil || len(got) != 2 || got[0].cfg.Service != "default" || got[1].cfg.Service != "worker" {
		t.Fatalf("devTargets = %v, %v: the default service must come first", got, err)
	}
	got, err = devTargets(env, []string{"java"})
	if err != nil || len(got) != 1 || filepath.Base(got[0].dir) != "java" || got[0].yaml != filepath.Join(got[0].dir, javaYAML) {
		t.Errorf("devTargets = %v, %v: the source is the project of the app.yaml", got, err)
	}
	for _, args := range [][]string{{"worker", "twice.yaml"}, {"cron.yaml"}, {"dispatch.yaml"}, {"nothing"}} {
		if _, err := devTargets(env, args); err == nil {
			t.Errorf("devTargets(%v) is no error", args)
		}
	}
}

func TestDevUsage(t *testing.T) {
	for _, args := range [][]string{
		{"dev", "--version", "Not-Allowed"}, {"dev", "--port", "70000"}, {"dev", "nowhere"}, {"dev", "--poll=perhaps"},
	} {
		execute(t, nil, args...).expect(t, exitUsage)
	}
	// A server that was named is not replaced by another.
	dir := hello(t)
	r := execute(t, nil, "dev", dir, "--server", "http://127.0.0.1:1").expect(t, exitUnreachable)
	if !strings.Contains(r.stderr.String(), "no Sunya server answers at http://127.0.0.1:1") {
		t.Errorf("stderr = %s", r.stderr)
	}
}

// session is one with a service whose pages a test can ask for; the platform
// behind them answers with what it was asked.
func session(t *testing.T, files map[string]string) (*devSession, *devService, *devProxy) {
	t.Helper()
	apps := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-App", "yes")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(r.Host + " " + r.URL.RequestURI()))
	}))
	t.Cleanup(apps.Close)
	env := prepare(t, nil).env
	env.Dir = source(t, files)
	targets, err := devTargets(env, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(apps.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := &devSession{env: env, server: &devServer{client: &client{base: base}}}
	s.log = &devLog{env: env, shown: map[string]bool{}}
	svc := newDevService(s, targets[0], "sunya.localhost")
	s.services = []*devService{svc}
	p, err := newDevProxy(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.listener.Close() })
	if _, err := svc.Fingerprint(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, svc, p
}

// ask sends a request to a proxy as a browser does, or as a program.
func ask(p *devProxy, path string, browser bool, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "localhost"
	if browser {
		r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// deployer is a service whose deploys end as a test says.
type deployer struct {
	*devService
	err *error
}

func (d deployer) Deploy(context.Context) error { return *d.err }

func TestDevPages(t *testing.T) {
	s, svc, p := session(t, map[string]string{"app.yaml": "runtime: python311\n", "main.py": "one\ntwo <b>\nthree\n"})
	var broken error
	svc.loop = dev.New(deployer{svc, &broken}, svc, time.Now)

	if w := ask(p, "/", true); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "under way") {
		t.Errorf("before the first deploy: %d %s", w.Code, w.Body)
	}
	svc.loop.Deploy(t.Context())
	_, port, err := net.SplitHostPort(p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	good := "sunya.localhost:" + port + " /a?b=c%2Fd"
	passes := func(w *httptest.ResponseRecorder) {
		t.Helper()
		if w.Code != http.StatusTeapot || w.Body.String() != good || w.Header().Get("X-App") != "yes" {
			t.Errorf("the app's answer is not passed on: %d %s", w.Code, w.Body)
		}
	}
	passes(ask(p, "/a?b=c%2Fd", true))

	broken = &failure{stage: "Starting", err: errors.New("apps/sunya/services/default/versions/dev/17: the instance did not become ready"), logs: []string{
		`  File "/workspace/main.py", line 2, in <module>`, "NameError: <script>alert(1)</script>",
	}}
	svc.loop.Restart()
	svc.loop.Deploy(t.Context())
	w := ask(p, "/a?b=c%2Fd", true)
	page := w.Body.String()
	for _, want := range []string{
		"Starting failed: the instance did not become ready", "main.py:2", `class="here"`, "two &lt;b&gt;",
		"NameError: &lt;script&gt;", "last good version still serves", `"2 true"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if w.Code != http.StatusInternalServerError || strings.Contains(page, "<script>alert") {
		t.Errorf("%d %s", w.Code, page)
	}
	passes(ask(p, "/a?b=c%2Fd", false)) // programs do not see it
	stderr := s.env.Stderr.(*screen)
	if got := stderr.String(); strings.Count(got, "NameError") != 1 || !strings.Contains(got, "the last good version serves on") {
		t.Errorf("stderr = %s", got)
	}

	// Continuing lasts until the next failure.
	on := ask(p, devPaths+"continue?to="+url.QueryEscape("/a?b=c%2Fd"), true)
	cookies := on.Result().Cookies()
	if on.Code != http.StatusSeeOther || on.Header().Get("Location") != "/a?b=c%2Fd" || len(cookies) != 1 {
		t.Fatalf("%d %v", on.Code, on.Header())
	}
	passes(ask(p, "/a?b=c%2Fd", true, cookies...))
	svc.loop.Restart()
	svc.loop.Deploy(t.Context())
	if w := ask(p, "/", true, cookies...); w.Code != http.StatusInternalServerError {
		t.Errorf("a new failure is not shown: %d", w.Code)
	}
	if got := ask(p, devPaths+"state", true).Body.String(); got != "3 true\n" {
		t.Errorf("state = %q", got)
	}
	broken = nil
	svc.loop.Restart()
	svc.loop.Deploy(t.Context())
	passes(ask(p, "/a?b=c%2Fd", true))
}

func TestDevContinuesOnThisSiteOnly(t *testing.T) {
	_, _, p := session(t, map[string]string{"app.yaml": "runtime: python311\n", "main.py": ""})
	for to, want := range map[string]string{
		"/x": "/x", "https://example.org/": "/", "//example.org/": "/", `/\example.org`: "/", "": "/", "x": "/",
	} {
		if got := ask(p, devPaths+"continue?to="+url.QueryEscape(to), true).Header().Get("Location"); got != want {
			t.Errorf("to %q leads to %q", to, got)
		}
	}
}

func TestWantsPage(t *testing.T) {
	tests := []struct {
		method, accept, dest string
		want                 bool
	}{
		{"GET", "text/html,*/*", "document", true},
		{"GET", "text/html,*/*", "", true},
		{"HEAD", "text/html", "iframe", true},
		{"GET", "*/*", "", false},
		{"GET", "text/html", "empty", false}, // fetch()
		{"GET", "text/html", "image", false},
		{"POST", "text/html", "document", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, "/", nil)
		r.Header.Set("Accept", tt.accept)
		r.Header.Set("Sec-Fetch-Dest", tt.dest)
		if got := wantsPage(r); got != tt.want {
			t.Errorf("%v: %v", tt, got)
		}
	}
}

func TestTheTerminalShowsAFailureOnce(t *testing.T) {
	failed := []string{"Traceback", "  line 1", "ValueError"}
	t.Run("the log comes first", func(t *testing.T) {
		l := &devLog{shown: map[string]bool{}}
		l.begin()
		if l.known([]string{"Traceback", "  line 1"}) {
			t.Error("the log is not shown")
		}
		if got := l.blame(failed); !slices.Equal(got, []string{"ValueError"}) {
			t.Errorf("blame = %q", got)
		}
	})
	t.Run("the failure comes first", func(t *testing.T) {
		l := &devLog{shown: map[string]bool{}}
		l.begin()
		if got := l.blame(failed); !slices.Equal(got, failed) {
			t.Errorf("blame = %q", got)
		}
		if !l.known(failed) || l.known([]string{"Traceback", "another"}) {
			t.Error("the log repeats the failure, or hides more than that")
		}
		l.begin()
		if l.known(failed) {
			t.Error("the next deploy's log is hidden")
		}
	})
}

func TestDevSourceIsWhatIsDeployed(t *testing.T) {
	s, svc, _ := session(t, map[string]string{
		"app.yaml": "runtime: python311\n", "main.py": "1", ".gitignore": "data/\n", "data/x": "1",
	})
	at := svc.source.Dir
	first, err := svc.Fingerprint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name, file, text string
		same             bool
	}{
		{"an ignored file", "data/x", "2", true},
		{"a swap file", ".main.py.swp", "2", true},
		{"a source file", "main.py", "2", false},
		{"back", "main.py", "1", true},
		{"app.yaml", "app.yaml", "runtime: python311\nentrypoint: x\n", false},
	}
	for _, step := range steps {
		if err := os.WriteFile(filepath.Join(at, step.file), []byte(step.text), 0o644); err != nil {
			t.Fatal(err)
		}
		now, err := svc.Fingerprint(t.Context())
		if err != nil || (now == first) != step.same {
			t.Errorf("%s: same = %v, %v", step.name, now == first, err)
		}
	}
	if !s.ignored(filepath.Join(at, "data"), true) || s.ignored(filepath.Join(at, "main.py"), false) {
		t.Error("the rules of .gitignore are not those of the watcher")
	}
	for _, yaml := range []string{"runtime: python311\nservice: other\n", "runtime: [\n"} {
		if err := os.WriteFile(svc.source.Descriptor, []byte(yaml), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := svc.Fingerprint(t.Context()); err == nil {
			t.Errorf("%q is no error", yaml)
		}
	}
}

func TestDevData(t *testing.T) {
	env := prepare(t, nil).with("SUNYA_CACHE", "/c").env
	a, b := devData(env, "/x/app"), devData(env, "/y/app")
	if a == b || !strings.HasPrefix(a, "/c/dev/app-") {
		t.Errorf("%s and %s", a, b)
	}
}

func TestListenNear(t *testing.T) {
	first, err := listenNear(0)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, port, _ := net.SplitHostPort(first.Addr().String())
	n, _ := strconv.Atoi(port)
	second, err := listenNear(n) // taken
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
}

func TestTailBuffer(t *testing.T) {
	b := &tailBuffer{}
	for range 10_000 {
		_, _ = b.Write([]byte("a line that is some twenty\n"))
	}
	_, _ = b.Write([]byte("the last\n"))
	lines := b.lines()
	if len(lines) != failureLines || lines[len(lines)-1] != "the last" || len(b.text) > maxTail {
		t.Errorf("%d lines, %d bytes", len(lines), len(b.text))
	}
}
