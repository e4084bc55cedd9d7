package activator_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func running(w *world) int {
	synctest.Wait()
	return len(w.engine.Running())
}

func TestIdleInstancesAreKeptBesidesTheBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{Idle: 2 * time.Second},
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.MinIdle = 1, 2 }))
		rev := w.rev(t, 1)
		l := w.acquire(t, rev)
		l.Release()
		time.Sleep(time.Minute)
		if n := running(w); n != 0 {
			t.Fatalf("%d instances of a revision without traffic run, want 0", n)
		}
		w.Warm(rev)
		if n := running(w); n != 2 {
			t.Fatalf("%d instances run at rest, want 2 idle ones", n)
		}
		a, b := w.acquire(t, rev), w.acquire(t, rev)
		if n := running(w); n != 4 {
			t.Errorf("%d instances run with 2 busy, want 4", n)
		}
		a.Release()
		b.Release()
		time.Sleep(time.Minute)
		if n := running(w); n != 2 {
			t.Errorf("%d instances run at rest again, want 2", n)
		}
		w.Cool(rev)
		time.Sleep(time.Minute)
		if n := running(w); n != 0 {
			t.Errorf("%d instances run after the traffic left, want 0", n)
		}
	})
}

func TestTooManyIdleInstancesGoSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{Idle: time.Hour},
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.MaxIdle = 1, 1 }))
		rev := w.rev(t, 1)
		var leases []*activator.Lease
		for range 5 {
			leases = append(leases, w.acquire(t, rev))
		}
		for _, l := range leases[1:] {
			l.Release()
		}
		if n := running(w); n != 5 {
			t.Fatalf("%d instances run right after a burst, want all 5", n)
		}
		time.Sleep(25 * time.Second)
		if n := running(w); n != 2 {
			t.Errorf("%d instances run, want the busy one and one idle", n)
		}
		leases[0].Release()
		time.Sleep(25 * time.Second)
		if n := running(w); n != 1 {
			t.Errorf("%d instances run at rest, want 1", n)
		}
	})
}

func TestAFixedNumberIsThereWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{Idle: time.Second},
			revision(1, func(r *sunya.Revision) {
				r.Concurrency, r.Scaling = 1, sunya.Scaling{Min: 3, Max: 3, Always: true, NoFreeze: true}
			}))
		rev := w.rev(t, 1)
		w.Cool(rev)
		if n := running(w); n != 3 {
			t.Fatalf("%d instances run, want 3", n)
		}
		var wg sync.WaitGroup
		for range 9 {
			wg.Go(func() {
				l, err := w.Acquire(t.Context(), rev, "")
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Second)
				l.Release()
			})
		}
		wg.Wait()
		w.engine.Running()[1].End(sandbox.Exit{Code: 1})
		time.Sleep(time.Hour)
		if n := running(w); n != 3 {
			t.Errorf("%d instances run after a burst and a crash, want 3", n)
		}
		if n := len(w.engine.Boxes()); n != 4 {
			t.Errorf("%d instances were started, want 3 and one more", n)
		}
		for _, i := range w.Instances() {
			if i.State != sunya.InstanceReady {
				t.Errorf("%s is %s, want never frozen", i.ID, i.State)
			}
		}
		w.Drain(rev)
		time.Sleep(3 * time.Second)
		if n := running(w); n != 0 {
			t.Errorf("%d instances of an unreachable revision run, want 0", n)
		}
	})
}

func TestDefaultMaximumGivesWayToTheMinimum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{MaxInstances: 2},
			revision(1, func(r *sunya.Revision) { r.Scaling.Min = 4 }))
		w.Warm(w.rev(t, 1))
		if n := running(w); n != 4 {
			t.Errorf("%d instances run, want the 4 that were asked for", n)
		}
	})
}

func TestRequestsWaitBeforeAnotherInstanceIsStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{},
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.MinPending = 1, 3*time.Second }))
		rev := w.rev(t, 1)
		begin := time.Now()
		first := w.acquire(t, rev)
		if waited := time.Since(begin); waited > time.Second {
			t.Fatalf("the first request waited %v for the first instance", waited)
		}
		got := make(chan *activator.Lease)
		wait := func() {
			l, err := w.Acquire(t.Context(), rev, "")
			if err != nil {
				t.Error(err)
			}
			got <- l
		}
		go wait()
		time.Sleep(2 * time.Second)
		first.Release() // soon enough
		second := <-got
		if n := running(w); n != 1 {
			t.Fatalf("%d instances run, want the one that became free", n)
		}
		begin = time.Now()
		go wait()
		third := <-got
		if waited := time.Since(begin).Round(time.Second); waited != 3*time.Second {
			t.Errorf("another instance was there after %v, want 3s", waited)
		}
		second.Release()
		third.Release()
	})
}

func TestEndTakesOneInstanceAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{}, revision(1, nil))
		rev := w.rev(t, 1)
		if err := w.End(t.Context(), rev.Name, "nobody", "deleted"); sunya.CodeOf(err) != sunya.NotFound {
			t.Errorf("End of nobody = %v, want NotFound", err)
		}
		l := w.acquire(t, rev)
		begin := time.Now()
		go func() { time.Sleep(10 * time.Second); l.Release() }()
		if err := w.End(t.Context(), rev.Name, l.Instance.ID(), "deleted"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("it ended after %v, want when its request was over", took)
		}
		stuck := w.acquire(t, rev)
		if stuck.Instance == l.Instance {
			t.Error("a request met the instance that was to end")
		}
		if err := w.End(t.Context(), rev.Name, stuck.Instance.ID(), "deleted"); err != nil {
			t.Fatal(err)
		}
		if n := running(w); n != 0 {
			t.Errorf("%d instances run", n)
		}
		stuck.Release()
	})
}

// An instance that somebody waits for is not warmed up first; one that is
// started ahead is.
func TestWarmUpIsForInstancesThatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		warmed := map[string]bool{}
		engine := &instancetest.Engine{Handler: func(b *instancetest.Box) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				warmed[b.Spec().ID] = true
			})
		}}
		w := newWorld(t, engine, activator.Options{}, revision(1, func(r *sunya.Revision) {
			r.Concurrency, r.Scaling.TargetUtil, r.Lifecycle.WarmUp = 2, 0.5, sunya.Call{Path: "/warm"}
		}))
		rev := w.rev(t, 1)
		cold := w.acquire(t, rev)
		defer cold.Release()
		mu.Lock()
		if len(warmed) != 0 {
			t.Error("the first instance was warmed up while a request waited")
		}
		mu.Unlock()
		ahead := w.acquire(t, rev) // in the second slot: above the target
		defer ahead.Release()
		if n := running(w); n != 2 {
			t.Fatalf("%d instances run, want 2", n)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(warmed) != 1 || warmed[cold.Instance.ID()] {
			t.Errorf("warmed up: %v, want the second only", warmed)
		}
	})
}

func TestProofWarmsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 10)
		engine := &instancetest.Engine{Handler: func(*instancetest.Box) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.URL.Path })
		}}
		w := newWorld(t, engine, activator.Options{}, revision(1, func(r *sunya.Revision) {
			r.Lifecycle = sunya.Lifecycle{Start: sunya.Call{Path: "/start"}, WarmUp: sunya.Call{Path: "/warm"}}
		}))
		if err := w.Prove(context.Background(), w.rev(t, 1)); err != nil {
			t.Fatal(err)
		}
		if a, b := <-got, <-got; a != "/start" || b != "/warm" {
			t.Errorf("requests %s, %s", a, b)
		}
	})
}

func TestServicesBoundTheirRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{Idle: 2 * time.Second},
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Min, r.Scaling.Max = 1, 1, 5 }))
		rev := w.rev(t, 1)
		want := func(n int, when string) {
			t.Helper()
			time.Sleep(time.Minute)
			if got := running(w); got != n {
				t.Errorf("%d instances run %s, want %d", got, when, n)
			}
		}
		w.Bound(rev, sunya.Bounds{Min: 3})
		want(3, "with a minimum of the service")
		w.Bound(rev, sunya.Bounds{Min: 2, Max: 2, Limited: true})
		want(2, "at a fixed number")
		for range 2 {
			w.acquire(t, rev)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.Acquire(ctx, rev, ""); err == nil {
			t.Error("a third instance was started")
		}
		w.Bound(rev, sunya.Bounds{})
		w.acquire(t, rev)
		want(3, "without a limit of the service")
	})
}

func TestAServiceOfNoInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{Idle: 2 * time.Second}, revision(1, func(*sunya.Revision) {}))
		rev := w.rev(t, 1)
		w.Bound(rev, sunya.Bounds{Limited: true})
		_, err := w.Acquire(t.Context(), rev, "")
		if sunya.CodeOf(err) != sunya.Unavailable || !strings.Contains(err.Error(), "scaled to 0") {
			t.Errorf("error = %v", err)
		}
	})
}
