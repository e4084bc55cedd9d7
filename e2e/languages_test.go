//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// greeting is what every app of the contract answers at / before its code is
// changed.
const greeting = "Hello World!"

// languageApp is an app of the contract that every language fulfils.
type languageApp struct {
	name  string // of the service, unique
	dir   string // its source, with an app.yaml that names no service
	needs string // a program without which it cannot be built; empty: none
	main  string // the file that holds the greeting

	// contract says that the app also answers /env with its environment as a
	// JSON object, and /disk with {"app": A, "tmp": T}, each "written" or why
	// not, after writing a file x into its working directory and into /tmp;
	// and that it prints "SIGTERM received" when it is told to end.
	contract bool
	silent   bool // says nothing when it is told to end, though it ends

	env    map[string]string // what /env must have besides what all have
	reused string            // what the log of a redeploy with changed code must say; empty: nothing
}

// languageApps are the apps of all languages; the rows of each are in a file
// of its own.
func languageApps() []languageApp {
	return slices.Concat(
		pythonApps,
		nodeApps,
		phpApps,
		rubyApps,
		goApps,
		javaApps,
	)
}

// TestLanguages: the same things are true of every language. The apps go
// through it together, so that what has to be waited for is waited for once.
func TestLanguages(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--idle-timeout", "15s")
	s.Deploy(platform.Bare(t, "first")) // the first service must be default
	var runs []*languageRun
	for _, a := range languageApps() {
		runs = append(runs, &languageRun{app: a, dir: a.copy(t)})
	}
	for _, part := range []struct {
		name string
		do   func(*languageRun)
	}{
		{"deployed", (*languageRun).deployed},
		{"asked", func(l *languageRun) { l.answers(greeting) }},
		{"frozen", (*languageRun).frozen},
		{"stopped", (*languageRun).stopped},
		{"redeployed", (*languageRun).redeployed},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, l := range runs {
				t.Run(l.app.name, func(t *testing.T) {
					if part.name == "deployed" {
						t.Parallel() // builds take the time, and are the server's to order
					}
					l.part(t, s, part.do)
				})
			}
		})
	}
	s.NoOrphans()
}

// copy makes a source that may be changed, of a service of its own.
func (a languageApp) copy(t *testing.T) string {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(a.dir)); err != nil {
		t.Fatal(err)
	}
	yaml := filepath.Join(dir, "app.yaml")
	text, err := os.ReadFile(yaml)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(yaml, fmt.Appendf(text, "service: %s\n", a.name), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// languageRun is one app on its way through the contract.
type languageRun struct {
	*platform.Server
	t    *testing.T
	app  languageApp
	dir  string
	host string
	over string // why it goes no further
}

// part runs one part of the contract, unless an earlier one went wrong.
func (l *languageRun) part(t *testing.T, s *platform.Server, do func(*languageRun)) {
	if _, err := exec.LookPath(l.app.needs); l.app.needs != "" && err != nil {
		l.over = "no " + l.app.needs + " on this machine"
	}
	if l.over != "" {
		t.Skip("SKIP: " + l.over)
	}
	l.Server, l.t = s.For(t), t
	l.over = "an earlier part failed"
	do(l)
	if !t.Failed() {
		l.over = ""
	}
}

func (l *languageRun) deployed() {
	l.host = l.Deploy(l.dir, "--version", "v1")
	l.answers(greeting)
	if l.app.contract {
		l.environment()
		l.disk()
	}
}

func (l *languageRun) frozen() {
	l.Eventually(30*time.Second, "frozen", func() error {
		if l.are() == nil { // on a slow machine the others took too long
			l.answers(greeting)
		}
		return l.are("frozen")
	})
	l.answers(greeting)
}

func (l *languageRun) stopped() {
	l.Eventually(60*time.Second, "scaled to zero", func() error { return l.are() })
	if l.app.contract && !l.app.silent {
		l.logged("SIGTERM received")
	}
	l.answers(greeting) // by a cold start
	l.logged("cold start")
}

func (l *languageRun) answers(want string) {
	l.t.Helper()
	if got := strings.TrimSpace(l.Get(l.host, "/")); got != want {
		l.t.Errorf("body = %q, want %q", got, want)
	}
}

func (l *languageRun) environment() {
	env := map[string]string{}
	if err := json.Unmarshal([]byte(l.Get(l.host, "/env")), &env); err != nil {
		l.t.Fatal(err)
	}
	want := map[string]string{"PORT": "8080", "GAE_ENV": "standard", "GAE_SERVICE": l.app.name, "GAE_VERSION": "v1",
		"GAE_MEMORY_MB": "384", "GOOGLE_CLOUD_PROJECT": "sunya", "GAE_RUNTIME": l.runtime()}
	for name, value := range l.app.env {
		want[name] = value
	}
	for name, value := range want {
		if env[name] != value {
			l.t.Errorf("%s = %q, want %q", name, env[name], value)
		}
	}
	for _, name := range []string{"GAE_APPLICATION", "GAE_DEPLOYMENT_ID", "GAE_INSTANCE"} {
		if env[name] == "" {
			l.t.Errorf("%s is empty", name)
		}
	}
}

var runtimeLine = regexp.MustCompile(`(?m)^runtime: *(\S+)`)

func (l *languageRun) runtime() string {
	text, err := os.ReadFile(filepath.Join(l.dir, "app.yaml"))
	if err != nil {
		l.t.Fatal(err)
	}
	m := runtimeLine.FindSubmatch(text)
	if m == nil {
		l.t.Fatalf("no runtime in %s", text)
	}
	return string(m[1])
}

func (l *languageRun) disk() {
	var d struct{ App, Tmp string }
	if err := json.Unmarshal([]byte(l.Get(l.host, "/disk")), &d); err != nil {
		l.t.Fatal(err)
	}
	if d.App == "written" || d.App == "" || d.Tmp != "written" {
		l.t.Errorf("the app's folder: %q (want a refusal), /tmp: %q", d.App, d.Tmp)
	}
}

// are reports whether the instances of the service are in exactly these
// states.
func (l *languageRun) are(want ...string) error {
	var got []string
	for _, i := range l.Instances() {
		if strings.HasPrefix(i.Revision, "apps/sunya/services/"+l.app.name+"/") {
			got = append(got, i.State)
		}
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("instances are %v, want %v", got, want)
	}
	return nil
}

// logged waits until the log says something: lines are written in batches.
func (l *languageRun) logged(want string) {
	l.t.Helper()
	l.Eventually(10*time.Second, "logged", func() error {
		if logs := l.OK("logs", l.app.name, "--tail", "200").Stdout; !strings.Contains(logs, want) {
			return fmt.Errorf("the log has no %q:\n%s", want, logs)
		}
		return nil
	})
}

// redeployed changes the greeting and nothing else.
func (l *languageRun) redeployed() {
	main := filepath.Join(l.dir, l.app.main)
	text, err := os.ReadFile(main)
	if err != nil {
		l.t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), greeting, "Hello again!")
	if changed == string(text) {
		l.t.Fatalf("%s has no %q", l.app.main, greeting)
	}
	if err := os.WriteFile(main, []byte(changed), 0o644); err != nil {
		l.t.Fatal(err)
	}
	r := l.OK("app", "deploy", l.dir, "--version", "v2")
	if !strings.Contains(r.Stderr, l.app.reused) {
		l.t.Errorf("the build does not say %q:\n%s", l.app.reused, r.Stderr)
	}
	l.answers("Hello again!")
}
