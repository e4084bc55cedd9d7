package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

// metricsOptions are the flags of metrics.
type metricsOptions struct {
	service string
	since   string
	svg     string
}

// metricsAnswer is that of GET /sunya/v1/metrics.
type metricsAnswer struct {
	StepSeconds float64       `json:"stepSeconds"`
	Total       metricsStep   `json:"total"`
	Steps       []metricsStep `json:"steps"`
}

type metricsStep struct {
	Time      time.Time        `json:"time"`
	Requests  map[string]int64 `json:"requests"`
	Latency   metricsSpread    `json:"latency"`
	Waited    metricsSpread    `json:"waited"`
	Shed      int64            `json:"shed"`
	Received  int64            `json:"receivedBytes"`
	Sent      int64            `json:"sentBytes"`
	Starts    int64            `json:"instanceStarts"`
	Failures  int64            `json:"instanceStartFailures"`
	ColdStart metricsSpread    `json:"coldStart"`
	Thaw      metricsSpread    `json:"thaw"`
	InFlight  int              `json:"inFlight"`
	Waiting   int              `json:"waiting"`
	Instances map[string]int   `json:"instances"`
}

type metricsSpread struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
}

func newMetricsCommand(env *Env) *cobra.Command {
	var o metricsOptions
	cmd := &cobra.Command{
		Use:     "metrics [NAME]",
		Short:   "Draw the last hours of a service, or of all: requests, latency, instances.",
		Args:    args(0, 1, "the name of a service"),
		Example: "sunya metrics hello\nsunya metrics --since 24h --svg day.svg",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.service = args[0]
			}
			return showMetrics(cmd.Context(), env, o)
		},
	}
	cmd.Flags().StringVar(&o.since, "since", "1h", "from then on: a duration or an RFC 3339 time; 24 h are kept, the last one in steps of 10 s, the others of a minute")
	cmd.Flags().StringVar(&o.svg, "svg", "", "file to draw the charts in")
	return cmd
}

func showMetrics(ctx context.Context, env *Env, o metricsOptions) error {
	now := env.Now()
	since, err := moment("--since", o.since, now)
	if err != nil {
		return err
	}
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	q := url.Values{
		"project": {c.project}, "service": {o.service}, "since": {since.UTC().Format(time.RFC3339)},
		"step": {(now.Sub(since) / (2 * chartWidth)).Round(time.Second).String()},
	}
	var m metricsAnswer
	if err := c.get(ctx, "/sunya/v1/metrics?"+q.Encode(), &m); err != nil {
		return err
	}
	title := cmp.Or(o.service, "all services of "+c.project) + ", since " + since.Local().Format("2006-01-02 15:04")
	if o.svg != "" {
		if err := os.WriteFile(env.path(o.svg), metricsPicture(title, &m), 0o644); err != nil {
			return usagef("--svg: %v", err)
		}
	}
	if env.output().kind != "table" {
		return printOne(env, &m)
	}
	return printMetrics(env, title, &m)
}

func printMetrics(env *Env, title string, m *metricsAnswer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", printable(title))
	b.Write(layout(metricsSummary(&m.Total), 0))
	width := chartWidth
	if env.StdoutTTY && env.Width > 0 {
		width = min(env.Width, 2*chartWidth)
	}
	for _, c := range metricsCharts(m) {
		b.WriteString("\n")
		c.write(&b, width)
	}
	return write(env.Stdout, []byte(b.String()))
}

func metricsSummary(t *metricsStep) [][]string {
	var requests int64
	var classes []string
	for _, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx"} {
		if n := t.Requests[class]; n > 0 {
			requests += n
			classes = append(classes, fmt.Sprintf("%s %d", class, n))
		}
	}
	return [][]string{
		{"requests", fmt.Sprint(requests), strings.Join(classes, ", ")},
		{"latency", spreadOf(&t.Latency), ""},
		{"waited for a slot", fmt.Sprint(t.Waited.Count), spreadOf(&t.Waited)},
		{"turned away", fmt.Sprint(t.Shed), ""},
		{"cold starts", fmt.Sprint(t.ColdStart.Count), spreadOf(&t.ColdStart)},
		{"thaws", fmt.Sprint(t.Thaw.Count), spreadOf(&t.Thaw)},
		{"starts that failed", fmt.Sprint(t.Failures), ""},
		{"bytes", sunya.Bytes(t.Received).String() + " in", sunya.Bytes(t.Sent).String() + " out"},
	}
}

func spreadOf(s *metricsSpread) string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("p50 %s, p95 %s, p99 %s", brief(s.P50), brief(s.P95), brief(s.P99))
}

// brief is a number of seconds with three digits or so.
func brief(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

func metricsCharts(m *metricsAnswer) []chart {
	series := func(f func(*metricsStep) float64) (out []float64, most float64) {
		for i := range m.Steps {
			v := f(&m.Steps[i])
			out, most = append(out, v), max(most, v)
		}
		return out, most
	}
	requests, peak := series(func(s *metricsStep) float64 {
		var n int64
		for _, k := range s.Requests {
			n += k
		}
		return float64(n) / m.StepSeconds
	})
	failed, _ := series(func(s *metricsStep) float64 { return float64(s.Requests["4xx"]+s.Requests["5xx"]) / m.StepSeconds })
	p95, slowest := series(func(s *metricsStep) float64 { return s.Latency.P95 })
	p50, _ := series(func(s *metricsStep) float64 { return s.Latency.P50 })
	running, most := series(func(s *metricsStep) float64 {
		return float64(s.Instances["ready"] + s.Instances["starting"] + s.Instances["draining"])
	})
	frozen, mostFrozen := series(func(s *metricsStep) float64 { return float64(s.Instances["frozen"]) })
	waiting, queue := series(func(s *metricsStep) float64 { return float64(s.Waiting) })
	cold, colds := series(func(s *metricsStep) float64 { return float64(s.ColdStart.Count) })
	return []chart{
		{"requests a second (dots: 4xx and 5xx)", fmt.Sprintf("%.3g", peak), requests, failed},
		{"latency, 95th percentile (dots: median)", brief(slowest), p95, p50},
		{"instances that run (dots: frozen)", fmt.Sprintf("%g, %g frozen", most, mostFrozen), running, frozen},
		{"requests that wait (dots: cold starts)", fmt.Sprintf("%g, %g cold starts", queue, colds), waiting, cold},
	}
}
