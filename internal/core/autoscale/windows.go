package autoscale

import "time"

// The windows (Knative's stable-window and panic-window-percentage).
const (
	StableWindow = time.Minute
	PanicWindow  = 6 * time.Second
)

const (
	bucket  = time.Second
	buckets = int(StableWindow / bucket)
	recent  = int(PanicWindow / bucket)
)

// Windows is the load of the last minute, in buckets of a second. The zero value
// has seen nothing. What was before the first Observe counts as no load, so that
// averages rise from 0.
type Windows struct {
	ring   [buckets]span
	at     int       // in ring: the bucket that is being filled
	began  time.Time // when it began
	seen   time.Time // up to when it is filled
	stable span      // sum of ring without the bucket at
	panic  span      // of the last few of them
}

// span is what a stretch of time has seen.
type span struct {
	inside  float32 // requests inside instances, times seconds
	arrived float32 // requests that came
	done    float32 // requests that gave their slot back
}

func (s span) plus(o span) span {
	return span{s.inside + o.inside, s.arrived + o.arrived, s.done + o.done}
}

// Observe says how many requests were inside instances since it was last called.
// Moments do not go back.
func (w *Windows) Observe(now time.Time, inFlight int) {
	if w.seen.IsZero() {
		w.began, w.seen = now, now
		return
	}
	if gap := now.Sub(w.began); gap >= bucket {
		w.roll(gap, inFlight)
	}
	w.fill(now, inFlight)
}

// Arrived counts a request that comes.
func (w *Windows) Arrived() { w.ring[w.at].arrived++ }

// Done counts a request that gives its slot back.
func (w *Windows) Done() { w.ring[w.at].done++ }

func (w *Windows) fill(to time.Time, inFlight int) {
	w.ring[w.at].inside += float32(inFlight) * float32(to.Sub(w.seen)) / float32(time.Second)
	w.seen = to
}

// roll begins the bucket that the end of gap is in. Sums are made anew, so that
// no error adds up.
func (w *Windows) roll(gap time.Duration, inFlight int) {
	if old := (gap - StableWindow).Truncate(bucket); old > 0 { // nobody will ask for it
		w.began = w.began.Add(old)
		w.seen = w.began
		gap -= old
	}
	for ; gap >= bucket; gap -= bucket {
		w.began = w.began.Add(bucket)
		w.fill(w.began, inFlight)
		w.at = (w.at + 1) % buckets
		w.ring[w.at] = span{}
	}
	w.stable, w.panic = span{}, span{}
	for n := 1; n < buckets; n++ {
		w.stable = w.stable.plus(w.ring[(w.at+buckets-n)%buckets])
		if n == recent-1 {
			w.panic = w.stable
		}
	}
}

// Stable returns the load of the last minute, up to the last Observe: the average
// of requests inside instances, or more if those that came would have filled
// more slots.
func (w *Windows) Stable() float64 { return w.load(w.stable, StableWindow) }

// Panic returns the load of the last six seconds.
func (w *Windows) Panic() float64 { return w.load(w.panic, PanicWindow) }

func (w *Windows) load(full span, window time.Duration) float64 {
	s := full.plus(w.ring[w.at])
	hold := min(w.Hold(), window) // what a request does after the window is none of its load
	return max(float64(s.inside), float64(s.arrived)*hold.Seconds()) / window.Seconds()
}

// enough is how many requests must have ended to say how long they take.
const enough = 10

// Hold returns how long a request has its slot, on average: of late if that can be
// said, else over the last minute; 0 while too few have given one back.
func (w *Windows) Hold() time.Duration {
	s := w.panic.plus(w.ring[w.at])
	if s.done < enough {
		s = w.stable.plus(w.ring[w.at])
	}
	if s.done < enough {
		return 0
	}
	return time.Duration(float64(s.inside) / float64(s.done) * float64(time.Second))
}
