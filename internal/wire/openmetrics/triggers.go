package openmetrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sunya-cloud/sunya/internal/core/eventing"
)

// Triggers tells the numbers of triggers in use.
type Triggers interface {
	AllFigures(ctx context.Context) []eventing.Figures
}

var (
	triggerDeliveries = prometheus.NewDesc("sunya_trigger_deliveries_total",
		"Deliveries of a trigger's events, by what became of them.", []string{"trigger", "outcome"}, nil)
	triggerBacklog = prometheus.NewDesc("sunya_trigger_backlog_events",
		"Events that a trigger has not delivered.", []string{"trigger"}, nil)
	triggerAge = prometheus.NewDesc("sunya_trigger_oldest_undelivered_age_seconds",
		"How long ago the oldest event came that a trigger has not delivered; 0 without one.", []string{"trigger"}, nil)
)

// triggers collects the numbers of triggers: those that have delivered something
// since the server started.
type triggers struct{ src Triggers }

// Describe implements prometheus.Collector.
func (triggers) Describe(ch chan<- *prometheus.Desc) {
	ch <- triggerDeliveries
	ch <- triggerBacklog
	ch <- triggerAge
}

// Collect implements prometheus.Collector.
func (c triggers) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogPatience)
	defer cancel()
	for _, f := range c.src.AllFigures(ctx) {
		for _, o := range eventing.Outcomes {
			if n := f.Deliveries[o]; n > 0 || o == eventing.Delivered {
				ch <- prometheus.MustNewConstMetric(triggerDeliveries, prometheus.CounterValue, float64(n), f.Trigger, string(o))
			}
		}
		ch <- prometheus.MustNewConstMetric(triggerBacklog, prometheus.GaugeValue, float64(f.Backlog), f.Trigger)
		ch <- prometheus.MustNewConstMetric(triggerAge, prometheus.GaugeValue, f.OldestAge.Round(time.Millisecond).Seconds(), f.Trigger)
	}
}
