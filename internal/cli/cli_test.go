package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

var testTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// screen is a stream that can be read while it is written.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	wake chan struct{} // closed and replaced with each write
}

func newScreen() *screen { return &screen{wake: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.wake)
	s.wake = make(chan struct{})
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await returns once the text contains want.
func (s *screen) await(t *testing.T, want string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		text, wake := s.text.String(), s.wake
		s.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		select {
		case <-wake:
		case <-limit:
			t.Fatalf("never saw %q in:\n%s", want, text)
		}
	}
}

// run is one command line under test.
type run struct {
	env            *Env
	stdout, stderr *screen
	code           int
}

// prepare makes an Env without terminal, at a fixed time.
func prepare(t *testing.T, f *fake, args ...string) *run {
	t.Helper()
	r := &run{stdout: newScreen(), stderr: newScreen()}
	vars := map[string]string{}
	if f != nil {
		vars["SUNYA_SERVER"] = f.url
	}
	r.env = &Env{
		Args: args, Stdin: strings.NewReader(""), Stdout: r.stdout, Stderr: r.stderr,
		Getenv:     func(name string) string { return vars[name] },
		LookupHost: func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil },
		Dir:        t.TempDir(), Now: func() time.Time { return testTime }, Version: "v0.1.0",
	}
	return r
}

// with sets a variable of the environment.
func (r *run) with(name, value string) *run {
	before := r.env.Getenv
	r.env.Getenv = func(n string) string {
		if n == name {
			return value
		}
		return before(n)
	}
	return r
}

func (r *run) do(t *testing.T) *run {
	t.Helper()
	r.code = Main(t.Context(), r.env)
	return r
}

func (r *run) expect(t *testing.T, code int) *run {
	t.Helper()
	if r.code != code {
		t.Fatalf("sunya %s: exit %d, want %d\nstdout: %s\nstderr: %s", strings.Join(r.env.Args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

func execute(t *testing.T, f *fake, args ...string) *run {
	t.Helper()
	return prepare(t, f, args...).do(t)
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); -update accepts it:\n%s", path, diff)
	}
}

// source writes a small app and returns its directory.
func source(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func hello(t *testing.T) string {
	return source(t, map[string]string{"app.yaml": "runtime: python311\n", "main.py": "app = None\n", "copy.py": "app = None\n"})
}

// broken is a stream that nobody reads any more.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// cancelled is a context that a signal ended.
func cancelled(n int) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(Signal{n})
	return ctx
}
