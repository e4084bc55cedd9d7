package sunyav1

import (
	"net/http"
	"net/url"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/meter"
	"github.com/sunya-cloud/sunya/internal/core/metrics"
)

// Usage is the answer of GET /sunya/v1/usage. Its parameters are those of
// meter.Query: project, service, since, until, by.
type Usage struct {
	Rows []UsageRow `json:"rows"`
}

// UsageRow is one row. Fields of what was added up are left out.
type UsageRow struct {
	Time     *time.Time `json:"time,omitempty"` // by hour or day: its beginning
	Project  string     `json:"project,omitempty"`
	Product  string     `json:"product,omitempty"`
	Location string     `json:"location,omitempty"`
	Service  string     `json:"service,omitempty"`
	Revision string     `json:"revision,omitempty"`

	Requests         int64   `json:"requests"`
	InstanceStarts   int64   `json:"instanceStarts"`
	InstanceSeconds  float64 `json:"instanceSeconds"` // billable
	VCPUSeconds      float64 `json:"vcpuSeconds"`     // allocated
	MemoryGiBSeconds float64 `json:"memoryGibSeconds"`
	VCPUSecondsUsed  float64 `json:"vcpuSecondsUsed"` // really
	ReceivedBytes    int64   `json:"receivedBytes"`
	SentBytes        int64   `json:"sentBytes"`
}

func usage(r *http.Request, src Source) (*Usage, error) {
	v := r.URL.Query()
	q := meter.Query{Project: v.Get("project"), Service: v.Get("service"), By: meter.By(v.Get("by"))}
	var err error
	if q.Since, err = moment(v, "since"); err != nil {
		return nil, err
	}
	if q.Until, err = moment(v, "until"); err != nil {
		return nil, err
	}
	rows, err := src.Usage(r.Context(), q)
	if err != nil {
		return nil, err
	}
	out := &Usage{Rows: make([]UsageRow, len(rows))}
	for i := range rows {
		out.Rows[i] = usageRow(&rows[i])
	}
	return out, nil
}

func usageRow(r *meter.Row) UsageRow {
	out := UsageRow{
		Project: r.Project, Product: r.Product, Location: r.Location, Service: r.Service, Revision: r.Revision,
		Requests: r.Requests, InstanceStarts: r.Starts, ReceivedBytes: r.ReceivedBytes, SentBytes: r.SentBytes,
		InstanceSeconds: float64(r.InstanceMillis) / 1e3, VCPUSeconds: float64(r.CPUMicros) / 1e6,
		MemoryGiBSeconds: float64(r.MemoryMiBMillis) / 1024e3, VCPUSecondsUsed: float64(r.CPUUsedMicros) / 1e6,
	}
	if !r.Hour.IsZero() {
		out.Time = &r.Hour
	}
	return out
}

// moment reads a parameter that is a time; without it, it is zero.
func moment(v url.Values, name string) (time.Time, error) {
	text := v.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, sunya.Invalid(name, "%q is no time: write it as RFC 3339 does, 2006-01-02T15:04:05Z", text)
	}
	return t, nil
}

// Metrics is the answer of GET /sunya/v1/metrics. Its parameters are project and
// service (all without them), since (RFC 3339; an hour ago) and step, the
// shortest that a step shall be (a duration such as 30s).
type Metrics struct {
	StepSeconds float64       `json:"stepSeconds"`
	Total       MetricsStep   `json:"total"` // of all steps
	Steps       []MetricsStep `json:"steps"`
}

// MetricsStep is what happened in one step. Durations are seconds.
type MetricsStep struct {
	Time      time.Time        `json:"time"`     // its beginning
	Requests  map[string]int64 `json:"requests"` // by class: 2xx
	Latency   Spread           `json:"latency"`
	Waited    Spread           `json:"waited"` // for a slot, of those that waited
	Shed      int64            `json:"shed"`
	Received  int64            `json:"receivedBytes"`
	Sent      int64            `json:"sentBytes"`
	Starts    int64            `json:"instanceStarts"`
	Failures  int64            `json:"instanceStartFailures"`
	ColdStart Spread           `json:"coldStart"`
	Thaw      Spread           `json:"thaw"`

	// The most there were at once when it was looked at.
	InFlight  int            `json:"inFlight"`
	Waiting   int            `json:"waiting"`
	Instances map[string]int `json:"instances"` // by state
}

// Spread is how durations are spread.
type Spread struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
}

func spread(d *metrics.Distribution) (s Spread) {
	if s.Count = d.Count(); s.Count == 0 {
		return s
	}
	s.Mean = d.Sum.Seconds() / float64(s.Count)
	s.P50, s.P95, s.P99 = d.Quantile(0.5).Seconds(), d.Quantile(0.95).Seconds(), d.Quantile(0.99).Seconds()
	return s
}

func past(r *http.Request, src Source) (*Metrics, error) {
	v := r.URL.Query()
	since, err := moment(v, "since")
	if err != nil {
		return nil, err
	}
	if since.IsZero() {
		since = time.Now().Add(-time.Hour)
	}
	var step time.Duration
	if text := v.Get("step"); text != "" {
		if step, err = time.ParseDuration(text); err != nil || step < 0 {
			return nil, sunya.Invalid("step", "%q is no duration: write 30s or 5m", text)
		}
	}
	length, steps := src.Past(v.Get("project"), v.Get("service"), since, step)
	total := metrics.Sum(steps)
	out := &Metrics{StepSeconds: length.Seconds(), Total: metricsStep(&total), Steps: make([]MetricsStep, len(steps))}
	for i := range steps {
		out.Steps[i] = metricsStep(&steps[i])
	}
	return out, nil
}

// classes are the names of metrics' classes of statuses.
var classes = [metrics.Classes]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

func metricsStep(s *metrics.Step) MetricsStep {
	out := MetricsStep{
		Time: s.At, Requests: map[string]int64{}, Latency: spread(&s.Latency), Waited: spread(&s.Waited), Shed: s.Shed,
		Received: s.Received, Sent: s.Sent, Starts: s.Starts, Failures: s.Failures, ColdStart: spread(&s.Cold), Thaw: spread(&s.Thaw),
		InFlight: s.InFlight, Waiting: s.Waiting, Instances: map[string]int{
			string(sunya.InstanceStarting): s.States.Starting, string(sunya.InstanceReady): s.States.Ready,
			string(sunya.InstanceFrozen): s.States.Frozen, string(sunya.InstanceDraining): s.States.Draining,
		},
	}
	for i, n := range s.Requests {
		if n > 0 {
			out.Requests[classes[i]] = n
		}
	}
	return out
}
