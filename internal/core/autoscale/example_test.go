package autoscale_test

import (
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
)

// A service that gets busy.
func ExampleDesired() {
	p := autoscale.Policy{Concurrency: 10, TargetUtil: 0.6, Max: 20}
	boot, hold := 200*time.Millisecond, 5*time.Millisecond
	for _, o := range []autoscale.Observation{
		{Queued: 1},
		{InFlight: 30, Queued: 12, Starting: 7},
		// Their requests are short: those 12 are served before an eighth
		// instance would be there.
		{InFlight: 70, Queued: 12, Ready: 7, Hold: hold, Boot: boot, Stable: 40, Panic: 41},
	} {
		fmt.Println(autoscale.Desired(p, o))
	}
	// Output:
	// 1
	// 7
	// 7
}

// And then nobody asks any more.
func ExampleKeep() {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := autoscale.Policy{Concurrency: 10, Max: 20, Idle: 15 * time.Minute}
	for _, o := range []autoscale.Observation{
		{Ready: 4, Stable: 25, LastSeen: noon},
		{Ready: 4, LastSeen: noon.Add(-2 * time.Minute)},
		{Ready: 4, LastSeen: noon.Add(-15 * time.Minute)},
	} {
		fmt.Println(autoscale.Keep(p, o, noon))
	}
	// Output:
	// 3
	// 1
	// 0
}
