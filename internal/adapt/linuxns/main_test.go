package linuxns

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// program is the launcher under test, probe the program inside sandboxes; both
// are built from this tree.
var program, probe []byte

// asUserEnv names the directory with both, for the run of these tests as an
// unprivileged user.
const asUserEnv = "SUNYA_TEST_AS_USER"

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir := os.Getenv(asUserEnv)
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "sunya-launcher-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	builtDir = dir
	for _, b := range []struct {
		to  *[]byte
		pkg string
	}{{&program, "./helper/cmd/sunya-launcher"}, {&probe, "./probe"}} {
		data, err := build(dir, b.pkg)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		*b.to = data
	}
	return m.Run()
}

var builtDir string

func build(dir, pkg string) ([]byte, error) {
	out := filepath.Join(dir, filepath.Base(pkg))
	if data, err := os.ReadFile(out); err == nil {
		return data, nil // built by the test that runs this one as a user
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return os.ReadFile(out)
}

// dataDir returns a data directory for a test; the temporary directory itself
// is private to the user.
func dataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sunya-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// probeMount puts the probe into the data directory and returns how it is
// shown as /app/probe.
func probeMount(t testing.TB, dir string) sandbox.Mount {
	t.Helper()
	app := filepath.Join(dir, "app")
	if err := os.MkdirAll(app, 0o700); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(app, "probe")
	if _, err := os.Stat(name); err != nil {
		if err := os.WriteFile(name, probe, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return sandbox.Mount{Source: app, Target: "/app"}
}

func config(dir string) Config {
	return Config{DataDir: dir, Launcher: program, Prepared: Prepared, Log: slog.New(slog.DiscardHandler)}
}

func open(t testing.TB, cfg Config) *Engine {
	t.Helper()
	e, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// engine returns an engine whose end the test need not care about.
func engine(t testing.TB) *Engine {
	t.Helper()
	e := open(t, config(dataDir(t)))
	t.Cleanup(func() { shutdown(t, e) })
	return e
}

func shutdown(t testing.TB, e *Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func start(t testing.TB, e *Engine, spec sandbox.Spec) sandbox.Sandbox {
	t.Helper()
	if spec.ID == "" {
		spec.ID = "box"
	}
	if spec.Profile == "" {
		spec.Profile = sandbox.App
	}
	if spec.Args[0] == "/app/probe" {
		spec.Mounts = append(spec.Mounts, probeMount(t, e.cfg.DataDir))
	}
	s, err := e.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t testing.TB, s sandbox.Sandbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx, 0); err != nil {
		t.Error(err)
	}
}

// output runs a program to its end and returns what it wrote.
func output(t testing.TB, s sandbox.Sandbox) (stdout, stderr string) {
	t.Helper()
	out, errs := s.Output()
	defer func() { _, _ = out.Close(), errs.Close() }()
	errText := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(errs)
		errText <- string(text)
	}()
	text, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	return string(text), <-errText
}
