//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
	"github.com/sunya-cloud/sunya/e2e/timeline"
)

// observer looks at the instances of a server ten times a second.
type observer struct {
	s     *platform.Server
	begin time.Time
	quit  chan struct{}
	ended chan struct{}

	mu    sync.Mutex
	lanes map[string][]timeline.Sample // by service
	marks []timeline.Mark
}

func observe(s *platform.Server, services ...string) *observer {
	w := &observer{s: s, begin: time.Now(), quit: make(chan struct{}), ended: make(chan struct{}), lanes: map[string][]timeline.Sample{}}
	go func() {
		defer close(w.ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			w.look(services)
			select {
			case <-w.quit:
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

func (w *observer) look(services []string) {
	at := time.Since(w.begin)
	running := statusOf(w.s)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, service := range services {
		sample := timeline.Sample{At: at}
		for _, i := range running {
			if strings.Contains(i.Revision, "/services/"+service+"/") {
				sample.Instances = append(sample.Instances, timeline.Instance{ID: i.ID, State: i.State, InFlight: i.InFlight})
			}
		}
		w.lanes[service] = append(w.lanes[service], sample)
	}
}

// statusOf is Server.Instances for other goroutines than the test's own.
func statusOf(s *platform.Server) []platform.Instance {
	resp, err := platform.Client.Get(s.URL() + "/sunya/v1/status")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var st struct{ Instances []platform.Instance }
	_ = json.NewDecoder(resp.Body).Decode(&st) // half an answer is none
	return st.Instances
}

func (w *observer) mark(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks = append(w.marks, timeline.Mark{At: time.Since(w.begin), Text: text})
}

func (w *observer) stop() { close(w.quit); <-w.ended }

// states counts the instances of a service by state, now.
func (w *observer) states(service string) map[string]int {
	out := map[string]int{}
	for _, i := range statusOf(w.s) {
		if strings.Contains(i.Revision, "/services/"+service+"/") {
			out[i.State]++
		}
	}
	return out
}

// want waits until a service has so many instances that take requests.
func (w *observer) want(t testing.TB, service string, n int) {
	t.Helper()
	w.s.For(t).Eventually(30*time.Second, fmt.Sprintf("%s has %d instances", service, n), func() error {
		st := w.states(service)
		if st["ready"]+st["frozen"] != n || len(st) > 0 && st["ready"]+st["frozen"] != total(st) {
			return fmt.Errorf("%v", st)
		}
		return nil
	})
}

func total(states map[string]int) int {
	n := 0
	for _, k := range states {
		n += k
	}
	return n
}

// linger is for the drawing: it shows each phase for some seconds.
func linger() {
	if os.Getenv("SUNYA_TIMELINE") != "" {
		time.Sleep(3 * time.Second)
	}
}

// programs counts the processes of apps.
func programs(s *platform.Server) int {
	n := 0
	for _, p := range s.Descendants() {
		if strings.HasPrefix(p.Args, "python3 main.py") {
			n++
		}
	}
	return n
}

// load keeps so many requests in flight at a host until its stop is called.
func load(s *platform.Server, host string, workers int) (stop func() error) {
	h := startHammer(s, host, "/wait?0.3", workers, 1<<40)
	return func() error {
		h.stop()
		if n := h.failed.Load(); n > 0 {
			return fmt.Errorf("%s: %d of %d requests failed: %w", host, n, h.sent.Load(), h.first)
		}
		return nil
	}
}

// TestScaling watches three services, one for each kind of scaling, through
// rest, load and a crash. With SUNYA_TIMELINE it draws what it saw into that
// file.
func TestScaling(t *testing.T) {
	if os.Getenv("SUNYA_TIMELINE") == "" {
		t.Parallel()
	}
	s := platform.Start(t, "--idle-timeout", "3s")
	auto := s.Deploy(platform.Lifecycle(t, "inbound_services: [warmup]\nautomatic_scaling: {min_instances: 1, max_instances: 3, max_concurrent_requests: 2}\n"))
	basic := s.Deploy(platform.Lifecycle(t, "service: basic\nbasic_scaling: {max_instances: 2, idle_timeout: 3s}\n"))
	manual := s.Deploy(platform.Lifecycle(t, "service: manual\nmanual_scaling: {instances: 2}\n"))
	w := observe(s, "default", "basic", "manual")
	rest := func() {
		t.Helper()
		w.want(t, "default", 1)
		w.want(t, "basic", 0)
		w.want(t, "manual", 2)
		if n := programs(s); n != 3 {
			t.Errorf("%d programs run at rest, want 1 + 0 + 2", n)
		}
		linger()
	}
	rest()
	w.mark("load")
	stops := []func() error{load(s, auto, 8), load(s, basic, 15), load(s, manual, 4)}
	w.want(t, "default", 3)
	w.want(t, "basic", 2)
	if n := programs(s); n != 7 {
		t.Errorf("%d programs run under load, want 3 + 2 + 2", n)
	}
	calls := s.Get(auto, "/calls") + s.Get(manual, "/calls") // before they rest again
	linger()
	w.mark("no load")
	var err error
	for _, stop := range stops {
		err = errors.Join(err, stop())
	}
	if err != nil {
		t.Error(platform.Tail(err.Error(), 1500))
	}
	rest()
	w.mark("a crash")
	_, id, _ := strings.Cut(s.Get(manual, "/"), " ")
	s.Get(manual, "/crash?"+id) // the gateway asks the other one
	s.Eventually(15*time.Second, "the crashed instance is replaced", func() error {
		if log := s.OK("logs", "manual", "--tail", "100").Stdout; !strings.Contains(log, "exited with status 3") {
			return errors.New(log)
		}
		return nil
	})
	rest()
	w.stop()
	w.check(t)
	for _, want := range []string{`["/_ah/warmup", `, `["/_ah/start", `, `"0.1.0.3"]`} {
		if !strings.Contains(calls, want) {
			t.Errorf("calls = %s, want %s", calls, want)
		}
	}
	checkEnd(t, s)
	w.draw(t)
	t.Run("stop and start", func(t *testing.T) { stopAndStart(t, s.For(t), w, manual) })
	t.Run("refused start", func(t *testing.T) { refusedStart(t, s.For(t)) })
}

// check holds what must be true at every moment.
func (w *observer) check(t *testing.T) {
	t.Helper()
	for service, most := range map[string]int{"default": 3, "basic": 2, "manual": 2} {
		for _, sample := range w.lanes[service] {
			alive := slices.DeleteFunc(slices.Clone(sample.Instances), func(i timeline.Instance) bool {
				return i.State == "draining" || i.State == "stopped"
			})
			if len(alive) > most {
				t.Errorf("%s had %d instances after %v, more than its maximum", service, len(alive), sample.At)
			}
			if service == "default" && len(alive) == 0 {
				t.Errorf("%s had no instance after %v, less than its minimum", service, sample.At)
			}
			for _, i := range alive {
				if service != "default" && i.State == "frozen" {
					t.Errorf("%s of %s was frozen after %v", i.ID, service, sample.At)
				}
			}
		}
	}
}

// checkEnd: an instance of basic scaling was told of its end before SIGTERM.
func checkEnd(t *testing.T, s *platform.Server) {
	t.Helper()
	log := s.OK("logs", "basic", "--tail", "500").Stdout
	asked, terminated := strings.Index(log, "asked for /_ah/stop"), strings.Index(log, "terminated")
	if asked < 0 || terminated < asked || !strings.Contains(log, "GET /_ah/stop: 200") {
		t.Errorf("the log does not show /_ah/stop before the end:\n%s", platform.Tail(log, 2000))
	}
}

func (w *observer) draw(t *testing.T) {
	path := os.Getenv("SUNYA_TIMELINE")
	if path == "" {
		return
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = timeline.Draw(f, []timeline.Lane{
		{Title: "automatic: min_instances 1, max_instances 3, max_concurrent_requests 2", Samples: w.lanes["default"]},
		{Title: "basic: max_instances 2, idle_timeout 3s", Samples: w.lanes["basic"]},
		{Title: "manual: instances 2", Samples: w.lanes["manual"]},
	}, w.marks)
	if err != nil {
		t.Error(err)
	}
}

// stopAndStart: a stopped version has no instances and answers 503 under its
// hosts; started, it serves as before.
func stopAndStart(t *testing.T, s *platform.Server, w *observer, host string) {
	id := strings.TrimSpace(s.OK("app", "versions", "list", "-s", "manual", "--format", "value(id)").Stdout)
	s.OK("app", "versions", "stop", id, "--service", "manual")
	w.want(t, "manual", 0)
	for _, h := range []string{host, id + "-dot-" + host} {
		if code, body, err := s.Try(h, "/"); code != http.StatusServiceUnavailable || !strings.Contains(body, "stopped") {
			t.Errorf("%s answers %d %v %s, want 503", h, code, err, body)
		}
	}
	s.Kill()
	s.Up()
	if n := w.states("manual"); len(n) > 0 {
		t.Errorf("after a restart the stopped version has %v", n)
	}
	s.OK("app", "versions", "start", id, "--service", "manual")
	w.want(t, "manual", 2)
	s.Get(host, "/")
	all := statusOf(s)
	i := slices.IndexFunc(all, func(i platform.Instance) bool { return strings.Contains(i.Revision, "/services/manual/") })
	s.OK("app", "instances", "delete", all[i].ID, "--service", "manual", "--version", id)
	if slices.ContainsFunc(statusOf(s), func(o platform.Instance) bool { return o.ID == all[i].ID && o.State != "draining" }) {
		t.Errorf("%s was deleted and serves", all[i].ID)
	}
	w.want(t, "manual", 2)
}

// refusedStart: an instance that refuses /_ah/start does not serve, and the
// deploy says so.
func refusedStart(t *testing.T, s *platform.Server) {
	dir := platform.Lifecycle(t, "service: basic\nbasic_scaling: {max_instances: 1}\nenv_variables: {STATUS__AH_START: '500'}\n")
	r := s.CLI("app", "deploy", dir)
	if r.Code != 7 || !strings.Contains(r.Stderr, "GET /_ah/start answered 500") {
		t.Errorf("exit %d, stderr %s", r.Code, platform.Tail(r.Stderr, 1000))
	}
	dir = platform.Lifecycle(t, "service: basic\nbasic_scaling: {max_instances: 1}\nenv_variables: {STATUS__AH_START: '404'}\n")
	s.Get(s.Deploy(dir), "/")
}
