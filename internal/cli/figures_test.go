package cli

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const usageAnswer = `{"rows":[
	{"project":"sunya","product":"run","location":"local","service":"hello","requests":12345,"instanceStarts":3,
	 "instanceSeconds":4507.4,"vcpuSeconds":4507.4,"memoryGibSeconds":2253.7,"vcpuSecondsUsed":12.5,"receivedBytes":2048,"sentBytes":5242880},
	{"project":"sunya","product":"appengine","service":"default","requests":1}]}`

const metricsAnswerText = `{"stepSeconds":10,"total":{"requests":{"2xx":90,"5xx":3},"latency":{"count":93,"p50":0.0123,"p95":0.25,"p99":1.2},"coldStart":{"count":1,"p50":0.4,"p95":0.4,"p99":0.4}},
	"steps":[
	{"requests":{"2xx":30},"latency":{"count":30,"p50":0.01,"p95":0.02},"instances":{"ready":1},"waiting":2,"coldStart":{"count":1}},
	{"requests":{"2xx":60,"5xx":3},"latency":{"count":63,"p50":0.02,"p95":0.3},"instances":{"ready":2}},
	{"requests":{},"instances":{"frozen":2}}]}`

// withFigures is a fake that answers with figures, and notes how it was asked.
func withFigures(t *testing.T) *fake {
	f := newFake(t)
	for path, answer := range map[string]string{"usage": usageAnswer, "metrics": metricsAnswerText} {
		f.mux.HandleFunc("GET /sunya/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.asked = append(f.asked, r.URL.RawQuery)
			_, _ = w.Write([]byte(answer))
		})
	}
	return f
}

func TestUsageIsShown(t *testing.T) {
	f := withFigures(t)
	r := execute(t, f, "usage", "--service", "hello", "--since", "7d").expect(t, exitOK)
	golden(t, "table_usage", r.stdout.String())
	if q := f.asked[0]; !strings.Contains(q, "by=service") || !strings.Contains(q, "project=sunya") || !strings.Contains(q, "service=hello") || !strings.Contains(q, "%3A00%3A00Z") {
		t.Errorf("asked %s", q)
	}
	r = execute(t, f, "usage", "--format", "value(service,requests)").expect(t, exitOK)
	if got := r.stdout.String(); got != "hello\t12345\ndefault\t1\n" {
		t.Errorf("stdout %q", got)
	}
	for _, line := range []string{"usage --by moon", "usage --since soon", "usage --until soon"} {
		execute(t, f, strings.Fields(line)...).expect(t, exitUsage)
	}
}

func TestMetricsAreDrawn(t *testing.T) {
	f := withFigures(t)
	picture := filepath.Join(t.TempDir(), "day.svg")
	r := execute(t, f, "metrics", "hello", "--svg", picture).expect(t, exitOK)
	_, charts, _ := strings.Cut(r.stdout.String(), "\n") // the first line has a time
	golden(t, "metrics", charts)
	if svg, err := os.ReadFile(picture); err != nil || !strings.HasPrefix(string(svg), "<svg") || strings.Count(string(svg), "<polyline") != 8 {
		t.Errorf("picture %.60q, error %v", svg, err)
	}
	execute(t, f, "metrics", "--since", "soon").expect(t, exitUsage)
	r = execute(t, f, "metrics", "--json").expect(t, exitOK)
	if !strings.Contains(r.stdout.String(), `"stepSeconds": 10`) {
		t.Errorf("stdout %s", r.stdout.String())
	}
}
