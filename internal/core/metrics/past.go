package metrics

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya"
)

// The resolutions of the past.
const (
	Fine      = 10 * time.Second
	FineFor   = time.Hour
	Coarse    = time.Minute
	CoarseFor = 24 * time.Hour
)

// maxPoints bounds the points of all services together, some 300 bytes each;
// the services that were busy least recently lose theirs first.
const maxPoints = 40_000

// Point is what happened in one interval, and what was true at its end. Where
// nothing happens and nothing changes there are no points: what was true goes
// on being so.
type Point struct {
	At       time.Time // when the interval began
	Requests [Classes]int64
	Latency  Sparse
	Waited   Sparse
	Shed     int64
	Received int64
	Sent     int64
	Starts   int64
	Failures int64
	Cold     Sparse
	Thaw     Sparse

	InFlight int
	Waiting  int
	States   States
}

// States is how many instances there are of each state.
type States struct{ Starting, Ready, Frozen, Draining int }

// Sparse is a distribution with few different values.
type Sparse struct {
	Buckets []Bucket
	Sum     time.Duration
}

// Bucket is the number of durations in one bucket of a histogram.
type Bucket struct {
	N     uint8
	Count int64
}

func sparse(d *Distribution) (s Sparse) {
	for i, n := range d.Counts {
		if n != 0 {
			s.Buckets = append(s.Buckets, Bucket{uint8(i), n})
		}
	}
	s.Sum = d.Sum
	return s
}

// AddTo adds it to a distribution.
func (s *Sparse) AddTo(d *Distribution) {
	for _, b := range s.Buckets {
		d.Counts[b.N] += b.Count
	}
	d.Sum += s.Sum
}

// Run keeps the past until ctx ends. Nothing runs while nothing happens.
func (g *Registry) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-g.wake:
		}
		if err := g.watch(ctx); err != nil {
			return err
		}
	}
}

// watch samples until nothing happens any more.
func (g *Registry) watch(ctx context.Context) error {
	tick := time.NewTicker(Fine)
	defer tick.Stop()
	for quiet := false; !quiet; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			g.awake.Store(false)
			quiet = !g.sample(g.now()) && !g.awake.Load()
		}
	}
	return nil
}

// sample adds the interval that ends now to the past, and reports whether there
// was anything in it, or is.
func (g *Registry) sample(now time.Time) (busy bool) {
	live := g.gauges()
	g.mu.Lock()
	defer g.mu.Unlock()
	begin := now.Add(-Fine).Truncate(Fine)
	changes := g.changes(live)
	for service, c := range changes {
		h := g.past.of(service, c)
		p := c.point(begin)
		busy = busy || c.happened || p.InFlight+p.Waiting > 0
		if c.happened || h.lacks(&p) {
			h.add(p)
		}
		busy = busy || h.isBehind(&p)
	}
	for service, h := range g.past.services {
		if _, ok := changes[service]; ok {
			continue
		}
		rest := Point{At: begin}
		if h.lacks(&rest) {
			h.add(rest)
		}
		busy = busy || h.isBehind(&rest)
	}
	g.past.trim(now)
	g.forget(now, live)
	return busy
}

// change is what happened to a service since the last sample.
type change struct {
	project, service string
	happened         bool
	counters         Counters
	gauges           Gauges
}

// changes reads the counters of every revision, by service.
func (g *Registry) changes(live map[string]Gauges) map[string]*change {
	out := map[string]*change{}
	g.revs.Range(func(name, v any) bool {
		s := v.(*series)
		now := s.read()
		since := now.less(&s.last)
		s.last = now
		gauges, alive := live[name.(string)]
		happened := since != Counters{}
		if !alive && !happened {
			return true
		}
		c := out[s.service]
		if c == nil {
			c = &change{project: s.subject.Project, service: s.subject.Service}
			out[s.service] = c
		}
		c.happened = c.happened || happened
		c.counters.add(&since)
		c.gauges.add(&gauges)
		return true
	})
	return out
}

func (c *Counters) add(o *Counters) {
	for i, n := range o.Requests {
		c.Requests[i] += n
	}
	c.Latency.Add(&o.Latency)
	c.Waited.Add(&o.Waited)
	c.Shed += o.Shed
	c.Received += o.Received
	c.Sent += o.Sent
	c.Starts += o.Starts
	c.Failures += o.Failures
	c.Ends += o.Ends
	c.Cold.Add(&o.Cold)
	c.Thaw.Add(&o.Thaw)
}

func (c *change) point(begin time.Time) Point {
	n, g := &c.counters, &c.gauges
	return Point{
		At: begin, Requests: n.Requests, Latency: sparse(&n.Latency), Waited: sparse(&n.Waited), Shed: n.Shed,
		Received: n.Received, Sent: n.Sent, Starts: n.Starts, Failures: n.Failures, Cold: sparse(&n.Cold), Thaw: sparse(&n.Thaw),
		InFlight: g.InFlight, Waiting: g.Waiting, States: States{
			Starting: g.Instances[sunya.InstanceStarting], Ready: g.Instances[sunya.InstanceReady],
			Frozen: g.Instances[sunya.InstanceFrozen], Draining: g.Instances[sunya.InstanceDraining],
		},
	}
}

func (p *Point) sameGauges(o *Point) bool {
	return p.InFlight == o.InFlight && p.Waiting == o.Waiting && p.States == o.States
}
