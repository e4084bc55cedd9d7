//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestFromThreeFilesToAURL is the README's promise: the example deploys, says
// Hello World!, is gone when idle and back on the next request.
func TestFromThreeFilesToAURL(t *testing.T) {
	s := start(t, "--idle-timeout", "2s")
	r := s.ok("app", "deploy", "../examples/hello-python", "--quiet")
	if got, want := r.lastLine(), "http://sunya.localhost:"+s.port; got != want {
		t.Errorf("last line of stdout = %q, want %q", got, want)
	}
	host := "sunya.localhost:" + s.port
	if got := s.get(host, "/"); strings.TrimSpace(got) != "Hello World!" {
		t.Errorf("body = %q", got)
	}
	s.eventually(15*time.Second, "scaled to zero", s.nothingRuns)
	if left := processes(t, "main:app"); len(left) > 0 {
		t.Errorf("processes of the app still exist: %v", left)
	}
	if got := s.get(host, "/"); strings.TrimSpace(got) != "Hello World!" {
		t.Errorf("body after idle = %q", got)
	}
	logs := s.ok("logs", "--tail", "100").stdout
	if !strings.Contains(logs, "cold start") {
		t.Errorf("the log does not mention the cold start:\n%s", logs)
	}
	s.noOrphans()
}

func (s *server) nothingRuns() error {
	if is := s.instances(); len(is) > 0 {
		return fmt.Errorf("%v", is)
	}
	return nil
}

func TestWhatAnAppSees(t *testing.T) {
	s := start(t)
	dir := bare(t, "hi")
	yaml := "runtime: python311\nentrypoint: python3 main.py\ninstance_class: F2\nenv_variables:\n  COLOUR: 'blue'\n"
	if err := os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	host := s.deploy(dir, "--version", "v1")
	env := map[string]string{}
	if err := json.Unmarshal([]byte(s.get(host, "/env")), &env); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"PORT": "8080", "GAE_ENV": "standard", "GAE_RUNTIME": "python311", "GAE_SERVICE": "default",
		"GAE_VERSION": "v1", "GAE_MEMORY_MB": "768", "GOOGLE_CLOUD_PROJECT": "sunya", "COLOUR": "blue",
	} {
		if env[name] != want {
			t.Errorf("%s = %q, want %q", name, env[name], want)
		}
	}
	for _, name := range []string{"GAE_APPLICATION", "GAE_DEPLOYMENT_ID", "GAE_INSTANCE"} {
		if env[name] == "" {
			t.Errorf("%s is empty", name)
		}
	}
	headers := map[string]string{}
	if err := json.Unmarshal([]byte(s.get(host, "/headers")), &headers); err != nil {
		t.Fatal(err)
	}
	canonical := http.Header{}
	for k, v := range headers {
		canonical.Set(k, v)
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Cloud-Trace-Context", "X-Appengine-Country", "X-Appengine-Default-Version-Hostname"} {
		if canonical.Get(name) == "" {
			t.Errorf("header %s is missing: %v", name, headers)
		}
	}
}

func TestLogsOutliveTheInstance(t *testing.T) {
	s := start(t, "--idle-timeout", "1s")
	host := s.deploy(bare(t, "hi"))
	s.get(host, "/log")
	s.eventually(15*time.Second, "scaled to zero", s.nothingRuns)
	s.kill()
	s.up()
	logs := s.ok("logs", "--tail", "200", "--json").stdout
	for _, want := range []string{"a line on stdout", "a structured line", "ValueError: a traceback", "/log"} {
		if !strings.Contains(logs, want) {
			t.Errorf("log has no %q:\n%s", want, logs)
		}
	}
	for line := range strings.Lines(logs) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("not a JSON line: %q", line)
		}
		if text, _ := e["textPayload"].(string); strings.HasPrefix(text, "Traceback") && !strings.Contains(text, "ValueError") {
			t.Errorf("a traceback was torn apart: %q", text)
		}
	}
}

// hammer sends requests until stop is called; it counts what failed.
type hammer struct {
	wg     sync.WaitGroup
	quit   chan struct{}
	sent   atomic.Int64
	failed atomic.Int64
	mu     sync.Mutex
	first  error
}

func (s *server) hammer(host, path string, workers int, limit int64) *hammer {
	h := &hammer{quit: make(chan struct{})}
	for range workers {
		h.wg.Go(func() {
			for {
				select {
				case <-h.quit:
					return
				default:
				}
				if h.sent.Add(1) > limit {
					return
				}
				code, body, err := s.try(host, path)
				if err == nil && code != http.StatusOK {
					err = fmt.Errorf("%d %s", code, tail(body, 200))
				}
				if err != nil {
					h.failed.Add(1)
					h.mu.Lock()
					h.first = errors.Join(h.first, err)
					h.mu.Unlock()
				}
			}
		})
	}
	return h
}

func (h *hammer) stop() { close(h.quit); h.wg.Wait() }

func TestRedeploysLoseNoRequest(t *testing.T) {
	s := start(t)
	dir := bare(t, "version 0")
	host := s.deploy(dir)
	h := s.hammer(host, "/", 50, 1<<40)
	for i := range 10 {
		main := filepath.Join(dir, "main.py")
		if err := os.WriteFile(main, []byte(bareMain(fmt.Sprintf("version %d", i+1))), 0o644); err != nil {
			t.Fatal(err)
		}
		// Two of three are new versions, the third replaces one that serves.
		s.deploy(dir, "--version", fmt.Sprintf("v%d", i-i%3/2))
	}
	h.stop()
	if h.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed, first: %v", h.failed.Load(), h.sent.Load(), tail(h.first.Error(), 1500))
	}
	if h.sent.Load() < 1000 {
		t.Errorf("only %d requests were sent", h.sent.Load())
	}
	if got := s.get(host, "/"); got != "version 10" {
		t.Errorf("after the last redeploy: %q", got)
	}
	t.Logf("%d requests through 10 redeploys", h.sent.Load())
}

func TestCtrlCLeavesNothing(t *testing.T) {
	s := start(t)
	host := s.deploy(bare(t, "hi"))
	s.get(host, "/")
	s.stop()
	s.eventually(5*time.Second, "nothing of the server is left", func() error {
		if left := processes(t, s.data); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
	for _, pattern := range []string{"/sys/fs/cgroup/*/sunya*/*/", "/sys/fs/cgroup/sunya*/*/"} {
		left, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range left {
			if b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs")); err == nil && len(b) > 0 {
				t.Errorf("%s still has processes", dir)
			}
		}
	}
	s.up()
	if got := s.get(host, "/"); got != "hi" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestSecondServerOnTheSameDataIsRefused(t *testing.T) {
	s := start(t)
	r := s.cli("up", "--data", s.data, "--listen", "127.0.0.1:0")
	if r.code == 0 || !strings.Contains(r.stderr, fmt.Sprint(s.cmd.Process.Pid)) {
		t.Errorf("exit %d, stderr %q: want a refusal that names pid %d", r.code, r.stderr, s.cmd.Process.Pid)
	}
	s.get("localhost:"+s.port, "/healthz")
}
