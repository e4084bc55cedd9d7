package metrics

import (
	"slices"
	"time"
)

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
