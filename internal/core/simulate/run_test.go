package simulate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya/internal/core/simulate/trace"
)

func load(t testing.TB, name string, o trace.Options) *trace.Trace {
	t.Helper()
	tr, ok := trace.New(name, o)
	if !ok {
		t.Fatalf("no trace %s", name)
	}
	return tr
}

func replay(t testing.TB, tr *trace.Trace, c Config) *Report {
	t.Helper()
	r, err := Run(t.Context(), tr, c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Violations.Any() {
		t.Errorf("%s: %+v", tr.Name, r.Violations)
	}
	if r.inside() != 0 || r.Failed < 0 {
		t.Errorf("%s: %d requests have come, and of %d it is not known what became of them", tr.Name, r.Arrived, r.inside())
	}
	return r
}

// figures are what the traces come to. They change when a rule of the pool, the
// autoscaler or the freezer does: look whether it is for the better, and write the
// new ones down.
var figures = []struct {
	trace       string
	services    int
	requests    int
	concurrency int
	served      int64
	shed        int64
	cold        int64
	boots       int64
	wait99      string
	over        string // above the optimum, in %
}{
	{"step", 1, 20_000, 4, 20_000, 0, 13, 4, "0.106", "21.3"},
	{"spike", 1, 20_000, 4, 20_000, 0, 181, 46, "0.217", "31.2"},
	{"diurnal", 20, 40_000, 4, 40_000, 0, 36, 36, "0.002", "47.2"},
	{"on-off", 5, 20_000, 4, 20_000, 0, 8, 5, "0.002", "51.9"},
	{"herd", 1000, 10_000, 4, 10_000, 0, 1311, 1002, "0.352", "406.5"},
	{"production", 300, 30_000, 1, 30_000, 0, 869, 959, "0.121", "3.7"},
	{"production", 300, 30_000, 80, 30_000, 0, 184, 128, "0.002", "15.2"},
}

func TestFigures(t *testing.T) {
	for _, f := range figures {
		t.Run(fmt.Sprintf("%s/%d", f.trace, f.concurrency), func(t *testing.T) {
			tr := load(t, f.trace, trace.Options{Services: f.services, Requests: f.requests, Safe: 0.8, Seed: 1, Boot: 300 * time.Millisecond})
			r := replay(t, tr, Config{Concurrency: f.concurrency, MaxInstances: 1000, Seed: 1})
			got := f
			got.served, got.shed, got.cold, got.boots = r.Served, r.Shed, r.ColdStarts, r.Boots
			got.wait99 = fmt.Sprintf("%.3f", r.Wait.P99)
			got.over = fmt.Sprintf("%.1f", 100*r.Over())
			if got != f {
				t.Errorf("now {%q, %d, %d, %d, %d, %d, %d, %d, %q, %q},", got.trace, got.services, got.requests, got.concurrency,
					got.served, got.shed, got.cold, got.boots, got.wait99, got.over)
			}
		})
	}
}

// TestGoal is the goal on a load like production, small: with fewer services that
// are busy it is harder to reach for many requests at once. The run with ten million
// requests is BenchmarkProduction.
func TestGoal(t *testing.T) {
	for concurrency, goal := range map[int]float64{1: 0.05, 8: 0.15, 80: 0.15} {
		tr := load(t, "production", trace.Options{Services: 400, Requests: 400_000, Safe: 0.8, Seed: 1, Boot: 300 * time.Millisecond})
		r := replay(t, tr, Config{Concurrency: concurrency, MaxInstances: 100_000, Seed: 1})
		if r.Over() > goal || r.Shed+r.Lost > 0 {
			t.Errorf("concurrency %d: %.1f %% above the optimum, %d shed, %d lost", concurrency, 100*r.Over(), r.Shed, r.Lost)
		}
	}
}

// TestConservation runs loads and limits at random: every request that comes is
// served, turned away, failed or lost, nothing is violated, the time of instances
// adds up, and no run beats the optimum where all are served at once.
func TestConservation(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for n := range 60 {
		o := trace.Options{
			Services: 1 + rng.IntN(20), Requests: 1 + rng.IntN(3000), Safe: rng.Float64(), Seed: uint64(n),
			Boot: time.Duration(rng.IntN(3000)) * time.Millisecond, Memory: 256 << 20,
			Length: time.Duration(1+rng.IntN(600)) * time.Second,
		}
		c := Config{
			Concurrency: 1 + rng.IntN(10), MaxInstances: 1 + rng.IntN(10), Seed: uint64(n),
			MaxQueue: 1 + rng.IntN(500), QueueTimeout: time.Duration(1+rng.IntN(60)) * time.Second,
			Idle: time.Duration(1+rng.IntN(300)) * time.Second, Attempts: 1 + rng.IntN(3),
		}
		if rng.IntN(2) == 0 {
			c.Kills = 100 * rng.Float64()
		}
		if rng.IntN(2) == 0 {
			c.Machine.Cores = 1 + rng.IntN(4)
		}
		if rng.IntN(3) == 0 {
			c.Machine.MemoryBytes = 1 << 30
		}
		name := trace.Shapes[rng.IntN(len(trace.Shapes))]
		r := replay(t, load(t, name, o), c)
		if r.Arrived != int64(o.Requests) {
			t.Errorf("%s %+v: %d of %d came", name, o, r.Arrived, o.Requests)
		}
		checkSeconds(t, r)
		if r.Shed+r.Failed+r.Lost == 0 && r.Seconds.Busy < r.Optimum.Serving*(1-1e-9) && c.Concurrency == 1 {
			t.Errorf("%s %+v %+v: busy for %v, which the optimum is for %v", name, o, c, r.Seconds.Busy, r.Optimum.Serving)
		}
	}
}

// checkSeconds holds the sums against what was recorded over time.
func checkSeconds(t *testing.T, r *Report) {
	t.Helper()
	var booting, busy, idle, frozen, optimum float64
	for _, p := range r.Series.Points {
		s := r.Series.Slice.Seconds()
		booting, busy, idle, frozen, optimum = booting+p.Booting*s, busy+p.Busy*s, idle+p.Idle*s, frozen+p.Frozen*s, optimum+p.Optimum*s
	}
	for _, c := range []struct {
		what     string
		got, sum float64
	}{
		{"booting", booting, r.Seconds.Booting}, {"busy", busy, r.Seconds.Busy}, {"frozen", frozen, r.Seconds.Frozen},
	} {
		if math.Abs(c.got-c.sum) > 1e-6*(1+c.sum) {
			t.Errorf("%s: %s for %v, and %v over time", r.Trace, c.what, c.sum, c.got)
		}
	}
}

func TestSeed(t *testing.T) {
	run := func(seed uint64) Report {
		tr := load(t, "production", trace.Options{Services: 50, Requests: 5000, Safe: 0.8, Seed: seed, Boot: time.Second})
		return *replay(t, tr, Config{Concurrency: 2, Kills: 5, Seed: seed})
	}
	if diff := cmp.Diff(run(4), run(4)); diff != "" {
		t.Errorf("the same seed gives other figures: %s", diff)
	}
	if cmp.Equal(run(4), run(5)) {
		t.Error("another seed gives the same figures")
	}
}

// TestKills is a day of mixed load with instances that die: what may be repeated,
// three times if it must, is served, the rest has failed, and nothing hangs.
func TestKills(t *testing.T) {
	tr := load(t, "production", trace.Options{Services: 200, Requests: 40_000, Safe: 0.8, Seed: 2, Boot: 300 * time.Millisecond, Length: 24 * time.Hour})
	r := replay(t, tr, Config{Concurrency: 8, MaxInstances: 100, Kills: 0.3, Attempts: 4, Seed: 2})
	if r.Kills == 0 || r.Retried == 0 || r.Failed == 0 {
		t.Errorf("nothing happened: %d kills, %d repeated, %d failed", r.Kills, r.Retried, r.Failed)
	}
	if r.Lost+r.Shed > 0 {
		t.Errorf("%d lost and %d turned away of %d, after %d kills", r.Lost, r.Shed, r.Arrived, r.Kills)
	}
}

// TestLimits: beyond what there may be, requests wait and are turned away, and
// the boots of a machine stand in line.
func TestLimits(t *testing.T) {
	o := trace.Options{Services: 1, Requests: 3000, Seed: 1, Boot: time.Second, Length: time.Minute, Work: 2 * time.Second}
	r := replay(t, load(t, "herd", o), Config{MaxInstances: 5, MaxQueue: 100, QueueTimeout: 10 * time.Second})
	if r.Shed == 0 || r.ShedWhy["the queue is full"] == 0 || r.LongestWait > 11 {
		t.Errorf("shed %d %v, longest wait %v s", r.Shed, r.ShedWhy, r.LongestWait)
	}
	o.Services = 100
	one := replay(t, load(t, "herd", o), Config{Machine: Machine{Cores: 1}, MaxInstances: 1, QueueTimeout: time.Hour})
	if one.LongestWait < 25 || one.Shed > 0 {
		t.Errorf("100 boots of a second, two to three at a time: the longest wait is %v s, %d shed", one.LongestWait, one.Shed)
	}
	o.Memory = 100 << 20
	few := replay(t, load(t, "herd", o), Config{Machine: Machine{MemoryBytes: 1 << 30}, MaxInstances: 1})
	if few.ShedWhy["the machine is full"] == 0 {
		t.Errorf("100 instances in the memory of ten: %v", few.ShedWhy)
	}
}

// TestIdle: an instance without requests is stopped after its time, and takes no
// memory any more.
func TestIdle(t *testing.T) {
	o := trace.Options{Services: 1, Requests: 3, Seed: 1, Boot: time.Second, Length: 10 * time.Hour}
	r := replay(t, load(t, "step", o), Config{Idle: time.Minute})
	if r.Stops < 2 || r.Seconds.Booted() > 4*60 || r.ColdStarts != 3 {
		t.Errorf("%d stops, %.0f s booted, %d cold starts", r.Stops, r.Seconds.Booted(), r.ColdStarts)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := Run(ctx, load(t, "step", trace.Options{Services: 1, Requests: 10}), Config{}); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

// BenchmarkProduction is ten million requests of ten thousand services (make
// simulate). It reports what docs/simulator.md shows.
func BenchmarkProduction(b *testing.B) {
	for _, concurrency := range []int{1, 8, 80} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) {
			for b.Loop() {
				tr := load(b, "production", trace.Options{Services: 10_000, Requests: 10_000_000, Safe: 0.8, Seed: 1, Boot: 300 * time.Millisecond})
				r := replay(b, tr, Config{Concurrency: concurrency, MaxInstances: 100_000, Seed: 1})
				boots, packing, freezing := r.Costs()
				b.ReportMetric(100*r.Over(), "%-over-optimum")
				b.ReportMetric(100*boots, "%-boots")
				b.ReportMetric(100*packing, "%-packing")
				b.ReportMetric(100*freezing, "%-freezing")
				b.ReportMetric(float64(r.Shed+r.Lost), "shed+lost")
				b.ReportMetric(r.LongestWait, "s-longest-wait")
			}
		})
	}
}
