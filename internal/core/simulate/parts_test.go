package simulate

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestAgendaIsInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var a agenda
	var last event
	planned, taken := 0, 0
	for range 20_000 {
		if rng.IntN(5) < 3 {
			a.plan(event{at: last.at + time.Duration(rng.IntN(50))}, kind(rng.IntN(int(death)+1)))
			planned++
			continue
		}
		e, ok := a.next()
		if !ok {
			continue
		}
		if taken++; before(&e, &last) {
			t.Fatalf("%v after %v", e, last)
		}
		last = e
	}
	for _, ok := a.next(); ok; _, ok = a.next() {
		taken++
	}
	if planned != taken {
		t.Errorf("%d planned, %d taken", planned, taken)
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("an empty one has a median")
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(rng.ExpFloat64() * float64(time.Second))
		all = append(all, d)
		h.Add(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
		want, got := all[int(q*9999)], h.Quantile(q)
		if got < want-time.Microsecond || float64(got) > 1.04*float64(want)+1000 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	for i := range bins - 1 {
		if bin(upTo(i)) != i || bin(upTo(i)+time.Microsecond) != i+1 {
			t.Fatalf("bin %d reaches to %v, which is in %d", i, upTo(i), bin(upTo(i)))
		}
	}
	h.Add(1 << 62)
}

func TestRecorderFolds(t *testing.T) {
	r := newRecorder(240 * time.Second)
	r.add(busy, 0, 100*time.Second, 2)
	r.end(50*time.Second, time.Second, 2*time.Second)
	r.arrive(3 * time.Second)
	r.add(busy, 100*time.Second, 1000*time.Second, 1)
	s := r.series(1000 * time.Second)
	sum, arrivals, served := 0.0, 0.0, int64(0)
	for _, p := range s.Points {
		sum += p.Busy * s.Slice.Seconds()
		arrivals += p.Arrivals * s.Slice.Seconds()
		served += p.Served
	}
	if s.Slice != 8*time.Second || sum != 1100 || arrivals != 1 || served != 1 {
		t.Errorf("slices of %v, %v busy, %v arrived, %v served", s.Slice, sum, arrivals, served)
	}
}
