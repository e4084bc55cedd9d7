// Package optimum says what a load costs at least: the unfrozen instance-seconds
// of a platform that knows the future.
//
// That platform obeys what the real one obeys: an instance takes so many requests
// at once, there are so many instances at most, booting one takes a time in
// which it runs and serves nothing, and a request is begun as soon as the limits
// allow, in the order of arrival. It differs in knowing what comes: it boots ahead
// of need, freezes at once, thaws for nothing and keeps what is frozen for ever.
//
// With n(t) requests under way, concurrency c and K the largest value of ⌈n/c⌉:
//
//	unfrozen ≥ ∫ ⌈n(t)/c⌉ dt + K × boot
//
// Proof. At every moment the n(t) requests are in at least ⌈n(t)/c⌉ instances, all
// unfrozen and none booting: that is the integral. At the moment of the peak K
// instances serve at once; each was booted before, and while it booted it served
// nothing, so none of that time is in the integral. ∎
//
// For c = 1 the bound is what the optimum costs: put each request in the instance
// that was free last, boot another when there is none; that makes K instances
// (intervals that overlap K-fold at most have K colours), unfrozen while they
// serve. For c > 1 it is a lower bound: a request that has begun cannot move to
// another instance, so that a few long ones keep instances awake that would fit in
// one. To find the best is NP-hard ("busy time", M. Flammini et al., Theoretical
// Computer Science 411, 2010); there is always a schedule with at most twice the
// integral (V. Kumar and A. Rudra, FSTTCS 2005; M. Alicherry and R. Bhatia, ESA 2003).
package optimum

import (
	"container/heap"
	"time"
)

// Interval is a time in which the optimum has a number of instances serving.
type Interval struct {
	From, To  time.Duration
	Instances int
}

// Service adds up the optimum of one service, request by request.
type Service struct {
	concurrency int
	slots       int // of all instances; 0: no limit
	ends        ends
	now         time.Duration
	serving     time.Duration // the integral
	peak        int           // K
	record      func(Interval)
}

// New returns the optimum of a service without requests. most 0 is no limit.
// record is told of every interval with instances, in order; nil: nobody is.
func New(concurrency, most int, record func(Interval)) *Service {
	return &Service{concurrency: concurrency, slots: concurrency * most, record: record}
}

// Add adds a request that comes at a time, not before the one added last, and
// takes so long in an instance. It returns how long the request waits, which only
// the limit of instances makes it do.
func (s *Service) Add(at, work time.Duration) (wait time.Duration) {
	begin := max(at, s.now)
	s.advance(begin)
	if s.slots > 0 && len(s.ends) == s.slots {
		begin = s.ends[0]
		s.advance(begin)
	}
	heap.Push(&s.ends, begin+work)
	s.peak = max(s.peak, s.instances())
	return begin - at
}

// instances is ⌈n/c⌉.
func (s *Service) instances() int { return (len(s.ends) + s.concurrency - 1) / s.concurrency }

// advance lets time go on to t.
func (s *Service) advance(t time.Duration) {
	for len(s.ends) > 0 && s.ends[0] <= t {
		s.pass(s.ends[0])
		heap.Pop(&s.ends)
	}
	s.pass(t)
}

// pass adds the time until t, in which nothing changes.
func (s *Service) pass(t time.Duration) {
	if n := s.instances(); n > 0 && t > s.now {
		s.serving += time.Duration(n) * (t - s.now)
		if s.record != nil {
			s.record(Interval{s.now, t, n})
		}
	}
	s.now = max(s.now, t)
}

// Finish lets the requests come to their end, and returns the integral and K.
func (s *Service) Finish() (serving time.Duration, peak int) {
	for len(s.ends) > 0 {
		s.advance(s.ends[0])
	}
	return s.serving, s.peak
}

// ends is a heap of moments.
type ends []time.Duration

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i] < e[j] }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)        { *e = append(*e, x.(time.Duration)) }
func (e *ends) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}
