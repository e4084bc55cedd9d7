package sunyav1

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/health"
	"github.com/sunya-cloud/sunya/internal/core/meter"
	"github.com/sunya-cloud/sunya/internal/core/metrics"
)

type broken struct{ err error }

func (b broken) Status(context.Context) (*Status, error)                 { return nil, b.err }
func (b broken) Usage(context.Context, meter.Query) ([]meter.Row, error) { return nil, b.err }
func (b broken) Past(string, string, time.Time, time.Duration) (time.Duration, []metrics.Step) {
	return 0, nil
}
func (b broken) Doctor(context.Context) ([]health.Check, error) { return nil, b.err }

func TestErrorsAreTheEnvelopeWithTheStatusOfTheAnswer(t *testing.T) {
	for _, c := range []struct {
		name, path string
		err        error
		want       int
	}{
		{"no such path", "/sunya/v1/nothing", nil, 404},
		{"no time", "/sunya/v1/usage?since=yesterday", nil, 400},
		{"no duration", "/sunya/v1/metrics?step=long", nil, 400},
		{"cannot be read", "/sunya/v1/status", errors.New("secret path"), 500},
		{"starting", "/sunya/v1/doctor", sunya.Errorf(sunya.Unavailable, "", "starting"), 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Handler(broken{c.err}, slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
			var doc struct{ Error struct{ Code int } }
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != c.want || doc.Error.Code != c.want {
				t.Errorf("%d %s %v, want %d", w.Code, w.Body, err, c.want)
			}
		})
	}
}
