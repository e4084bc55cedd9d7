package optimum

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// job is a request whose beginning is known.
type job struct{ from, to time.Duration }

func TestByHand(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		rule              string
		concurrency, most int
		jobs              []job // arrival, arrival and work
		serving           time.Duration
		peak              int
		waited            time.Duration
	}{
		{"nothing", 1, 0, nil, 0, 0, 0},
		{"one", 1, 0, []job{{0, 2 * s}}, 2 * s, 1, 0},
		{"two at once", 1, 0, []job{{0, 2 * s}, {s, 3 * s}}, 4 * s, 2, 0},
		{"two in one", 2, 0, []job{{0, 2 * s}, {s, 3 * s}}, 3 * s, 1, 0},
		{"one after the other", 1, 0, []job{{0, s}, {s, 2 * s}}, 2 * s, 1, 0},
		{"the third is one too many", 2, 0, []job{{0, 4 * s}, {0, 4 * s}, {s, 2 * s}}, 5 * s, 2, 0},
		{"the limit makes it wait", 1, 1, []job{{0, 2 * s}, {s, 2 * s}, {s, 2 * s}}, 4 * s, 1, 3 * s},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			o := New(tt.concurrency, tt.most, nil)
			var waited time.Duration
			for _, j := range tt.jobs {
				waited += o.Add(j.from, j.to-j.from)
			}
			serving, peak := o.Finish()
			if serving != tt.serving || peak != tt.peak || waited != tt.waited {
				t.Errorf("serving %v, peak %d, waited %v", serving, peak, waited)
			}
		})
	}
}

// TestAgainstBruteForce tries every way to put the requests of tiny traces in
// instances: none costs less than the bound, for concurrency 1 the best costs just
// that, and for others at most twice the integral and the boots.
func TestAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	tight := 0
	const rounds = 1500
	for range rounds {
		c, most, boot := 1+rng.IntN(3), rng.IntN(4), time.Duration(rng.IntN(5))
		o := New(c, most, nil)
		var jobs []job
		at := time.Duration(0)
		for range 1 + rng.IntN(6) {
			at += time.Duration(rng.IntN(4))
			work := time.Duration(1 + rng.IntN(6))
			begin := at + o.Add(at, work)
			jobs = append(jobs, job{begin, begin + work})
		}
		serving, peak := o.Finish()
		bound := serving + time.Duration(peak)*boot
		best := cheapest(jobs, c, most, boot, nil)
		switch {
		case best < bound:
			t.Fatalf("%v c=%d most=%d boot=%d: %d is possible, the bound says %d", jobs, c, most, boot, best, bound)
		case c == 1 && best != bound:
			t.Fatalf("%v c=1 most=%d boot=%d: best %d, bound %d", jobs, most, boot, best, bound)
		case most == 0 && best > 2*bound:
			t.Fatalf("%v c=%d boot=%d: best %d is more than twice %d", jobs, c, boot, best, bound)
		case best == bound:
			tight++
		}
	}
	if tight < rounds*8/10 {
		t.Errorf("the bound is reached in %d of %d traces only", tight, rounds)
	}
}

// cheapest puts the first of jobs in every instance that takes it, and in a new
// one, and so on with the others.
func cheapest(jobs []job, c, most int, boot time.Duration, instances [][]job) time.Duration {
	if len(jobs) == 0 {
		return cost(instances, boot)
	}
	best := time.Duration(1 << 62)
	for i, in := range instances {
		if !takes(in, jobs[0], c) {
			continue
		}
		with := slices.Clone(instances)
		with[i] = append(slices.Clone(in), jobs[0])
		best = min(best, cheapest(jobs[1:], c, most, boot, with))
	}
	if most == 0 || len(instances) < most {
		best = min(best, cheapest(jobs[1:], c, most, boot, append(slices.Clone(instances), []job{jobs[0]})))
	}
	return best
}

func takes(in []job, j job, c int) bool {
	n := 0
	for _, other := range in {
		if other.from <= j.from && j.from < other.to { // jobs begin in order
			n++
		}
	}
	return n < c
}

// cost is the boots and the time in which an instance has a request.
func cost(instances [][]job, boot time.Duration) (sum time.Duration) {
	for _, in := range instances {
		sum += boot
		until := time.Duration(-1)
		for _, j := range in {
			sum += max(j.to-max(j.from, until), 0)
			until = max(until, j.to)
		}
	}
	return sum
}

func TestRecord(t *testing.T) {
	var got time.Duration
	o := New(2, 0, func(i Interval) { got += time.Duration(i.Instances) * (i.To - i.From) })
	for i := range 100 {
		o.Add(time.Duration(i), time.Duration(i%17))
	}
	if serving, _ := o.Finish(); got != serving {
		t.Errorf("recorded %v of %v", got, serving)
	}
}
