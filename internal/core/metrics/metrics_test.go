package metrics

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// world is a World that a test sets.
type world struct {
	mu        sync.Mutex
	instances []sunya.Instance
	waiting   map[string]int
}

func (w *world) Instances() []sunya.Instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.instances
}

func (w *world) Waiting() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

func (w *world) set(instances ...sunya.Instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.instances = instances
}

func revision(n int) *sunya.Revision {
	service := fmt.Sprintf("projects/p/locations/l/services/s%d", n)
	return &sunya.Revision{Name: service + "/revisions/r", Service: service, Project: "p", Product: sunya.CloudRun}
}

func request(rev *sunya.Revision, status int, latency time.Duration) *served.Request {
	return &served.Request{Revision: rev, Begin: time.Now(), Latency: latency, Status: status, Instance: "i", Received: 3, Sent: 5}
}

func TestBucketsHoldWhatTheirBoundsSay(t *testing.T) {
	for n := range Buckets - 1 {
		if b := bucket(Bound(n)); b != n {
			t.Errorf("bucket(%v) = %d, want %d", Bound(n), b, n)
		}
		if b := bucket(Bound(n) + 1); b != n+1 {
			t.Errorf("bucket(%v) = %d, want %d", Bound(n)+1, b, n+1)
		}
	}
	for _, d := range []time.Duration{0, 1, time.Hour, 1<<63 - 1} {
		if b := bucket(d); b < 0 || b >= Buckets || d > Bound(b) {
			t.Errorf("bucket(%v) = %d", d, b)
		}
	}
}

func TestQuantilesAreAsExactAsTheBuckets(t *testing.T) {
	var h histogram
	for range 10_000 {
		h.add(time.Duration(rand.Int64N(int64(time.Second))))
	}
	d := h.read()
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.95: 950 * time.Millisecond} {
		if got := d.Quantile(q); float64(got) < float64(want)/1.5 || float64(got) > float64(want)*1.5 {
			t.Errorf("quantile %v = %v, want about %v", q, got, want)
		}
	}
	if (&Distribution{}).Quantile(0.5) != 0 {
		t.Error("a quantile of nothing")
	}
}

func TestRequestsAreCountedByClass(t *testing.T) {
	g := New(time.Now)
	for _, status := range []int{101, 200, 204, 302, 404, 499, 500, 503, 0} {
		g.Observe(request(revision(1), status, time.Millisecond))
	}
	shed := request(revision(1), 429, 0)
	shed.Instance = ""
	g.Observe(shed)
	got := g.Snapshot()
	if len(got) != 1 || got[0].Requests != [Classes]int64{2, 2, 1, 3, 2} || got[0].Shed != 1 || got[0].Latency.Count() != 10 || got[0].Received != 30 || got[0].Sent != 50 {
		t.Errorf("snapshot %+v", got)
	}
	if want := (served.Subject{Project: "p", Product: "run", Location: "l", Service: "s1", Revision: "r"}); got[0].Subject != want {
		t.Errorf("subject %+v", got[0].Subject)
	}
}

func TestLivesAreCounted(t *testing.T) {
	g := New(time.Now)
	now := time.Now()
	a, b, c := g.Born(revision(1), "a"), g.Born(revision(1), "b"), g.Born(revision(1), "c")
	a.Ready(now, time.Second, true)
	b.Ready(now, time.Second, false)
	a.Thawed(now, time.Millisecond)
	c.Ended(now, served.Used{})
	a.Ended(now, served.Used{})
	s := g.Snapshot()[0]
	if s.Starts != 2 || s.Cold.Count() != 1 || s.Cold.Sum != time.Second || s.Thaw.Count() != 1 || s.Failures != 1 || s.Ends != 1 {
		t.Errorf("snapshot %+v", s)
	}
}

// running is a registry that samples on the virtual clock.
func running(t *testing.T) (*Registry, *world) {
	g, w := New(time.Now), &world{}
	g.SetWorld(w)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return g, w
}

func TestPastIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, w := running(t)
		begin := time.Now()
		w.set(sunya.Instance{Revision: revision(1).Name, State: sunya.InstanceReady, InFlight: 2})
		for range 60 {
			g.Observe(request(revision(1), 200, 10*time.Millisecond))
			time.Sleep(time.Second)
		}
		w.set(sunya.Instance{Revision: revision(1).Name, State: sunya.InstanceFrozen})
		time.Sleep(10 * time.Minute)
		w.set()
		g.Born(revision(1), "").Ended(time.Now(), served.Used{})
		time.Sleep(10 * time.Minute)
		for name, step := range map[string]time.Duration{"fine": 0, "coarse": time.Minute} {
			length, steps := g.Past("p", "s1", begin, step)
			var requests, failures int64
			frozen := time.Duration(0)
			for _, s := range steps {
				requests += s.Requests[1]
				failures += s.Failures
				frozen += time.Duration(s.States.Frozen) * length
			}
			if requests != 60 || failures != 1 || frozen < 9*time.Minute || frozen > 12*time.Minute {
				t.Errorf("%s: %d requests, %d failures, frozen for %v", name, requests, failures, frozen)
			}
			if p := steps[len(steps)-1]; p.States != (States{}) || p.InFlight != 0 {
				t.Errorf("%s: at the end %+v", name, p)
			}
		}
		if _, steps := g.Past("p", "other", begin, 0); steps[0].Requests[1] != 0 {
			t.Error("another service has its requests")
		}
	})
}

func TestMinutesSayWhatIsTrueAtTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, w := running(t)
		five := make([]sunya.Instance, 5)
		for i := range five {
			five[i] = sunya.Instance{Revision: revision(1).Name, State: sunya.InstanceReady}
		}
		w.set(five...)
		g.Observe(request(revision(1), 200, 0))
		time.Sleep(25 * time.Second)
		w.set(five[:2]...)
		g.Observe(request(revision(1), 200, 0))
		time.Sleep(3 * time.Hour)
		_, steps := g.Past("", "", time.Now().Add(-2*time.Hour), 0)
		if got := steps[len(steps)-1].States.Ready; got != 2 {
			t.Errorf("%d instances, want 2", got)
		}
	})
}

func TestRestCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := running(t)
		for n := range 10_000 {
			g.Observe(request(revision(n), 200, 0))
		}
		time.Sleep(time.Minute)
		if n := len(g.Snapshot()); n > maxRevisions {
			t.Errorf("%d revisions are remembered", n)
		}
		if g.past.points > maxPoints {
			t.Errorf("%d points", g.past.points)
		}
		time.Sleep(2 * time.Hour)
		g.Observe(request(revision(1), 200, 0))
		time.Sleep(time.Minute)
		if n := len(g.Snapshot()); n != 1 {
			t.Errorf("%d revisions are remembered after two hours, want the one of now", n)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	g := New(time.Now)
	rev := revision(1)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := request(rev, 200, 3*time.Millisecond)
		for pb.Next() {
			g.Observe(r)
		}
	})
}

func TestFrozenInstancesKeepNothingAwake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, w := running(t)
		w.set(sunya.Instance{Revision: revision(1).Name, State: sunya.InstanceReady})
		l := g.Born(revision(1), "i")
		l.Ready(time.Now(), time.Second, true)
		time.Sleep(time.Minute)
		w.set(sunya.Instance{Revision: revision(1).Name, State: sunya.InstanceFrozen})
		l.Frozen(time.Now(), served.Used{})
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if g.awake.Load() || len(g.past.services) != 1 {
			t.Error("it still samples")
		}
		synctest.Wait() // for the sampler, whose figures are looked at
		before := g.past.points
		time.Sleep(time.Hour)
		synctest.Wait()
		if g.past.points != before {
			t.Errorf("%d points became %d while nothing happened", before, g.past.points)
		}
	})
}
