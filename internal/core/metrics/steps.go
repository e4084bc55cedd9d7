package metrics

import "time"

// Step is one interval of an answer about the past.
type Step struct {
	At       time.Time
	Requests [Classes]int64
	Latency  Distribution
	Waited   Distribution
	Shed     int64
	Received int64
	Sent     int64
	Starts   int64
	Failures int64
	Cold     Distribution
	Thaw     Distribution

	// The most that was true at the end of an interval of the resolution.
	InFlight, Waiting int
	States            States
}

// Past returns what happened to services from since until now, in steps of equal
// length, which is a multiple of the resolution and step or more. An empty
// service or project stands for all.
func (g *Registry) Past(project, service string, since time.Time, step time.Duration) (time.Duration, []Step) {
	now := g.now()
	if since.After(now) {
		since = now
	}
	resolution := Fine
	if now.Sub(since) > FineFor {
		resolution, since = Coarse, later(since, now.Add(-CoarseFor))
	}
	step = max((step+resolution-1)/resolution*resolution, resolution)
	begin := since.Truncate(step)
	steps := make([]Step, now.Sub(begin)/step+1)
	for i := range steps {
		steps[i].At = begin.Add(time.Duration(i) * step)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.past.services {
		if project != "" && h.project != project || service != "" && h.service != service {
			continue
		}
		points := h.fine
		if resolution == Coarse {
			points = h.coarse
		}
		addPast(steps, step, points)
	}
	return step, steps
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// addPast adds the points of one service to steps.
func addPast(steps []Step, length time.Duration, points []Point) {
	var going Point // what was true before the step
	for len(points) > 0 && points[0].At.Before(steps[0].At) {
		going, points = points[0], points[1:]
	}
	for i := range steps {
		s := &steps[i]
		end := s.At.Add(length)
		most := gaugesOf(&going)
		first := true
		for len(points) > 0 && points[0].At.Before(end) {
			going, points = points[0], points[1:]
			s.count(&going)
			if first && going.At.Equal(s.At) {
				most = Point{} // what was true before ended before the step
			}
			first = false
			now := gaugesOf(&going)
			most.merge(&now)
		}
		s.InFlight += most.InFlight
		s.Waiting += most.Waiting
		s.States.add(&most.States)
	}
}

func gaugesOf(p *Point) Point {
	return Point{InFlight: p.InFlight, Waiting: p.Waiting, States: p.States}
}

func (s *States) add(o *States) {
	s.Starting += o.Starting
	s.Ready += o.Ready
	s.Frozen += o.Frozen
	s.Draining += o.Draining
}

func (s *Step) count(p *Point) {
	for i, n := range p.Requests {
		s.Requests[i] += n
	}
	p.Latency.AddTo(&s.Latency)
	p.Waited.AddTo(&s.Waited)
	p.Cold.AddTo(&s.Cold)
	p.Thaw.AddTo(&s.Thaw)
	s.Shed += p.Shed
	s.Received += p.Received
	s.Sent += p.Sent
	s.Starts += p.Starts
	s.Failures += p.Failures
}

// Sum adds up steps: what happened is the sum, what was true the most of it.
func Sum(steps []Step) (total Step) {
	for i := range steps {
		s := &steps[i]
		if i == 0 {
			total.At = s.At
		}
		for class, n := range s.Requests {
			total.Requests[class] += n
		}
		total.Latency.Add(&s.Latency)
		total.Waited.Add(&s.Waited)
		total.Cold.Add(&s.Cold)
		total.Thaw.Add(&s.Thaw)
		total.Shed += s.Shed
		total.Received += s.Received
		total.Sent += s.Sent
		total.Starts += s.Starts
		total.Failures += s.Failures
		total.InFlight, total.Waiting = max(total.InFlight, s.InFlight), max(total.Waiting, s.Waiting)
		total.States.raise(&s.States)
	}
	return total
}

// raise makes each figure the larger of two.
func (s *States) raise(o *States) {
	*s = States{max(s.Starting, o.Starting), max(s.Ready, o.Ready), max(s.Frozen, o.Frozen), max(s.Draining, o.Draining)}
}
