package openmetrics

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/metrics"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

type lag struct {
	list []pubsub.Backlog
	err  error
}

func (l lag) Backlogs(context.Context) ([]pubsub.Backlog, error) { return l.list, l.err }

func TestBacklogs(t *testing.T) {
	show := func(l lag) string {
		w := httptest.NewRecorder()
		Handler(metrics.New(time.Now), l, noTriggers{}, "v1", slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", Path, nil))
		return w.Body.String()
	}
	got := show(lag{list: []pubsub.Backlog{
		{Subscription: "projects/p/subscriptions/a", Topic: "projects/p/topics/t", Messages: 7, Oldest: time.Now().Add(-time.Hour)},
		{Subscription: "projects/p/subscriptions/b", Topic: "projects/p/topics/t"},
	}})
	for _, want := range []string{
		`sunya_pubsub_backlog_messages{subscription="projects/p/subscriptions/a",topic="projects/p/topics/t"} 7`,
		`sunya_pubsub_oldest_unacked_age_seconds{subscription="projects/p/subscriptions/a",topic="projects/p/topics/t"} 3600.`,
		`sunya_pubsub_oldest_unacked_age_seconds{subscription="projects/p/subscriptions/b",topic="projects/p/topics/t"} 0`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	// What cannot be told keeps nothing else from being told.
	if got := show(lag{err: errors.New("disk")}); !strings.Contains(got, "sunya_build_info") {
		t.Error(got)
	}
}
