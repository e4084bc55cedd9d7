package optimum_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/simulate/optimum"
	"github.com/sunya-cloud/sunya/internal/core/simulate/trace"
)

// awake is an instance of the schedule below.
type awake struct {
	ends  []time.Duration // of its requests
	until time.Duration   // the last of them
}

// offline is a schedule that can be had: it knows how long each request takes and
// puts it where the instance has to stay awake for it the shortest.
type offline struct {
	concurrency int
	instances   []*awake
	serving     time.Duration
}

func (o *offline) add(at, work time.Duration) {
	end := at + work
	var best *awake
	for n := 0; n < len(o.instances); {
		i := o.instances[n]
		if i.until <= at {
			o.instances[n] = o.instances[len(o.instances)-1]
			o.instances = o.instances[:len(o.instances)-1]
			continue
		}
		n++
		i.ends = slices.DeleteFunc(i.ends, func(e time.Duration) bool { return e <= at })
		if len(i.ends) < o.concurrency && (best == nil || dearer(best, i, end)) {
			best = i
		}
	}
	if best == nil {
		best = &awake{until: at}
		o.instances = append(o.instances, best)
	}
	best.ends = append(best.ends, end)
	o.serving += max(end-best.until, 0)
	best.until = max(best.until, end)
}

// dearer reports whether i takes a request until end for less than best does, or
// for as little and leaves the one that lasts longer to others.
func dearer(best, i *awake, end time.Duration) bool {
	a, b := max(end-best.until, 0), max(end-i.until, 0)
	return b < a || b == a && i.until < best.until
}

// BenchmarkOffline says how far the bound is below what a platform can reach that
// knows how long requests take.
func BenchmarkOffline(b *testing.B) {
	for _, concurrency := range []int{1, 8, 80} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(100*above(b, concurrency), "%-above-the-bound")
			}
		})
	}
}

func above(b *testing.B, concurrency int) float64 {
	t, ok := trace.New("production", trace.Options{Services: 10_000, Requests: 10_000_000, Safe: 0.8, Seed: 1, Boot: 300 * time.Millisecond})
	if !ok {
		b.Fatal("no such trace")
	}
	var bound, reached time.Duration
	for _, s := range t.Services {
		o := offline{concurrency: concurrency}
		best := optimum.New(concurrency, 0, nil)
		for q, more := s.Requests.Next(); more; q, more = s.Requests.Next() {
			best.Add(q.At, q.Work)
			o.add(q.At, q.Work)
		}
		serving, _ := best.Finish()
		bound += serving
		reached += o.serving
	}
	return float64(reached)/float64(bound) - 1
}
