package openmetrics

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/core/metrics"
)

type noTriggers []eventing.Figures

// AllFigures implements Triggers.
func (f noTriggers) AllFigures(context.Context) []eventing.Figures { return f }

func TestTriggers(t *testing.T) {
	w := httptest.NewRecorder()
	Handler(metrics.New(time.Now), lag{}, noTriggers{{
		Trigger: "projects/p/locations/l/triggers/t", Deliveries: map[eventing.Outcome]int64{eventing.Drop: 2}, Backlog: 3, OldestAge: 1500 * time.Millisecond,
	}}, "v1", slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", Path, nil))
	for _, want := range []string{
		`sunya_trigger_deliveries_total{outcome="delivered",trigger="projects/p/locations/l/triggers/t"} 0`,
		`sunya_trigger_deliveries_total{outcome="dropped",trigger="projects/p/locations/l/triggers/t"} 2`,
		`sunya_trigger_backlog_events{trigger="projects/p/locations/l/triggers/t"} 3`,
		`sunya_trigger_oldest_undelivered_age_seconds{trigger="projects/p/locations/l/triggers/t"} 1.5`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("lacks %s", want)
		}
	}
}
