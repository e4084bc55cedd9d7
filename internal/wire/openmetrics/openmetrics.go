// Package openmetrics serves the metrics in the text formats that Prometheus and
// its kind read.
package openmetrics

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/metrics"
)

// Path is where scrapers look by default.
const Path = "/metrics"

// Source is what is shown.
type Source interface {
	Snapshot() []metrics.Revision
	Stages() []metrics.StageTimes
}

// Handler serves the metrics of src, the lag of subscriptions, the numbers of
// triggers and those of the process itself. It answers in what the client accepts: the text format, or
// OpenMetrics.
func Handler(src Source, lag Backlogs, events Triggers, version string, log *slog.Logger) http.Handler {
	reg := prometheus.NewRegistry()
	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sunya_build_info", Help: "Always 1; the label says which Sunya this is.",
		ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	reg.MustRegister(revisions{src}, stages{src}, backlogs{lag, time.Now}, triggers{events}, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true,
	})
}

// subject are the labels of a revision.
var subject = []string{"project", "product", "location", "service", "revision"}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sunya_"+name, help, append(subject[:len(subject):len(subject)], labels...), nil)
}

// The series; docs/metrics.md describes them.
var (
	requests      = desc("requests_total", "Requests that are over, by the class of their status.", "class")
	latency       = desc("request_duration_seconds", "From the first byte of a request to the last of its response.")
	wait          = desc("request_wait_seconds", "How long requests waited for a slot in an instance, those that did.")
	shed          = desc("requests_shed_total", "Requests that were turned away because no instance could take them.")
	inFlight      = desc("requests_in_flight", "Requests that instances are working on.")
	waiting       = desc("requests_waiting", "Requests that wait for a slot in an instance.")
	received      = desc("request_received_bytes_total", "Bytes of the bodies of requests.")
	sent          = desc("request_sent_bytes_total", "Bytes of the bodies of responses.")
	instances     = desc("instances", "Instances, by state.", "state")
	starts        = desc("instance_starts_total", "Instances that became ready.")
	startFailures = desc("instance_start_failures_total", "Instances that did not become ready.")
	ends          = desc("instance_ends_total", "Instances that were ready once and have ended.")
	coldStart     = desc("cold_start_duration_seconds", "From the decision to start an instance until it is ready, where a request waited for it.")
	thaw          = desc("thaw_duration_seconds", "How long it took to let a frozen instance go on for a request.")
)

// revisions collects what there is to say about revisions.
type revisions struct{ src Source }

// Describe implements prometheus.Collector.
func (revisions) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requests, latency, wait, shed, inFlight, waiting, received, sent,
		instances, starts, startFailures, ends, coldStart, thaw,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c revisions) Collect(ch chan<- prometheus.Metric) {
	all := c.src.Snapshot()
	for i := range all {
		collect(ch, &all[i])
	}
}

// The labels of the classes and states, in the order in which they are shown.
var (
	classes = [metrics.Classes]string{"1xx", "2xx", "3xx", "4xx", "5xx"}
	states  = []sunya.InstanceState{sunya.InstanceStarting, sunya.InstanceReady, sunya.InstanceFrozen, sunya.InstanceDraining}
)

func collect(ch chan<- prometheus.Metric, r *metrics.Revision) {
	labels := func(more ...string) []string {
		return append([]string{r.Project, r.Product, r.Location, r.Service, r.Revision}, more...)
	}
	one := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, more ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels(more...)...)
	}
	counter := func(d *prometheus.Desc, v int64, more ...string) {
		one(d, prometheus.CounterValue, float64(v), more...)
	}
	histogram := func(d *prometheus.Desc, v *metrics.Distribution) {
		if v.Count() == 0 {
			return // most revisions never wait, start or thaw within the hour
		}
		ch <- prometheus.MustNewConstHistogram(d, uint64(v.Count()), v.Sum.Seconds(), buckets(v), labels()...)
	}
	for i, n := range r.Requests {
		if n > 0 {
			counter(requests, n, classes[i])
		}
	}
	histogram(latency, &r.Latency)
	histogram(wait, &r.Waited)
	histogram(coldStart, &r.Cold)
	histogram(thaw, &r.Thaw)
	counter(shed, r.Shed)
	counter(received, r.Received)
	counter(sent, r.Sent)
	counter(starts, r.Starts)
	counter(startFailures, r.Failures)
	counter(ends, r.Ends)
	one(inFlight, prometheus.GaugeValue, float64(r.InFlight))
	one(waiting, prometheus.GaugeValue, float64(r.Waiting))
	for _, s := range states {
		one(instances, prometheus.GaugeValue, float64(r.Instances[s]), string(s))
	}
}

// buckets are the cumulative counts by upper bound in seconds. Every second
// bucket is shown, which are factors of two.
func buckets(d *metrics.Distribution) map[float64]uint64 {
	out := make(map[float64]uint64, metrics.Buckets/2)
	var n int64
	for i, c := range d.Counts[:metrics.Buckets-1] {
		n += c
		if i%2 == 0 {
			out[metrics.Bound(i).Seconds()] = uint64(n)
		}
	}
	return out
}

// stage is of the server as a whole.
var stage = prometheus.NewDesc("sunya_stage_duration_seconds",
	"How long the stages of deployments and builds took, by what became of them.", []string{"work", "stage", "state"}, nil)

// stages collects the stages of deployments and builds.
type stages struct{ src Source }

// Describe implements prometheus.Collector.
func (stages) Describe(ch chan<- *prometheus.Desc) { ch <- stage }

// Collect implements prometheus.Collector.
func (c stages) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.src.Stages() {
		ch <- prometheus.MustNewConstHistogram(stage, uint64(s.Count()), s.Sum.Seconds(), buckets(&s.Distribution), s.Work, s.Name, s.State)
	}
}
