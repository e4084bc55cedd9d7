//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const flaskApp = `import time
from flask import Flask

app = Flask(__name__)


@app.route("/")
def hello():
    return "hello"


@app.route("/hold")
def hold():
    time.sleep(15)
    return "held"
`

func flaskFiles(t *testing.T, yaml string) string {
	return platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\n" + yaml, "main.py": flaskApp, "requirements.txt": "Flask\ngunicorn\n",
	})
}

// volley is what came of requests that were made at once.
type volley struct {
	mu   sync.Mutex
	seen map[string]int // by status and Retry-After
}

// fire asks each host once, on a connection of its own, and waits for all.
func fire(s *platform.Server, path string, hosts []string) *volley {
	v := &volley{seen: map[string]int{}}
	var wg sync.WaitGroup
	for _, host := range hosts {
		wg.Go(func() {
			what := askOnce(s, host, path)
			v.mu.Lock()
			defer v.mu.Unlock()
			v.seen[what]++
		})
	}
	wg.Wait()
	return v
}

// askOnce returns the status, and when to come again where that is said.
func askOnce(s *platform.Server, host, path string) string {
	req, err := http.NewRequest(http.MethodGet, s.URL()+path, nil)
	if err != nil {
		return err.Error()
	}
	req.Host, req.Close = host, true
	resp, err := (&http.Client{Transport: &http.Transport{}, Timeout: 100 * time.Second}).Do(req)
	if err != nil {
		return "no answer: " + err.Error()
	}
	defer resp.Body.Close()
	what := fmt.Sprint(resp.StatusCode)
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		if resp.Header.Get("Retry-After") == "" {
			return what + " without Retry-After"
		}
	}
	return what
}

// only fails the test when anything else was answered.
func (v *volley) only(t *testing.T, statuses ...string) {
	t.Helper()
	for what, n := range v.seen {
		if !strings.Contains(" "+strings.Join(statuses, " ")+" ", " "+what+" ") {
			t.Errorf("%d of %v were answered with %s, want only %v", n, v.seen, what, statuses)
		}
	}
}

func times(host string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = host
	}
	return out
}

// TestBurstFromZero: nobody of 500 who come at once to a service that sleeps is
// turned away.
func TestBurstFromZero(t *testing.T) {
	s := platform.Start(t, "--idle-timeout", "1s")
	host := s.Deploy(flaskFiles(t, "automatic_scaling: {max_concurrent_requests: 80}\n"))
	s.Eventually(30*time.Second, "scaled to zero", func() error {
		if is := s.Instances(); len(is) > 0 {
			return fmt.Errorf("%d instances", len(is))
		}
		return nil
	})
	v := fire(s, "/", times(host, 500))
	v.only(t, "200")
	t.Logf("%v with %d instances", v.seen, len(s.Instances()))
}

// TestManyServicesAtOnce: fifty services that sleep are asked in one moment.
func TestManyServicesAtOnce(t *testing.T) {
	const n = 50
	s := platform.Start(t)
	s.Deploy(flaskFiles(t, ""))
	s.Multiply(n)
	s.Up()
	var hosts []string
	for i := range n {
		hosts = append(hosts, s.CopyHost(i))
	}
	v := fire(s, "/", hosts)
	v.only(t, "200", "429", "503")
	if v.seen["200"] == 0 {
		t.Errorf("nobody was served: %v", v.seen)
	}
	t.Log(v.seen)
}

// TestBeyondTheMachine: whoever finds no room is told so, in time, and is served
// when there is room again.
func TestBeyondTheMachine(t *testing.T) {
	const n = 25
	s := platform.Start(t, "--max-memory", "200Mi")
	s.Deploy(platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\n", "main.py": holdMain,
	}))
	s.Multiply(n)
	s.Up()
	var hosts []string
	for i := range n {
		hosts = append(hosts, s.CopyHost(i))
	}
	begin := time.Now()
	v := fire(s, "/hold", hosts)
	v.only(t, "200", "503")
	if v.seen["200"] == 0 || v.seen["503"] == 0 {
		t.Errorf("%v: want some served and some refused", v.seen)
	}
	if took := time.Since(begin); took > 80*time.Second {
		t.Errorf("the last was answered after %v", took)
	}
	for i := range n {
		if got := s.Get(s.CopyHost(i), "/"); got != "hello" {
			t.Fatalf("copy %d answers %q", i, got)
		}
	}
	if log := s.OK("logs", "--tail", "2000").Stdout; !strings.Contains(log, "its memory is needed for another") {
		t.Errorf("no idle instance made room:\n%s", platform.Tail(log, 2000))
	}
}

const holdMain = `import http.server, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hold":
            time.sleep(15)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`
