//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const counted = `import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(int(self.path[1:]))
        if self.path != "/204":
            self.send_header("Content-Length", "10")
        self.end_headers()
        if self.path != "/204":
            self.wfile.write(b"0123456789")

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`

// used is a row of sunya usage.
type used struct {
	Requests, InstanceStarts                       int64
	ReceivedBytes, SentBytes                       int64
	InstanceSeconds, VCPUSeconds, MemoryGiBSeconds float64
}

func usageOf(t *testing.T, s *platform.Server, service string) used {
	t.Helper()
	var rows []used
	r := s.OK("usage", "--service", service, "--since", "1h", "--json")
	if err := json.Unmarshal([]byte(r.Stdout), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%s: %v", r.Stdout, err)
	}
	return rows[0]
}

// TestUsage makes requests and finds exactly them in /metrics, in sunya metrics
// and in sunya usage, there also after the server was killed.
func TestUsage(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	deploy := func(service string) (host string) {
		return s.Deploy(platform.Files(t, map[string]string{
			"app.yaml": "runtime: python311\nentrypoint: python3 main.py\nservice: " + service + "\n",
			"main.py":  counted,
		}))
	}
	deploy("default") // the first of an app
	host := deploy("counted")
	for _, i := range s.Instances() { // of the deployment, so that the first request meets none
		name := strings.Split(i.Revision, "/")
		s.OK("app", "instances", "delete", i.ID, "--service", name[3], "--version", name[5])
	}
	before := usageOf(t, s, "counted")
	for _, c := range []struct{ status, times int }{{200, 40}, {204, 3}, {404, 5}, {500, 2}} {
		for range c.times {
			if code, _, err := s.Try(host, fmt.Sprint("/", c.status)); code != c.status || err != nil {
				t.Fatalf("%d %v, want %d", code, err, c.status)
			}
		}
	}
	req, _ := http.NewRequest(http.MethodPost, s.URL()+"/201", strings.NewReader(strings.Repeat("x", 1000)))
	req.Host = host
	resp, err := platform.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	const requests, sent = 51, 48 * 10 // a 204 has no body
	const stages = 2 * 3               // of each deployment: building, starting, routing

	t.Run("metrics", func(t *testing.T) {
		s := s.For(t)
		families := scrape(t, s)
		for class, want := range map[string]float64{"2xx": 44, "4xx": 5, "5xx": 2} {
			if got := sum(families["sunya_requests_total"], "class", class); got != want {
				t.Errorf("%v requests of class %s, want %v", got, class, want)
			}
		}
		for name, want := range map[string]float64{
			"sunya_request_received_bytes_total": 1000, "sunya_request_sent_bytes_total": sent,
			"sunya_request_duration_seconds": requests, "sunya_cold_start_duration_seconds": 1,
			"sunya_instances": 1, "sunya_stage_duration_seconds": stages, "sunya_requests_in_flight": 0, "sunya_requests_waiting": 0,
		} {
			if got := sum(families[name], "", ""); got != want {
				t.Errorf("%s = %v, want %v", name, got, want)
			}
		}
	})
	t.Run("the past", func(t *testing.T) {
		s := s.For(t)
		s.Eventually(30*time.Second, "the requests are in the past", func() error {
			var m struct {
				Total struct{ Requests map[string]int64 }
			}
			if err := json.Unmarshal([]byte(s.OK("metrics", "counted", "--json").Stdout), &m); err != nil {
				return err
			}
			if got := m.Total.Requests; got["2xx"] != 44 || got["4xx"] != 5 || got["5xx"] != 2 {
				return fmt.Errorf("requests %v", got)
			}
			return nil
		})
		if out := s.OK("metrics", "counted").Stdout; !strings.Contains(out, "cold starts") || !strings.Contains(out, "█") {
			t.Errorf("sunya metrics: %s", out)
		}
	})
	settled(t, s)
	s.Kill()
	s.Up()
	after := usageOf(t, s, "counted")
	if got := after.Requests - before.Requests; got != requests {
		t.Errorf("%d requests after a kill, want %d", got, requests)
	}
	if after.InstanceStarts-before.InstanceStarts != 1 || after.ReceivedBytes-before.ReceivedBytes != 1000 || after.SentBytes-before.SentBytes != sent {
		t.Errorf("used %+v, before %+v", after, before)
	}
	billed := after.InstanceSeconds - before.InstanceSeconds
	if billed < 0.1 || billed > 60 || after.MemoryGiBSeconds <= before.MemoryGiBSeconds || after.VCPUSeconds <= before.VCPUSeconds {
		t.Errorf("used %+v, before %+v", after, before)
	}
	s.OK("app", "services", "delete", "counted", "--quiet")
	if gone := usageOf(t, s, "counted"); gone.Requests != after.Requests {
		t.Errorf("%d requests after the service was deleted, want %d", gone.Requests, after.Requests)
	}
}

// settled waits until what was used is written down: the journal has not changed
// for longer than it takes to write.
func settled(t *testing.T, s *platform.Server) {
	s.Eventually(30*time.Second, "usage is written down", func() error {
		journals, err := filepath.Glob(filepath.Join(s.Data, "usage", "*.journal"))
		if err != nil || len(journals) != 1 {
			return fmt.Errorf("journals %v, %v", journals, err)
		}
		info, err := os.Stat(journals[0])
		if err != nil {
			return err
		}
		if age := time.Since(info.ModTime()); age < 2*time.Second {
			return fmt.Errorf("written %v ago", age)
		}
		return nil
	})
}

func scrape(t *testing.T, s *platform.Server) map[string]*dto.MetricFamily {
	t.Helper()
	resp, err := platform.Client.Get(s.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("scrape: %s %v", resp.Status, err)
	}
	return families
}

// sum adds up the series of a family with a label; of histograms their counts.
func sum(f *dto.MetricFamily, label, value string) (total float64) {
	for _, m := range f.GetMetric() {
		match := label == ""
		for _, l := range m.GetLabel() {
			match = match || l.GetName() == label && l.GetValue() == value
		}
		if match {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return total
}
