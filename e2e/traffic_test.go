//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// warmYAML lets one instance of a version take all that these tests send.
const warmYAML = "inbound_services: [warmup]\nautomatic_scaling: {max_instances: 1, max_concurrent_requests: 100}\n"

// client is somebody with an address and cookies of his own.
type client struct {
	s      *platform.Server
	host   string
	ip     string
	cookie string
}

// ask returns the version that answered, and keeps the cookie that came.
func (c *client) ask(t testing.TB) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.s.URL()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = c.host
	if c.ip != "" {
		req.Header.Set("X-Forwarded-For", c.ip)
	}
	if c.cookie != "" {
		req.Header.Set("Cookie", "GOOGAPPUID="+c.cookie)
	}
	resp, err := platform.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %v: %s", resp.Status, err, platform.Tail(string(body), 300))
	}
	for _, k := range resp.Cookies() {
		if k.Name == "GOOGAPPUID" {
			c.cookie = k.Value
		}
	}
	version, _, _ := strings.Cut(string(body), " ")
	return version
}

// TestTraffic splits, migrates, stops and starts versions of one app.
func TestTraffic(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--trusted-proxy", "127.0.0.1/32")
	dir := platform.Lifecycle(t, warmYAML)
	host := s.Deploy(dir, "--version", "v1")
	s.Deploy(dir, "--version", "v2", "--no-promote")
	t.Run("random", func(t *testing.T) { splitAtRandom(t, s.For(t), host) })
	t.Run("cookie", func(t *testing.T) { splitByCookie(t, s.For(t), host) })
	t.Run("ip", func(t *testing.T) { splitByIP(t, s.For(t), host) })
	t.Run("migrate", func(t *testing.T) { migrateUnderLoad(t, s.For(t), host) })
	t.Run("migrate through a kill", func(t *testing.T) { migrateThroughAKill(t, s.For(t), host) })
	t.Run("change under load", func(t *testing.T) { changeUnderLoad(t, s.For(t), host) })
	t.Run("refusals", func(t *testing.T) { refuseTraffic(t, s.For(t)) })
}

// splitAtRandom: 10,000 requests are within 1 % of the split. With a share of
// 5 % that is more than four standard deviations.
func splitAtRandom(t *testing.T, s *platform.Server, host string) {
	s.OK("app", "services", "set-traffic", "default", "--splits", "v1=.95,v2=.05", "--split-by", "random")
	const n, workers = 10_000, 20
	var mu sync.Mutex
	count := map[string]int{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			c := &client{s: s, host: host}
			for range n / workers {
				v := c.ask(t)
				mu.Lock()
				count[v]++
				mu.Unlock()
			}
			if c.cookie != "" {
				t.Error("a random split set a cookie")
			}
		})
	}
	wg.Wait()
	if off := math.Abs(float64(count["v2"])/n - 0.05); off > 0.01 || count["v1"]+count["v2"] != n {
		t.Errorf("requests by version: %v, want 5 %% of %d to v2", count, n)
	}
	t.Logf("%d requests at 95 %% to 5 %%: %v", n, count)
}

// splitByCookie: who has a cookie stays, and when the split changes only those
// move whose version has to give them away.
func splitByCookie(t *testing.T, s *platform.Server, host string) {
	s.OK("app", "services", "set-traffic", "default", "--splits", "v1=.5,v2=.5", "--split-by", "cookie")
	clients := make([]*client, 200)
	first := map[*client]string{}
	count := map[string]int{}
	for i := range clients {
		c := &client{s: s, host: host}
		clients[i] = c
		first[c] = c.ask(t)
		count[first[c]]++
		if c.cookie == "" {
			t.Fatal("no cookie came with the first answer")
		}
		if again := c.ask(t); again != first[c] {
			t.Errorf("cookie %s went from %s to %s", c.cookie, first[c], again)
		}
	}
	if count["v1"] < 65 || count["v2"] < 65 { // five standard deviations
		t.Errorf("new clients by version: %v", count)
	}
	s.OK("app", "services", "set-traffic", "default", "--splits", "v1=.7,v2=.3", "--split-by", "cookie")
	moved := 0
	for _, c := range clients {
		now := c.ask(t)
		if now != first[c] {
			moved++
		}
		if first[c] == "v1" && now != "v1" {
			t.Errorf("cookie %s was taken from a version that grew", c.cookie)
		}
	}
	if moved < 10 || moved > 80 { // 40 are expected
		t.Errorf("%d of 200 clients moved, want about a fifth", moved)
	}
}

// splitByIP: an address stays with its version.
func splitByIP(t *testing.T, s *platform.Server, host string) {
	s.OK("app", "services", "set-traffic", "default", "--splits", "v1=.5,v2=.5", "--split-by", "ip")
	count := map[string]int{}
	for i := range 250 {
		c := &client{s: s, host: host, ip: fmt.Sprintf("192.0.2.%d", i+1)}
		v := c.ask(t)
		count[v]++
		if again := c.ask(t); again != v {
			t.Errorf("%s went from %s to %s", c.ip, v, again)
		}
		if c.cookie != "" {
			t.Error("a split by address set a cookie")
		}
	}
	if count["v1"] < 85 || count["v2"] < 85 { // five standard deviations
		t.Errorf("addresses by version: %v", count)
	}
}

// shares reads the split of the default service.
func shares(s *platform.Server) map[string]float64 {
	var svc struct {
		Split struct{ Allocations map[string]float64 }
	}
	out := s.OK("app", "services", "describe", "default", "--json").Stdout
	if err := json.Unmarshal([]byte(out), &svc); err != nil {
		return nil
	}
	return svc.Split.Allocations
}

// migrateUnderLoad moves all traffic by and by; no request is lost, and the
// receiving version was warmed up.
func migrateUnderLoad(t *testing.T, s *platform.Server, host string) {
	s.OK("app", "services", "set-traffic", "default", "--splits", "v1=1")
	for _, i := range s.Instances() { // so that the migration has to start one
		if strings.Contains(i.Revision, "/versions/v2/") {
			s.OK("app", "instances", "delete", i.ID, "--version", "v2")
		}
	}
	h := startHammer(s, host, "/", 10, 1<<40)
	done := make(chan platform.Result, 1)
	go func() { done <- s.CLI("app", "versions", "migrate", "v2") }()
	between := 0
	s.Eventually(30*time.Second, "the migration is done", func() error {
		if part := shares(s)["v2"]; part > 0 && part < 1 {
			between++
		}
		select {
		case r := <-done:
			if r.Code != 0 {
				t.Fatalf("migrate: exit %d, %s", r.Code, r.Stderr)
			}
			return nil
		default:
			return fmt.Errorf("%v", shares(s))
		}
	})
	h.stop()
	if h.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed, first: %v", h.failed.Load(), h.sent.Load(), platform.Tail(h.first.Error(), 1000))
	}
	if got := shares(s); got["v2"] != 1 || len(got) != 1 || between == 0 {
		t.Errorf("split = %v, %d times seen in between", got, between)
	}
	if calls := s.Get("v2-dot-"+host, "/calls"); !strings.Contains(calls, `["/_ah/warmup", "v2-dot-default-dot-sunya.localhost", "0.1.0.3"]`) {
		t.Errorf("calls = %s", calls)
	}
	t.Logf("%d requests through a migration", h.sent.Load())
}

// migrateThroughAKill: the next server goes on with it.
func migrateThroughAKill(t *testing.T, s *platform.Server, host string) {
	done := make(chan platform.Result, 1)
	go func() { done <- s.CLI("app", "versions", "migrate", "v1") }()
	s.Eventually(20*time.Second, "a part has moved", func() error {
		if part := shares(s)["v1"]; part < 0.1 || part == 1 {
			return fmt.Errorf("v1 has %v", part)
		}
		return nil
	})
	s.Kill()
	s.Up()
	if r := <-done; r.Code != 0 {
		t.Errorf("the command that waited: exit %d, %s", r.Code, r.Stderr)
	}
	if got := shares(s); got["v1"] != 1 {
		t.Errorf("split = %v, want all to v1", got)
	}
	if c := (&client{s: s, host: host}); c.ask(t) != "v1" {
		t.Error("v1 has all traffic, and another version answered")
	}
	if out := s.OK("app", "operations", "list", "--pending", "--format", "value(name)").Stdout; out != "" {
		t.Errorf("pending operations: %s", out)
	}
}

// changeUnderLoad gives the serving version another class through the API; it
// is started and proved before it takes over, and no request is lost.
func changeUnderLoad(t *testing.T, s *platform.Server, host string) {
	h := startHammer(s, host, "/", 10, 1<<40)
	for _, class := range []string{"F2", "F4", "F1"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch,
			s.URL()+"/v1/apps/sunya/services/default/versions/v1?updateMask=instanceClass", strings.NewReader(`{"instanceClass":"`+class+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := platform.Client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var op struct{ Name string }
		err = json.NewDecoder(resp.Body).Decode(&op)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %v", resp.Status, err)
		}
		s.OK("app", "operations", "wait", op.Name)
		if got := strings.TrimSpace(s.OK("app", "versions", "describe", "v1", "--format", "value(instanceClass)").Stdout); got != class {
			t.Errorf("instance class = %s, want %s", got, class)
		}
	}
	h.stop()
	if h.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed, first: %v", h.failed.Load(), h.sent.Load(), platform.Tail(h.first.Error(), 1000))
	}
	t.Logf("%d requests through 3 changes", h.sent.Load())
}

func refuseTraffic(t *testing.T, s *platform.Server) {
	s.Deploy(platform.Lifecycle(t, ""), "--version", "cold", "--no-promote")
	for _, tt := range []struct{ line, want string }{
		{"services set-traffic default --splits v9=1", "does not exist"},
		{"services set-traffic default --splits cold=1 --migrate", "warm-up requests are not enabled"},
		{"versions delete v1 --yes", "serves traffic"},
		{"versions stop v1", "only versions with basic or manual scaling"},
		{"services delete default --yes", "default service"},
		{"services update default --ingress internal-only", "only all traffic"},
		{"instances delete nobody -v v1", "instance not found"},
	} {
		r := s.CLI(append([]string{"app"}, strings.Fields(tt.line)...)...)
		if r.Code == 0 || !strings.Contains(r.Stderr, tt.want) {
			t.Errorf("sunya app %s: exit %d, %s, want %q", tt.line, r.Code, r.Stderr, tt.want)
		}
	}
}
