package openmetrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Backlogs tells what subscriptions have not acknowledged.
type Backlogs interface {
	Backlogs(ctx context.Context) ([]pubsub.Backlog, error)
}

var (
	backlogMessages = prometheus.NewDesc("sunya_pubsub_backlog_messages",
		"Messages that a subscription has not acknowledged.", []string{"subscription", "topic"}, nil)
	backlogAge = prometheus.NewDesc("sunya_pubsub_oldest_unacked_age_seconds",
		"How long ago the oldest message was published that a subscription has not acknowledged; 0 without one.", []string{"subscription", "topic"}, nil)
)

// backlogs collects the lag of subscriptions.
type backlogs struct {
	src Backlogs
	now func() time.Time
}

// Describe implements prometheus.Collector.
func (backlogs) Describe(ch chan<- *prometheus.Desc) {
	ch <- backlogMessages
	ch <- backlogAge
}

// backlogPatience is how long a scrape waits for what the store says.
const backlogPatience = 5 * time.Second

// Collect implements prometheus.Collector.
func (c backlogs) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogPatience)
	defer cancel()
	list, err := c.src.Backlogs(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(backlogMessages, err)
		return
	}
	for i := range list {
		b, age := &list[i], time.Duration(0)
		if !b.Oldest.IsZero() {
			age = max(c.now().Sub(b.Oldest), 0)
		}
		ch <- prometheus.MustNewConstMetric(backlogMessages, prometheus.GaugeValue, float64(b.Messages), b.Subscription, b.Topic)
		ch <- prometheus.MustNewConstMetric(backlogAge, prometheus.GaugeValue, age.Seconds(), b.Subscription, b.Topic)
	}
}
