package simulate

import (
	"math/bits"
	"time"
)

// Histogram counts durations in steps of about three of a hundred, from
// microseconds to days. Its zero value is empty.
type Histogram struct {
	counts [bins]uint32
	n      uint64
	max    time.Duration
}

const (
	// fine is how many steps a doubling has, as a power of two.
	fine = 5
	// bins reach to 2^41 µs.
	bins = (42 - fine) << fine
)

// Add counts d.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bin(d)]++
	h.n++
	h.max = max(h.max, d)
}

func bin(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < 1<<fine {
		return int(us)
	}
	shift := bits.Len64(us) - fine - 1
	return min((shift+1)<<fine+int(us>>shift)-1<<fine, bins-1)
}

// upTo is the longest duration of a bin.
func upTo(i int) time.Duration {
	if i < 1<<fine {
		return time.Duration(i) * time.Microsecond
	}
	shift := i>>fine - 1
	return time.Duration((uint64(i&(1<<fine-1)|1<<fine)+1)<<shift-1) * time.Microsecond
}

// Quantile is what a share q of the durations does not exceed, rounded up; 0 when
// there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	want, seen := uint64(q*float64(h.n-1))+1, uint64(0)
	for i, c := range h.counts {
		if seen += uint64(c); seen >= want {
			return min(upTo(i), h.max)
		}
	}
	return h.max
}

// merge adds another.
func (h *Histogram) merge(o *Histogram) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}
