package gateway_test

import (
	"net/http"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// TestStoppedRevisionIs503: no instance is started for it.
func TestStoppedRevisionIs503(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) {})
	err := w.catalog.Update(t.Context(), instancetest.Service, func(now sunya.Service) (serving.Change, error) {
		now.Traffic.Stopped = []string{instancetest.Revision(1).Name}
		return serving.Change{PutServices: []sunya.Service{now}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, body := w.do(w.request("GET", "/", nil))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s %v %s, want 503 with Retry-After", resp.Status, resp.Header, body)
	}
	if n := len(w.engine.Boxes()); n != 0 {
		t.Errorf("%d instances were started", n)
	}
}
