package metrics

import (
	"context"
	"slices"
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

// past is the recent past of services.
type past struct {
	services map[string]*history // by full name
	points   int                 // of all
}

func newPast() past { return past{services: map[string]*history{}} }

// history is the past of one service, the oldest point of each series first.
type history struct {
	project, service string // as in served.Subject
	fine, coarse     []Point
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

func (p *past) of(service string, c *change) *history {
	h := p.services[service]
	if h == nil {
		h = &history{project: c.project, service: c.service}
		p.services[service] = h
	}
	return h
}

// lacks reports whether the past ends with something else being true than p says.
// The minute of p is one with the most of all that was true in it.
func (h *history) lacks(p *Point) bool {
	return !last(h.fine).sameGauges(p) || h.isBehind(p) && !last(h.coarse).At.Equal(p.At.Truncate(Coarse))
}

// isBehind reports whether the minutes end with something else being true.
func (h *history) isBehind(p *Point) bool { return !last(h.coarse).sameGauges(p) }

// last returns the last point; of none, one in which nothing is.
func last(points []Point) *Point {
	if len(points) == 0 {
		return &Point{}
	}
	return &points[len(points)-1]
}

// add adds an interval to both series.
func (h *history) add(p Point) {
	h.fine = push(h.fine, p)
	p.At = p.At.Truncate(Coarse)
	h.coarse = push(h.coarse, p)
}

// push adds a point, or what it holds to the last one when that is of the same
// interval.
func push(points []Point, p Point) []Point {
	if n := len(points); n > 0 && points[n-1].At.Equal(p.At) {
		points[n-1].merge(&p)
		return points
	}
	return append(points, p)
}

// merge adds a later interval: what happened adds up, what was true is the most
// of it, so that a peak is seen.
func (p *Point) merge(o *Point) {
	for i, n := range o.Requests {
		p.Requests[i] += n
	}
	p.Latency.merge(&o.Latency)
	p.Waited.merge(&o.Waited)
	p.Cold.merge(&o.Cold)
	p.Thaw.merge(&o.Thaw)
	p.Shed += o.Shed
	p.Received += o.Received
	p.Sent += o.Sent
	p.Starts += o.Starts
	p.Failures += o.Failures
	p.InFlight, p.Waiting = max(p.InFlight, o.InFlight), max(p.Waiting, o.Waiting)
	p.States.raise(&o.States)
}

func (s *Sparse) merge(o *Sparse) {
	var d Distribution
	s.AddTo(&d)
	o.AddTo(&d)
	*s = sparse(&d)
}

// trim drops what is too old, and of too much the past of services that were
// busy least recently.
func (p *past) trim(now time.Time) {
	p.points = 0
	for name, h := range p.services {
		h.fine, h.coarse = cut(h.fine, now.Add(-FineFor)), cut(h.coarse, now.Add(-CoarseFor))
		if len(h.fine)+len(h.coarse) == 0 {
			delete(p.services, name)
		}
		p.points += len(h.fine) + len(h.coarse)
	}
	for p.points > maxPoints && len(p.services) > 1 {
		oldest := ""
		for name, h := range p.services {
			if oldest == "" || h.end().Before(p.services[oldest].end()) {
				oldest = name
			}
		}
		p.points -= len(p.services[oldest].fine) + len(p.services[oldest].coarse)
		delete(p.services, oldest)
	}
}

func (h *history) end() time.Time { return last(h.coarse).At }

// cut drops the points that began before t, but for the last of them while it
// says that something is there: it goes on being so.
func cut(points []Point, t time.Time) []Point {
	n := 0
	for n < len(points) && points[n].At.Before(t) {
		n++
	}
	if n > 0 && n == len(points) && !points[n-1].sameGauges(&Point{}) {
		n--
	}
	if n == 0 {
		return points
	}
	return slices.Clone(points[n:])
}
