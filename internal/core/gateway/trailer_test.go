package gateway

import (
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/http1"
)

func TestATrailerSaysNothingOfTheMessage(t *testing.T) {
	got := trailerOf(http1.Header{{Name: "Content-Length", Value: "3"}, {Name: "Connection", Value: "close"}, {Name: "X-Sum", Value: "1"}})
	if len(got) != 1 || got[0].Name != "X-Sum" {
		t.Errorf("the client sees %v", got)
	}
}
