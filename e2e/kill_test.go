//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// kills is how often TestKillServer kills: a few here, many in make torture.
func kills() int {
	if os.Getenv("SUNYA_TORTURE") != "" {
		return 200
	}
	return 20
}

// outages are the times from a kill until the server said that it was ready.
type outages struct {
	mu   sync.Mutex
	from []time.Time
	till []time.Time // one less while the server is down
}

func (o *outages) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.from = append(o.from, time.Now())
}

func (o *outages) end() (took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.till = append(o.till, time.Now())
	return o.till[len(o.till)-1].Sub(o.from[len(o.from)-1])
}

// excuse reports whether a request met an outage.
func (o *outages) excuse(begin, end time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, from := range o.from {
		if end.After(from) && (i == len(o.till) || begin.Before(o.till[i])) {
			return true
		}
	}
	return false
}

// watch asks a running instance all the time, with a new connection each, until
// quit is closed. Failures outside of outages, and other instances, are errors.
func watch(t *testing.T, s *platform.Server, o *outages, quit <-chan struct{}, host, want string) (good int) {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		select {
		case <-quit:
			return good
		default:
		}
		begin := time.Now()
		got, err := ask(client, s.URL(), host, "/pid")
		if err == nil && got == want {
			good++
			continue
		}
		if err == nil {
			t.Errorf("the instance was restarted: %s", got)
			return good
		}
		if !o.excuse(begin, time.Now()) {
			t.Errorf("a request failed while the server was up: %v", err)
		}
	}
}

func ask(client *http.Client, base, host, path string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, base+path, nil)
	if err != nil {
		return "", err
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body := make([]byte, 4096)
	n := 0
	for err == nil && n < len(body) {
		var m int
		m, err = resp.Body.Read(body[n:])
		n += m
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, platform.Tail(string(body[:n]), 300))
	}
	return string(body[:n]), nil
}

// ledger is what the platform acknowledged, by host label.
type ledger struct {
	mu       sync.Mutex
	allowed  map[string][]string // greetings that may answer; "" for none at all
	attempts int
	acked    int
}

// try records a deploy that is about to be made: from now on either may be.
func (l *ledger) try(label, greeting string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts++
	if len(l.allowed[label]) == 0 {
		l.allowed[label] = []string{""}
	}
	l.allowed[label] = append(l.allowed[label], greeting)
}

// ack records that it was acknowledged: only it may be now.
func (l *ledger) ack(label, greeting string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked++
	l.allowed[label] = []string{greeting}
}

func (l *ledger) deploy(t *testing.T, s *platform.Server, service, label, greeting string, flags ...string) {
	dir := platform.Files(t, map[string]string{"app.yaml": "service: " + service + bareYAML, "main.py": platform.BareMain(greeting)})
	l.try(label, greeting)
	r := s.CLI(append([]string{"app", "deploy", dir, "--quiet"}, flags...)...)
	if r.Code == 0 {
		l.ack(label, greeting)
	}
}

const bareYAML = "\nruntime: python311\nentrypoint: python3 main.py\n"

// TestKillServer (F1, F20) kills the server at random moments of deploys,
// deletes and requests. What was acknowledged serves afterwards, nothing is
// stuck or left behind, and a running instance is out of reach for no longer
// than the restart takes.
func TestKillServer(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Bare(t, "stable"), "--version", "stable")
	rng := seeded(t)
	var o outages
	quit := make(chan struct{})
	var asking, deploying sync.WaitGroup
	boot := s.Get(host, "/pid")
	var good [2]int
	for i := range good {
		asking.Go(func() { good[i] = watch(t, s, &o, quit, host, boot) })
	}
	l := &ledger{allowed: map[string][]string{}}
	// Each of these deploys all the time, one after the other.
	for name, once := range map[string]func(i int){
		"versions without traffic": func(i int) {
			v := fmt.Sprintf("r%d", i%4)
			l.deploy(t, s, "default", v+"-dot-", fmt.Sprintf("round %d", i), "--no-promote", "--version", v)
		},
		"a service that moves on": func(i int) {
			l.deploy(t, s, "moving", "moving-dot-", fmt.Sprintf("move %d", i), "--version", fmt.Sprintf("m%d", i%3))
		},
		"first deploys, deleted again": func(i int) {
			service := fmt.Sprintf("first%d", i%5)
			l.deploy(t, s, service, service+"-dot-", fmt.Sprintf("first %d", i), "--version", "v1")
			l.try(service+"-dot-", "")
			if deleteService(t, s, service) {
				l.ack(service+"-dot-", "")
			}
		},
		"programs that exit": func(i int) {
			dir := platform.Files(t, map[string]string{"app.yaml": "service: bad" + bareYAML, "main.py": "import sys\nsys.exit(3)\n"})
			l.try("bad-dot-", "")
			if r := s.CLI("app", "deploy", dir, "--quiet", "--version", "v1"); r.Code == 0 {
				t.Error("a program that exits was deployed")
			}
		},
	} {
		deploying.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-quit:
					t.Logf("%s: %d", name, i)
					return
				default:
					once(i)
				}
			}
		})
	}
	var slowest time.Duration
	for range kills() {
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		o.begin()
		s.Kill()
		s.Up()
		slowest = max(slowest, o.end())
	}
	close(quit)
	asking.Wait()
	deploying.Wait()
	t.Logf("%d kills, longest outage %v; %d of %d deploys and deletes acknowledged; %v requests answered", kills(), slowest, l.acked, l.attempts, good)

	s.Eventually(90*time.Second, "every operation ends", func() error { return operationsEnded(s) })
	for label, allowed := range l.allowed {
		code, got, err := s.Try(label+host, "/")
		if code == http.StatusNotFound {
			got = ""
		}
		if err != nil || !slices.Contains(allowed, got) {
			t.Errorf("%s answers %d %q %v, acknowledged was one of %q", label, code, platform.Tail(got, 300), err, allowed)
		}
	}
	checkNothingLeft(t, s)
}

// deleteService deletes a service and reports whether that was acknowledged.
func deleteService(t *testing.T, s *platform.Server, service string) bool {
	req, err := http.NewRequest(http.MethodDelete, s.URL()+"/v1/apps/sunya/services/"+service, nil)
	if err != nil {
		t.Error(err)
		return false
	}
	resp, err := platform.Client.Do(req)
	if err != nil {
		return false // the server is down
	}
	defer resp.Body.Close()
	var op struct {
		Done  bool
		Error any
	}
	err = json.NewDecoder(resp.Body).Decode(&op)
	return err == nil && resp.StatusCode == http.StatusOK && op.Done && op.Error == nil
}

// operationsEnded is nil when no operation is under way and no version waits
// for one.
func operationsEnded(s *platform.Server) error {
	resp, err := platform.Client.Get(s.URL() + "/v1/apps/sunya/operations?pageSize=1000")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var doc struct {
		Operations []struct {
			Name string
			Done bool
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		return err
	}
	for _, op := range doc.Operations {
		if !op.Done {
			return fmt.Errorf("%s is not done", op.Name)
		}
	}
	if out := s.OK("status").Stdout + s.OK("app", "versions", "list").Stdout; strings.Contains(strings.ToLower(out), "deploying") {
		return fmt.Errorf("%s", out)
	}
	return nil
}

// checkNothingLeft looks for orphans: sandboxes without an instance, build
// directories, mounts; and after the server's end for anything at all.
func checkNothingLeft(t *testing.T, s *platform.Server) {
	t.Helper()
	s.NoOrphans()
	s.Eventually(30*time.Second, "nothing is left of builds", func() error {
		if left := s.Leftovers(); len(left) > 0 {
			return fmt.Errorf("%s", strings.Join(left, "\n"))
		}
		return nil
	})
	if os.Getuid() == 0 {
		s.Eventually(30*time.Second, "every sandbox is an instance", func() error {
			known := map[string]bool{}
			for _, i := range s.Instances() {
				known[i.ID] = true
			}
			for _, dir := range s.Cgroups() {
				if base := filepath.Base(dir); strings.HasPrefix(base, "gae-") && !known[base] {
					return fmt.Errorf("%s belongs to no instance of %v", dir, known)
				}
			}
			return nil
		})
	}
	all := platform.Below(t, s.Launcher())
	s.Stop()
	s.Eventually(10*time.Second, "no process is left", func() error {
		for _, p := range all {
			if p.Alive() {
				return fmt.Errorf("%v", p)
			}
		}
		return nil
	})
	if s.Launcher() != 0 {
		t.Error("the launcher is still there")
	}
}

// TestKillBetweenSteps (F20) kills the server at the beginning of every step
// that the user sees, of a first deploy, of one that moves the traffic and of
// one that replaces what serves. The old or the new version serves, and
// deploying once more works.
func TestKillBetweenSteps(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Bare(t, "old"), "--version", "v0")
	for i, stage := range []string{"Validating", "Uploading", "Building", "Starting", "Routing"} {
		for _, c := range []struct{ name, service, version string }{
			{"first deploy", fmt.Sprintf("first%d", i), "v1"},
			{"new version", "default", fmt.Sprintf("v%d", i+1)},
			{"same version", "default", fmt.Sprintf("v%d", i+1)},
		} {
			t.Run(stage+" of a "+c.name, func(t *testing.T) {
				at := host
				if c.service != "default" {
					at = c.service + "-dot-" + host
				}
				_, before, err := s.Try(at, "/")
				if err != nil {
					t.Fatal(err)
				}
				greeting := stage + " " + c.name
				dir := platform.Files(t, map[string]string{"app.yaml": "service: " + c.service + bareYAML, "main.py": platform.BareMain(greeting)})
				var once sync.Once
				killed := make(chan struct{})
				r := s.Follow(func(line string) {
					if strings.Contains(line, stage) {
						once.Do(func() {
							s.Kill()
							go func() { s.Up(); close(killed) }()
						})
					}
				}, "app", "deploy", dir, "--quiet", "--version", c.version)
				once.Do(func() { t.Fatalf("never came to %s: %s", stage, r.Stderr) })
				<-killed
				s.Eventually(60*time.Second, "the operation ends", func() error { return operationsEnded(s) })
				code, got, err := s.Try(at, "/")
				isOld := got == before || code == http.StatusNotFound && c.service != "default"
				if err != nil || got != greeting && (!isOld || r.Code == 0) {
					t.Errorf("exit %d, then %d %q %v: want %q or, without success, %q", r.Code, code, platform.Tail(got, 200), err, greeting, platform.Tail(before, 200))
				}
				s.Deploy(dir, "--version", c.version)
				if got := s.Get(at, "/"); got != greeting {
					t.Errorf("deployed once more: %q", got)
				}
			})
		}
	}
	checkNothingLeft(t, s)
}
