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

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestFromThreeFilesToAURL is the README's promise: the example deploys, says
// Hello World!, is gone when idle and back on the next request.
func TestFromThreeFilesToAURL(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--idle-timeout", "2s")
	r := s.OK("app", "deploy", "../examples/hello-python", "--quiet")
	if got, want := r.LastLine(), "http://sunya.localhost:"+s.Port; got != want {
		t.Errorf("last line of stdout = %q, want %q", got, want)
	}
	host := "sunya.localhost:" + s.Port
	if got := s.Get(host, "/"); strings.TrimSpace(got) != "Hello World!" {
		t.Errorf("body = %q", got)
	}
	s.Eventually(15*time.Second, "scaled to zero", func() error { return nothingRuns(s) })
	for _, p := range s.Descendants() {
		// Sandboxes that are prepared have nothing but their first process.
		if !strings.HasPrefix(p.Args, "sunya-launcher") && p.Args != "sunya-sandbox init" {
			t.Errorf("a process still exists: %v", p)
		}
	}
	if got := s.Get(host, "/"); strings.TrimSpace(got) != "Hello World!" {
		t.Errorf("body after idle = %q", got)
	}
	logs := s.OK("logs", "--tail", "100").Stdout
	if !strings.Contains(logs, "cold start") {
		t.Errorf("the log does not mention the cold start:\n%s", logs)
	}
	s.NoOrphans()
}

func nothingRuns(s *platform.Server) error {
	if is := s.Instances(); len(is) > 0 {
		return fmt.Errorf("%v", is)
	}
	return nil
}

func TestWhatAnAppSees(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	dir := platform.Bare(t, "hi")
	yaml := "runtime: python311\nentrypoint: python3 main.py\ninstance_class: F2\nenv_variables:\n  COLOUR: 'blue'\n"
	if err := os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	host := s.Deploy(dir, "--version", "v1")
	env := map[string]string{}
	if err := json.Unmarshal([]byte(s.Get(host, "/env")), &env); err != nil {
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
	if err := json.Unmarshal([]byte(s.Get(host, "/headers")), &headers); err != nil {
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
	t.Parallel()
	s := platform.Start(t, "--idle-timeout", "1s")
	host := s.Deploy(platform.Bare(t, "hi"))
	s.Get(host, "/log")
	s.Eventually(15*time.Second, "scaled to zero", func() error { return nothingRuns(s) })
	s.Kill()
	s.Up()
	logs := s.OK("logs", "--tail", "200", "--json").Stdout
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

func startHammer(s *platform.Server, host, path string, workers int, limit int64) *hammer {
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
				code, body, err := s.Try(host, path)
				if err == nil && code != http.StatusOK {
					err = fmt.Errorf("%d %s", code, platform.Tail(body, 200))
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
	t.Parallel()
	s := platform.Start(t)
	dir := platform.Bare(t, "version 0")
	host := s.Deploy(dir)
	h := startHammer(s, host, "/", 50, 1<<40)
	for i := range 10 {
		main := filepath.Join(dir, "main.py")
		if err := os.WriteFile(main, []byte(platform.BareMain(fmt.Sprintf("version %d", i+1))), 0o644); err != nil {
			t.Fatal(err)
		}
		// Two of three are new versions, the third replaces one that serves.
		s.Deploy(dir, "--version", fmt.Sprintf("v%d", i-i%3/2))
	}
	h.stop()
	if h.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed, first: %v", h.failed.Load(), h.sent.Load(), platform.Tail(h.first.Error(), 1500))
	}
	if h.sent.Load() < 1000 {
		t.Errorf("only %d requests were sent", h.sent.Load())
	}
	if got := s.Get(host, "/"); got != "version 10" {
		t.Errorf("after the last redeploy: %q", got)
	}
	t.Logf("%d requests through 10 redeploys", h.sent.Load())
}

func TestCtrlCLeavesNothing(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Bare(t, "hi"))
	s.Get(host, "/")
	all := s.Descendants()
	if len(all) < 3 {
		t.Errorf("only %v: a launcher, PID 1 and an app were expected", all)
	}
	s.Stop()
	s.Eventually(20*time.Second, "nothing of the server is left", func() error {
		for _, p := range all {
			if p.Alive() {
				return fmt.Errorf("%v", p)
			}
		}
		return nil
	})
	s.Up()
	if got := s.Get(host, "/"); got != "hi" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestSecondServerOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	r := s.CLI("up", "--data", s.Data, "--listen", "127.0.0.1:0")
	if r.Code == 0 || !strings.Contains(r.Stderr, fmt.Sprint(s.PID())) {
		t.Errorf("exit %d, stderr %q: want a refusal that names pid %d", r.Code, r.Stderr, s.PID())
	}
	s.Get("localhost:"+s.Port, "/healthz")
}
