package openmetrics

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/metrics"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// scrape parses what the handler answers with Prometheus' own parser.
func scrape(t *testing.T, g *metrics.Registry) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(g, lag{}, noTriggers{}, "v1", slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", Path, nil))
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d %v", w.Code, err)
	}
	return families
}

type world struct{}

func (world) Instances() []sunya.Instance {
	return []sunya.Instance{{Revision: "apps/p/services/s/versions/v/d1", State: sunya.InstanceReady, InFlight: 3}}
}

func (world) Waiting() map[string]int { return map[string]int{"apps/p/services/s/versions/v/d1": 2} }

func TestScrape(t *testing.T) {
	g := metrics.New(time.Now)
	g.SetWorld(world{})
	rev := &sunya.Revision{Name: "apps/p/services/s/versions/v/d1", Service: "apps/p/services/s", Project: "p", Product: sunya.AppEngine}
	for _, latency := range []time.Duration{400 * time.Microsecond, time.Millisecond, 3 * time.Millisecond, time.Hour} {
		g.Observe(&served.Request{Revision: rev, Begin: time.Now(), Latency: latency, Status: 200, Sent: 5})
	}
	g.Born(rev, "i").Ready(time.Now(), 2*time.Second, true)
	for _, state := range []string{"done", "done", "failed"} {
		g.CountStage(metrics.Stage{Work: "build", Name: "building", State: state}, time.Minute)
	}
	families := scrape(t, g)
	if f := families["sunya_stage_duration_seconds"]; len(f.GetMetric()) != 2 || f.GetMetric()[0].GetHistogram().GetSampleCount() != 2 {
		t.Errorf("stages %v", f)
	}
	for name, want := range map[string]float64{
		"sunya_requests_total": 4, "sunya_request_sent_bytes_total": 20, "sunya_requests_in_flight": 3,
		"sunya_requests_waiting": 2, "sunya_instance_starts_total": 1, "sunya_build_info": 1,
	} {
		if got := value(families[name]); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	labels := map[string]string{}
	for _, l := range families["sunya_requests_total"].GetMetric()[0].GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	if labels["project"] != "p" || labels["service"] != "s" || labels["revision"] != "v/d1" || labels["class"] != "2xx" || labels["product"] != "appengine" {
		t.Errorf("labels %v", labels)
	}
	h := families["sunya_request_duration_seconds"].GetMetric()[0].GetHistogram()
	counts := map[float64]uint64{}
	for _, b := range h.GetBucket() {
		counts[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	if h.GetSampleCount() != 4 || counts[0.0005] != 1 || counts[0.001] != 2 || counts[0.004] != 3 || counts[65.536] != 3 {
		t.Errorf("histogram %v", h)
	}
	if cold := families["sunya_cold_start_duration_seconds"].GetMetric()[0].GetHistogram(); cold.GetSampleCount() != 1 || cold.GetSampleSum() != 2 {
		t.Errorf("cold starts %v", cold)
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "process_resident_memory_bytes"} {
		if families[name] == nil {
			t.Errorf("no %s", name)
		}
	}
}

func value(f *dto.MetricFamily) float64 {
	m := f.GetMetric()[0]
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func TestNamesKeepToTheRule(t *testing.T) {
	for name := range scrape(t, metrics.New(time.Now)) {
		if !strings.HasPrefix(name, "sunya_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is not of this server", name)
		}
	}
}

func BenchmarkScrape(b *testing.B) {
	g := metrics.New(time.Now)
	for i := range 100 {
		name := "projects/p/locations/l/services/s" + strings.Repeat("x", i)
		g.Observe(&served.Request{Revision: &sunya.Revision{Name: name + "/revisions/r", Service: name}, Begin: time.Now(), Status: 200})
	}
	h := Handler(g, lag{}, noTriggers{}, "v1", slog.New(slog.DiscardHandler))
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", Path, nil))
	}
}
