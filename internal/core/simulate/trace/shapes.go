package trace

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"time"
)

// Shapes are the names of the traces that New makes.
var Shapes = []string{"step", "spike", "diurnal", "on-off", "herd", "production"}

// shape is a load that all services have, each with its own dice.
type shape struct {
	profile Profile
	length  time.Duration
	work    time.Duration
}

var shapes = map[string]shape{
	"step":    {Step(), 10 * time.Minute, 200 * time.Millisecond},
	"spike":   {Spike(), 10 * time.Minute, 200 * time.Millisecond},
	"diurnal": {Diurnal(0.1, 0.5), 24 * time.Hour, 200 * time.Millisecond},
	"on-off":  {OnOff(12), time.Hour, 200 * time.Millisecond},
	"herd":    {Flat(), 10 * time.Second, 100 * time.Millisecond},
}

// workSpread is the sigma of a request's time within a service. The publications
// give none; with it the slowest of a day takes some three to five times the
// average, as functions in Shahrad et al., figure 7 (half of the averages are
// below 1 s, half of the maxima below 3 s).
const workSpread = 0.5

// New makes the trace of a name in Shapes; false when there is none.
func New(name string, o Options) (*Trace, bool) {
	if name == "production" {
		return production(o), true
	}
	s, ok := shapes[name]
	if !ok {
		return nil, false
	}
	t := &Trace{Name: name, Length: cmp.Or(o.Length, s.length)}
	for i := range o.Services {
		rng := random(o.Seed, i)
		t.Services = append(t.Services, Service{
			Name:        serviceName(i),
			Boot:        o.Boot,
			MemoryBytes: o.Memory,
			Requests: &profiled{
				ordered: ordered{left: share(o.Requests, i, o.Services), rng: rng},
				profile: s.profile,
				length:  t.Length,
				work:    around(rng, cmp.Or(o.Work, s.work)),
				safe:    o.Safe,
			},
		})
	}
	return t, true
}

func serviceName(i int) string { return fmt.Sprintf("service-%05d", i+1) }

// shortest is a request that does nothing.
const shortest = time.Millisecond

// around draws times with the given mean.
func around(rng *rand.Rand, mean time.Duration) func() time.Duration {
	return func() time.Duration { return max(lognormal(rng, mean, workSpread), shortest) }
}
