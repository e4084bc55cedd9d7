package simulate

import (
	"github.com/sunya-cloud/sunya/internal/core/simulate/trace"
)

// Report is what came of a run. Its numbers in seconds are virtual.
type Report struct {
	Trace        string  `json:"trace"`
	Services     int     `json:"services"`
	Concurrency  int     `json:"concurrency"`
	MaxInstances int     `json:"maxInstances"`
	Seed         uint64  `json:"seed"`
	Length       float64 `json:"lengthSeconds"` // until the last request was over
	Events       int64   `json:"events"`

	// What became of the requests: Arrived is the sum of the four below it.
	Arrived int64            `json:"arrived"`
	Served  int64            `json:"served"`
	Shed    int64            `json:"shed"`   // turned away: 429 or 503
	Failed  int64            `json:"failed"` // not safe to repeat, and the instance died
	Lost    int64            `json:"lost"`   // safe to repeat, and the instance died each time
	ShedWhy map[string]int64 `json:"shedWhy,omitempty"`
	Retried int64            `json:"retried"` // sent once more after an instance died

	ColdStarts  int64   `json:"coldStarts"` // requests that waited for a boot
	Wait        Spread  `json:"waitSeconds"`
	Latency     Spread  `json:"latencySeconds"`
	LongestWait float64 `json:"longestWaitSeconds"` // in a queue, also of requests turned away

	Boots int64 `json:"boots"`
	Stops int64 `json:"stops"`
	Kills int64 `json:"kills"`
	Thaws int64 `json:"thaws"`

	Evictions int64 `json:"evictions"` // of Stops: because the memory was needed

	Seconds    Seconds    `json:"instanceSeconds"`
	Optimum    Optimum    `json:"optimum"`
	Violations Violations `json:"violations"`
	Series     Series     `json:"-"`
}

// Spread is some quantiles, in seconds.
type Spread struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Seconds is what all instances spent in each state.
type Seconds struct {
	Booting    float64 `json:"booting"`
	Busy       float64 `json:"busy"`       // with a request
	Idle       float64 `json:"idle"`       // without one, and not frozen yet
	Heartbeats float64 `json:"heartbeats"` // frozen ones, let go for a moment; within Frozen
	Frozen     float64 `json:"frozen"`
}

// Unfrozen is the time in which instances may use the processor.
func (s Seconds) Unfrozen() float64 { return s.Booting + s.Busy + s.Idle + s.Heartbeats }

// Booted is the time in which instances take memory.
func (s Seconds) Booted() float64 { return s.Booting + s.Busy + s.Idle + s.Frozen }

// Optimum is the bound of package optimum.
type Optimum struct {
	Booting float64 `json:"booting"`
	Serving float64 `json:"serving"`
	Waited  float64 `json:"longestWaitSeconds"` // the limit of instances makes requests wait here, too
}

// Unfrozen is the least instance-seconds unfrozen.
func (o Optimum) Unfrozen() float64 { return o.Booting + o.Serving }

// Over is how much more than the optimum the run had unfrozen: 0.15 is 15 %.
func (r *Report) Over() float64 {
	if r.Optimum.Unfrozen() == 0 {
		return 0
	}
	return r.Seconds.Unfrozen()/r.Optimum.Unfrozen() - 1
}

// Costs says what the difference to the optimum consists of, as shares of the
// optimum: their sum is Over.
func (r *Report) Costs() (boots, packing, freezing float64) {
	all := r.Optimum.Unfrozen()
	if all == 0 {
		return 0, 0, 0
	}
	return (r.Seconds.Booting - r.Optimum.Booting) / all,
		(r.Seconds.Busy - r.Optimum.Serving) / all,
		(r.Seconds.Idle + r.Seconds.Heartbeats) / all
}

// Violations are what must not happen, and how often it did.
type Violations struct {
	Concurrency  int64 `json:"concurrency"`  // more requests in an instance than allowed, or one in a dead one
	MaxInstances int64 `json:"maxInstances"` // more instances than allowed
	Order        int64 `json:"order"`        // a request was served before an older one
	IdleSlot     int64 `json:"idleSlot"`     // a request waited while a slot was free
}

// Any reports whether there are some.
func (v Violations) Any() bool { return v != Violations{} }

func newReport(t *trace.Trace, c Config) Report {
	return Report{
		Trace:        t.Name,
		Services:     len(t.Services),
		Concurrency:  c.Concurrency,
		MaxInstances: c.MaxInstances,
		Seed:         c.Seed,
		ShedWhy:      map[string]int64{},
	}
}

// inside is how many requests have come and are not over.
func (r *Report) inside() int64 { return r.Arrived - r.Served - r.Shed - r.Failed - r.Lost }

// conclude closes the books. What would happen to the instances afterwards is
// their freeze, which is counted; the optimum's is at once.
func (r *run) conclude() {
	for _, i := range r.live {
		if i.booted && !i.busy {
			r.report.Seconds.Idle += max(i.freezeAfter()-(r.now-i.since), 0).Seconds()
		}
		i.end(r.now)
	}
	o := &r.report.Optimum
	for _, s := range r.services {
		serving, peak := s.best.Finish()
		o.Serving += serving.Seconds()
		o.Booting += float64(peak) * s.boot.Seconds()
	}
	r.report.Length = r.now.Seconds()
	r.report.Wait, r.report.Latency = spread(&r.waits), spread(&r.latencies)
	r.report.Series = r.record.series(r.now)
}

func spread(h *Histogram) Spread {
	at := func(q float64) float64 { return h.Quantile(q).Seconds() }
	return Spread{P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: h.max.Seconds()}
}
