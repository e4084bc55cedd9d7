// Package trace makes the loads that the simulator replays: a few shapes that
// are easy to reason about, one that is like production, and those of a file.
//
// A trace is lazy: a service makes its next request when it is asked for it, so
// that ten million requests need no more memory than ten. The same seed makes the
// same trace.
package trace

import (
	"math"
	"math/rand/v2"
	"time"
)

// Request is one request of a trace.
type Request struct {
	At   time.Duration // when it comes, from the beginning
	Work time.Duration // how long it takes in an instance
	Safe bool          // it may be sent again when its instance dies
}

// Trace is a load.
type Trace struct {
	Name     string
	Length   time.Duration // about when the last request comes
	Services []Service
}

// Service is what is asked of one revision.
type Service struct {
	Name        string
	Boot        time.Duration // mean time from the start of an instance to ready
	MemoryBytes int64         // of one instance
	Requests    Requests
}

// Requests makes the requests of one service, in the order of their time.
type Requests interface {
	// Next returns false after the last one.
	Next() (Request, bool)
}

// Options say how large a trace is.
type Options struct {
	Services int           // at least 1
	Requests int           // of all services together, exactly
	Length   time.Duration // 0: the shape's own
	Work     time.Duration // mean time of a request; 0: the shape's own
	Boot     time.Duration // mean time of a boot
	Memory   int64         // of an instance, in bytes; production has its own
	Safe     float64       // share of requests that may be sent again
	Seed     uint64
}

// random is the source of one service: those of others do not move it.
func random(seed uint64, service int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(service)+1))
}

// share is how many of n fall to part i of k, so that the sum is n.
func share(n, i, k int) int { return n*(i+1)/k - n*i/k }

// ordered makes n numbers of [0, 1), uniformly distributed and in order, one at a
// time: the least of k numbers is 1-U^(1/k), and the others are uniform above it.
type ordered struct {
	left int
	last float64
	rng  *rand.Rand
}

func (o *ordered) next() (float64, bool) {
	if o.left <= 0 {
		return 0, false
	}
	o.last = 1 - (1-o.last)*math.Pow(1-o.rng.Float64(), 1/float64(o.left))
	o.left--
	return o.last, true
}

// lognormal draws with the given mean; sigma is of the logarithm.
func lognormal(rng *rand.Rand, mean time.Duration, sigma float64) time.Duration {
	return time.Duration(float64(mean) * math.Exp(rng.NormFloat64()*sigma-sigma*sigma/2))
}
