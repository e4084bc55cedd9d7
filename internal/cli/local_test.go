package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/health"
)

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLocalChecks(t *testing.T) {
	env := func(vars map[string]string) *Env { return &Env{Getenv: func(n string) string { return vars[n] }} }
	python := t.TempDir()
	if err := os.WriteFile(filepath.Join(python, "python3"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		got  health.Check
		want health.Status
	}{
		{"new kernel", checkKernel(file(t, "6.18.44-x\n")), health.OK},
		{"old kernel", checkKernel(file(t, "5.4.0\n")), health.Warning},
		{"odd kernel", checkKernel(file(t, "x\n")), health.Warning},
		{"no kernel", checkKernel("/nonexistent"), health.Fail},
		{"user namespaces", checkUserNamespaces(file(t, "1000\n")), health.OK},
		{"no user namespaces", checkUserNamespaces(file(t, "0\n")), health.Fail},
		{"user namespaces not built in", checkUserNamespaces("/nonexistent"), health.Fail},
		{"cgroup v2", checkCgroups(file(t, "c /sys/fs/cgroup cgroup2 rw 0 0\n")), health.OK},
		{"no cgroups", checkCgroups(file(t, "proc /proc proc rw 0 0\n")), health.Warning},
		{"overlay", checkOverlay(file(t, "nodev\tproc\nnodev\toverlay\n")), health.OK},
		{"no overlay", checkOverlay(file(t, "nodev\tproc\n")), health.Warning},
		{"python", checkRuntimes(env(map[string]string{"PATH": python})), health.OK},
		{"no runtimes", checkRuntimes(env(map[string]string{"PATH": "/nonexistent:relative"})), health.Warning},
		{"no proxy", checkProxy(env(nil)), health.OK},
		{"proxy", checkProxy(env(map[string]string{"https_proxy": "http://p:1"})), health.Warning},
		{"proxy without loopback", checkProxy(env(map[string]string{"HTTP_PROXY": "http://p:1", "no_proxy": ".localhost, 127.0.0.1"})), health.OK},
		{"many files", checkOpenFiles(file(t, "Limit  Soft  Hard\nMax open files            1024  524288  files\n")), health.OK},
		{"few files", checkOpenFiles(file(t, "Max open files            256  1024  files\n")), health.Warning},
		{"clock", checkClock(testTime), health.OK},
		{"clock that was never set", checkClock(time.Unix(0, 0)), health.Fail},
		{"durable writes", checkSync(t.TempDir()), health.OK},
		{"disk of a directory that is still to come", checkDisk(filepath.Join(t.TempDir(), "a/b")), health.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A slow or full disk under the tests is no error of ours.
			if tt.got.Name == "disk" || tt.got.Name == "disk sync" {
				if tt.got.Detail == "" {
					t.Error("says nothing")
				}
				return
			}
			if tt.got.Status != tt.want {
				t.Errorf("%+v, want %s", tt.got, tt.want)
			}
		})
	}
}

func TestDoctor(t *testing.T) {
	f := newFake(t)
	r := execute(t, f, "doctor")
	for _, want := range []string{"server", "orphans", "kernel", "clock"} {
		if !strings.Contains(r.stdout.String(), want) {
			t.Errorf("no check %q:\n%s", want, r.stdout)
		}
	}
	// A broken clock is a blocking problem wherever this runs.
	bad := prepare(t, f, "doctor")
	bad.env.Now = func() time.Time { return time.Unix(0, 0) }
	bad.do(t).expect(t, exitDoctor)
	if !strings.Contains(bad.stdout.String(), "fix: set the clock") {
		t.Errorf("stdout = %s", bad.stdout)
	}
}

func TestInit(t *testing.T) {
	r := prepare(t, nil, "init", "python-app", "hello")
	r.do(t).expect(t, exitOK)
	if want := "hello/app.yaml\nhello/main.py\nhello/requirements.txt\n"; r.stdout.String() != want {
		t.Errorf("stdout = %q", r.stdout)
	}
	// What it writes can be deployed.
	f := newFake(t)
	execute(t, f, "deploy", filepath.Join(r.env.Dir, "hello")).expect(t, exitOK)

	again := prepare(t, nil, "init", "python-app", "hello")
	again.env.Dir = r.env.Dir
	again.do(t).expect(t, exitConflict)
	if again.stdout.String() != "" {
		t.Errorf("something was written: %q", again.stdout)
	}
}

func TestInitFunction(t *testing.T) {
	for template, want := range map[string]string{
		"python-function": "hello/main.py\n", "node-function": "hello/index.js\n", "go-function": "hello/go.mod\nhello/hello.go\n",
	} {
		r := prepare(t, nil, "init", template, "hello").do(t).expect(t, exitOK)
		if r.stdout.String() != want || !strings.Contains(r.stderr.String(), "Next: sunya functions deploy hello --source hello --runtime ") {
			t.Errorf("%s: stdout = %q, stderr = %q", template, r.stdout, r.stderr)
		}
	}
}

// TestInitIsTheExample: the templates are what README and tests deploy.
func TestInitIsTheExample(t *testing.T) {
	for template, example := range map[string]string{
		"python-app": "hello-python", "python-function": "hello-function-python", "node-function": "hello-function-node", "go-function": "hello-function-go",
	} {
		entries, err := templates.ReadDir("templates/" + template)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			got, err := templates.ReadFile("templates/" + template + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile("../../examples/" + example + "/" + strings.TrimSuffix(e.Name(), templateSuffix))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s of %s differs from the example", e.Name(), template)
			}
		}
	}
}
