package metrics

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Buckets is how many buckets a histogram has. Bucket n holds durations up to
// Bound(n); the last one holds all others.
const Buckets = 38

// first is the bound of bucket 0; each is larger than the one before by the
// square root of two.
const first = 500 * time.Microsecond

// Bound returns the largest duration in bucket n; that of the last bucket is
// the largest there is.
func Bound(n int) time.Duration {
	if n >= Buckets-1 {
		return 1<<63 - 1
	}
	bound := first << (n / 2)
	if n%2 == 1 {
		bound = bound * 1_414_214 / 1_000_000
	}
	return bound
}

// bucket returns the bucket of a duration.
func bucket(d time.Duration) int {
	if d <= first {
		return 0
	}
	octave := bits.Len64(uint64(d-1)/uint64(first)) - 1 // first<<octave < d <= first<<(octave+1)
	n := min(2*octave+1, Buckets-1)
	if d > Bound(n) {
		n++
	}
	return n
}

// histogram counts durations. Its zero value is empty.
type histogram struct {
	count [Buckets]atomic.Int64
	sum   atomic.Int64 // nanoseconds
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.count[bucket(d)].Add(1)
	h.sum.Add(int64(d))
}

// Distribution is a histogram at a moment, or the difference of two.
type Distribution struct {
	Counts [Buckets]int64
	Sum    time.Duration
}

func (h *histogram) read() (d Distribution) {
	for i := range h.count {
		d.Counts[i] = h.count[i].Load()
	}
	d.Sum = time.Duration(h.sum.Load())
	return d
}

// Count returns how many durations there are.
func (d *Distribution) Count() (n int64) {
	for _, c := range d.Counts {
		n += c
	}
	return n
}

// Add adds another distribution.
func (d *Distribution) Add(o *Distribution) {
	for i, c := range o.Counts {
		d.Counts[i] += c
	}
	d.Sum += o.Sum
}

func (d Distribution) less(o *Distribution) Distribution {
	for i, c := range o.Counts {
		d.Counts[i] -= c
	}
	d.Sum -= o.Sum
	return d
}

// Quantile returns a duration that a share q of all is not above, as exact as
// the buckets are: within a factor of the square root of two. Of nothing it is 0.
func (d *Distribution) Quantile(q float64) time.Duration {
	want := q * float64(d.Count())
	var below float64
	for i, c := range d.Counts {
		if c == 0 || below+float64(c) < want {
			below += float64(c)
			continue
		}
		var lo time.Duration
		if i > 0 {
			lo = Bound(i - 1)
		}
		if i == Buckets-1 {
			return lo
		}
		return lo + time.Duration(float64(Bound(i)-lo)*(want-below)/float64(c))
	}
	return 0
}
