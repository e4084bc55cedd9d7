//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// chaosTime is how long the load lasts: 15 s, in make torture ten minutes, or what
// SUNYA_CHAOS says.
func chaosTime(t *testing.T) time.Duration {
	if s := os.Getenv("SUNYA_CHAOS"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("SUNYA_CHAOS: %v", err)
		}
		return d
	}
	if os.Getenv("SUNYA_TORTURE") != "" {
		return 10 * time.Minute
	}
	return 15 * time.Second
}

// The programs answer with what they were asked, after the time asked for.
const (
	chaosPython = `import http.server, os, time
from urllib.parse import parse_qs, urlsplit

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        q = parse_qs(urlsplit(self.path).query)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(int(q["ms"][0]) / 1000)
        body = q["id"][0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

Server(("", int(os.environ["PORT"])), Handler).serve_forever()
`
	chaosGo = `package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(r.FormValue("ms"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		io.WriteString(w, r.FormValue("id"))
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`
)

// chaosService is one of the services under load.
type chaosService struct {
	name, host string
	workers    int

	mu    sync.Mutex
	kills []time.Time
	young int // kills of instances that had not run for long
}

// killedWithin reports whether an instance was killed while a request was under
// way, or so shortly before that it may not have been noticed.
func (c *chaosService) killedWithin(begin, end time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.kills, func(at time.Time) bool { return at.After(begin.Add(-time.Second)) && at.Before(end) })
}

// tally is what became of the requests.
type tally struct {
	mu                   sync.Mutex
	safe, unsafe, failed int
	longest              time.Duration
	errors               []string
	statuses             map[int]int
}

func (n *tally) add(safe, ok bool, status int, took time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.longest = max(n.longest, took)
	n.statuses[status]++
	switch {
	case safe:
		n.safe++
	case ok:
		n.unsafe++
	default:
		n.unsafe++
		n.failed++
	}
}

func (n *tally) error(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.errors = append(n.errors, fmt.Sprintf(format, args...))
}

// TestChaos (F2, F14) kills the programs of instances at random under mixed load:
// every request that may be repeated is answered, one that may not fails only
// when its instance died, and none hangs.
func TestChaos(t *testing.T) {
	needRoot(t, "the processes of an instance are found by their environment")
	t.Parallel()
	s := platform.Start(t)
	const threads = "runtime: python311\nentrypoint: python3 main.py\n"
	services := []*chaosService{
		{name: "default", workers: 8, host: s.Deploy(platform.Files(t, map[string]string{"main.py": chaosPython,
			"app.yaml": threads + "automatic_scaling:\n  max_concurrent_requests: 8\n  max_instances: 4\n"}))},
		{name: "single", workers: 3, host: s.Deploy(platform.Files(t, map[string]string{"main.py": chaosPython,
			"app.yaml": "service: single\n" + threads + "automatic_scaling:\n  max_concurrent_requests: 1\n  max_instances: 4\n"}))},
		{name: "go", workers: 4, host: s.Deploy(platform.Files(t, map[string]string{"main.go": chaosGo, "go.mod": "module chaos\n\ngo 1.22\n",
			"app.yaml": "service: go\nruntime: go122\nautomatic_scaling:\n  max_concurrent_requests: 4\n  max_instances: 3\n"}))},
	}
	quit := make(chan struct{})
	sum := &tally{statuses: map[int]int{}}
	var workers sync.WaitGroup
	for _, c := range services {
		for w := range c.workers {
			workers.Go(func() { c.ask(s, sum, quit, fmt.Sprint(c.name, "-", w)) })
		}
	}
	kills := wreck(s, services, time.Now().Add(chaosTime(t)))
	close(quit)
	workers.Wait()

	t.Logf("%d requests that may be repeated and %d that may not, of which %d failed; %d kills; longest answer %v; statuses %v",
		sum.safe, sum.unsafe, sum.failed, kills, sum.longest.Round(time.Millisecond), sum.statuses)
	if len(sum.errors) > 0 {
		t.Errorf("%d errors: %s", len(sum.errors), platform.Tail(strings.Join(sum.errors, "\n"), 4000))
		t.Logf("the log: %s", platform.Tail(s.CLI("logs", "--severity", "WARNING", "--since", "1h").Stdout, 8000))
	}
	if kills == 0 || sum.safe == 0 || sum.unsafe == 0 {
		t.Error("nothing happened")
	}
	s.NoOrphans()
}

// ask sends one request after the other until quit is closed.
func (c *chaosService) ask(s *platform.Server, sum *tally, quit <-chan struct{}, worker string) {
	client := &http.Client{Timeout: 90 * time.Second}
	defer client.CloseIdleConnections()
	for n := 0; ; n++ {
		pause := time.Duration(rand.IntN(20)) * time.Millisecond
		if rand.IntN(200) == 0 {
			pause = 2 * time.Second // let instances freeze
		}
		select {
		case <-quit:
			return
		case <-time.After(pause):
		}
		method, work := http.MethodGet, rand.IntN(40)
		if rand.IntN(4) == 0 {
			method = http.MethodPost
		}
		if rand.IntN(50) == 0 {
			work = 1000
		}
		c.one(s, client, sum, method, fmt.Sprint(worker, "-", n), work)
	}
}

// one sends a request and judges its answer.
func (c *chaosService) one(s *platform.Server, client *http.Client, sum *tally, method, id string, work int) {
	req, err := http.NewRequest(method, s.URL()+"/?id="+id+"&ms="+strconv.Itoa(work), nil)
	if err != nil {
		sum.error("%s %s: %v", method, id, err)
		return
	}
	req.Host = c.host
	begin := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		sum.error("%s %s was not answered after %v: %v", method, id, time.Since(begin), err)
		return
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	end, safe := time.Now(), method == http.MethodGet
	good := err == nil && resp.StatusCode == http.StatusOK && string(body) == id
	sum.add(safe, good, resp.StatusCode, end.Sub(begin))
	switch {
	case good:
	case safe:
		sum.error("%s %s of %d ms: %s after %v: %.200s %v", method, id, work, resp.Status, end.Sub(begin), body, err)
	case resp.StatusCode != http.StatusBadGateway && resp.StatusCode != http.StatusOK:
		sum.error("%s %s: %s, and a dead instance is 502: %.200s", method, id, resp.Status, body)
	case !c.killedWithin(begin, end):
		sum.error("%s %s: %s %.200s %v, and no instance of %s had died", method, id, resp.Status, body, err, c.name)
	}
}

// An instance that ran for longEnough may be killed at any time. Of those that
// did not, freeKills: more of them make the platform pause, and that is right. Two
// of a service die killPause apart, so that no request meets more than two.
const (
	longEnough = 11 * time.Second
	freeKills  = 3
	killPause  = 2 * time.Second
)

// wreck kills programs until a moment comes, and returns how many.
func wreck(s *platform.Server, services []*chaosService, until time.Time) (kills int) {
	seen := map[string]time.Time{}
	for time.Now().Before(until) {
		time.Sleep(time.Duration(200+rand.IntN(800)) * time.Millisecond)
		instances := s.Instances()
		for _, i := range instances {
			if _, ok := seen[i.ID]; !ok {
				seen[i.ID] = time.Now()
			}
		}
		rand.Shuffle(len(instances), func(a, b int) { instances[a], instances[b] = instances[b], instances[a] })
		for _, i := range instances {
			at := slices.IndexFunc(services, func(c *chaosService) bool { return strings.Contains(i.Revision, "/services/"+c.name+"/") })
			if at >= 0 && services[at].kill(s, i.ID, time.Since(seen[i.ID]) > longEnough) {
				kills++
				break
			}
		}
	}
	return kills
}

// kill kills the youngest process of an instance, its program, unless it is too
// young.
func (c *chaosService) kill(s *platform.Server, instance string, grown bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.kills); !grown && c.young >= freeKills || n > 0 && time.Since(c.kills[n-1]) < killPause {
		return false
	}
	pids := members(s, instance)
	if len(pids) == 0 {
		return false
	}
	c.kills = append(c.kills, time.Now())
	if syscall.Kill(slices.Max(pids), syscall.SIGKILL) != nil {
		return false
	}
	if !grown {
		c.young++
	}
	return true
}

// members are the processes of an instance, by their environment.
func members(s *platform.Server, instance string) (pids []int) {
	for _, p := range s.Descendants() {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
		if err == nil && slices.Contains(strings.Split(string(env), "\x00"), "GAE_INSTANCE="+instance) {
			pids = append(pids, p.PID)
		}
	}
	return pids
}
