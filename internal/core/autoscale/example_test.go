package autoscale_test

import (
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
)

// A service that gets busy, and then nobody asks any more.
func ExampleDesired() {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := autoscale.Policy{Concurrency: 10, TargetUtil: 0.6, Max: 20, Idle: 15 * time.Minute}
	for _, s := range []autoscale.Sample{
		{Queued: 1, LastSeen: noon},
		{InFlight: 30, Queued: 12, LastSeen: noon},
		{LastSeen: noon.Add(-14 * time.Minute)},
		{LastSeen: noon.Add(-15 * time.Minute)},
	} {
		fmt.Println(autoscale.Desired(p, s, noon))
	}
	// Output:
	// 1
	// 7
	// 1
	// 0
}
