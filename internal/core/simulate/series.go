package simulate

import "time"

// Series is the run over time, in slices of equal width.
type Series struct {
	Slice  time.Duration
	Points []Point
}

// Point is one slice. The numbers are averages over it, of all services together.
type Point struct {
	Arrivals float64 // requests in a second
	Queue    float64 // requests that wait
	Work     float64 // requests in instances

	Booting, Busy, Idle, Frozen float64 // instances
	Optimum                     float64 // instances that the optimum has unfrozen

	Served  int64
	Waiting time.Duration // the longest but one of a hundred waits of requests that ended here
	Latency time.Duration // the same of the whole time from arrival to end
}

// Unfrozen is the instances that are not frozen.
func (p Point) Unfrozen() float64 { return p.Booting + p.Busy + p.Idle }

// quantity is one of what is added up over time.
type quantity int

const (
	queued quantity = iota
	working
	booting
	busy
	idle
	frozen
	optimal
	quantities
)

// sliceCount is how many there are at most.
const sliceCount = 240

// recorder adds up a run whose length is not known before: when it is longer, two
// slices become one.
type recorder struct {
	width    time.Duration
	seconds  [quantities][sliceCount]float64
	arrivals [sliceCount]int64
	waits    [sliceCount]Histogram
	latency  [sliceCount]Histogram
}

func newRecorder(length time.Duration) *recorder {
	return &recorder{width: max((length+sliceCount-1)/sliceCount, time.Millisecond)}
}

// slice returns the place of a moment, after making room for it.
func (r *recorder) slice(at time.Duration) int {
	for at >= sliceCount*r.width {
		r.fold()
	}
	return int(max(at, 0) / r.width)
}

func (r *recorder) fold() {
	r.width *= 2
	for i := range sliceCount {
		if i >= sliceCount/2 {
			for q := range quantities {
				r.seconds[q][i] = 0
			}
			r.arrivals[i], r.waits[i], r.latency[i] = 0, Histogram{}, Histogram{}
			continue
		}
		for q := range quantities {
			r.seconds[q][i] = r.seconds[q][2*i] + r.seconds[q][2*i+1]
		}
		r.arrivals[i] = r.arrivals[2*i] + r.arrivals[2*i+1]
		r.waits[i], r.latency[i] = pair(&r.waits, i), pair(&r.latency, i)
	}
}

func pair(h *[sliceCount]Histogram, i int) Histogram {
	out := h[2*i]
	out.merge(&h[2*i+1])
	return out
}

// add adds n of a quantity from one moment to another.
func (r *recorder) add(q quantity, from, to time.Duration, n int) {
	if to <= from || to <= 0 {
		return
	}
	from = max(from, 0)
	last := r.slice(to - 1) // first: it may fold
	for i := r.slice(from); i <= last; i++ {
		begin := max(from, time.Duration(i)*r.width)
		end := min(to, time.Duration(i+1)*r.width)
		r.seconds[q][i] += float64(n) * (end - begin).Seconds()
	}
}

func (r *recorder) arrive(at time.Duration) { r.arrivals[r.slice(at)]++ }

func (r *recorder) end(at, waited, latency time.Duration) {
	i := r.slice(at)
	r.waits[i].Add(waited)
	r.latency[i].Add(latency)
}

// series is what was recorded until end.
func (r *recorder) series(end time.Duration) Series {
	s := Series{Slice: r.width}
	for i := range r.slice(max(end-1, 0)) + 1 {
		mean := func(q quantity) float64 { return r.seconds[q][i] / r.width.Seconds() }
		s.Points = append(s.Points, Point{
			Arrivals: float64(r.arrivals[i]) / r.width.Seconds(),
			Queue:    mean(queued), Work: mean(working),
			Booting: mean(booting), Busy: mean(busy), Idle: mean(idle), Frozen: mean(frozen),
			Optimum: mean(optimal),
			Served:  int64(r.latency[i].n),
			Waiting: r.waits[i].Quantile(0.99), Latency: r.latency[i].Quantile(0.99),
		})
	}
	return s
}
