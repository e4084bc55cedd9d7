//go:build e2e

package e2e

import (
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestServicesAtRestHoldNothing: thousands of services that nobody asks for are rows
// and a table: no goroutine, file or process is theirs.
func TestServicesAtRestHoldNothing(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	s.Deploy(platform.Bare(t, "hello"))
	s.Stop() // and the instance with it
	s.Up()
	one := s.Holdings()
	s.Up()
	s.Stop()
	s.Multiply(2_000) // the benchmarks have ten thousand
	s.Up()
	many := s.Holdings()
	s.Up()
	t.Logf("one service: %+v; thousands: %+v", one, many)
	const slack = 50 // connections to the database, and sandboxes that are being prepared
	if many.Goroutines > one.Goroutines+slack || many.Files > one.Files+slack || many.Processes > one.Processes+slack {
		t.Errorf("one service: %+v; thousands: %+v", one, many)
	}
	if one.Goroutines < 10 {
		t.Errorf("%d goroutines were seen: that cannot be all", one.Goroutines)
	}
}
