package activator_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func TestIdleInstancesStopAndNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{Idle: 2 * time.Second}, revision(1, nil))
		w.acquire(t, w.rev(t, 1)).Release()
		time.Sleep(1900 * time.Millisecond)
		synctest.Wait()
		if n := len(w.engine.Running()); n != 1 {
			t.Fatalf("%d instances run before the idle time is over, want 1", n)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if n := len(w.engine.Running()); n != 0 {
			t.Fatalf("%d instances run after the idle time, want 0", n)
		}
		if n := w.Pools(); n != 0 {
			t.Errorf("%d pools are left at rest, want none", n)
		}
		w.acquire(t, w.rev(t, 1)).Release() // and back
	})
}

func TestBusyInstancesAreNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{Idle: 2 * time.Second}, revision(1, nil))
		l := w.acquire(t, w.rev(t, 1))
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(w.engine.Running()); n != 1 {
			t.Fatalf("%d instances run, want the one with a request", n)
		}
		l.Release()
	})
}

func TestMinimumIsKeptAndReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{Idle: 2 * time.Second},
			revision(1, func(r *sunya.Revision) { r.Scaling.Min = 2 }))
		rev := w.rev(t, 1)
		w.Warm(rev)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(w.engine.Running()); n != 2 {
			t.Fatalf("%d instances run, want the minimum of 2", n)
		}
		w.engine.Running()[0].End(sandbox.Exit{Code: 1})
		time.Sleep(2 * time.Second) // its output may still come for one
		synctest.Wait()
		if n := len(w.engine.Running()); n != 2 {
			t.Fatalf("%d instances run after one died, want 2", n)
		}
		w.Cool(rev)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := len(w.engine.Running()); n != 0 {
			t.Errorf("%d instances run after the traffic moved, want 0", n)
		}
	})
}

func TestMinimumThatCannotStartBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{Crash: func(*instancetest.Box) error { return errors.New("no") }},
			activator.Options{}, revision(1, func(r *sunya.Revision) { r.Scaling.Min = 1 }))
		w.Warm(w.rev(t, 1))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(w.engine.Boxes()); n < 15 || n > 30 {
			t.Errorf("%d starts in 10 min, want about one every 30 s", n)
		}
	})
}

func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{}, revision(1, nil))
		rev := w.rev(t, 1)
		l := w.acquire(t, rev)
		w.Drain(rev)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := len(w.engine.Running()); n != 1 {
			t.Fatal("a request was cut off")
		}
		late := w.acquire(t, rev) // routed just before
		late.Release()
		l.Release()
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if n := len(w.engine.Running()); n != 0 {
			t.Errorf("%d instances of an unrouted revision run", n)
		}
		w.acquire(t, rev).Release() // a very late one is served all the same
	})
}

func TestClientsThatGoAwayLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{Boot: time.Second}, activator.Options{Idle: 5 * time.Second},
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max = 2, 2 }))
		rev := w.rev(t, 1)
		var wg sync.WaitGroup
		for n := range 200 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n*10)*time.Millisecond)
				defer cancel()
				l, err := w.Acquire(ctx, rev, "")
				if err == nil {
					time.Sleep(7 * time.Millisecond)
					l.Release()
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error = %v", err)
				}
			})
		}
		wg.Wait()
		for _, i := range w.Instances() {
			if i.InFlight != 0 {
				t.Errorf("%s has %d requests in flight, want 0", i.ID, i.InFlight)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(w.engine.Running()) != 0 || w.Pools() != 0 {
			t.Errorf("%d instances and %d pools are left", len(w.engine.Running()), w.Pools())
		}
	})
}

func TestDeadInstancesAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{}, revision(1, nil))
		rev := w.rev(t, 1)
		for range 3 {
			l := w.acquire(t, rev)
			w.engine.Running()[0].End(sandbox.Exit{Code: 137, Signal: 9})
			l.Release()
		}
		w.acquire(t, rev).Release()
		if n := len(w.engine.Boxes()); n != 4 {
			t.Errorf("%d instances were started, want 4", n)
		}
	})
}

func TestWaitersSurviveTheDeathOfTheOnlyInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{Boot: 50 * time.Millisecond}, activator.Options{},
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max = 1, 1 }))
		rev := w.rev(t, 1)
		first := w.acquire(t, rev)
		var wg sync.WaitGroup
		wg.Go(func() { w.acquire(t, rev).Release() })
		synctest.Wait()
		w.engine.Running()[0].End(sandbox.Exit{Code: 1})
		first.Release()
		wg.Wait()
	})
}

func TestTargetUtilisationScalesBeforeTheLastSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{},
			revision(1, func(r *sunya.Revision) { r.Scaling.TargetUtil = 0.6 }))
		for range 7 {
			w.acquire(t, w.rev(t, 1))
		}
		synctest.Wait()
		if n := len(w.engine.Boxes()); n != 2 {
			t.Errorf("%d instances for 7 requests at a target of 6, want 2", n)
		}
	})
}

func TestAdoptedInstancesServeWithoutAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rev := instancetest.Revision(1)
		engine := &instancetest.Engine{}
		box := engine.New(sandbox.Spec{ID: "a", Kind: instance.Kind, Port: 8080,
			Labels: map[string]string{"revision": rev.Name, "revision-id": rev.ID}})
		w := newWorld(t, engine, activator.Options{}, rev)
		w.Adopt(t.Context(), []sandbox.Sandbox{box})
		if l := w.acquire(t, w.rev(t, 1)); l.Instance.ID() != "a" {
			t.Errorf("served by %s, want the adopted instance", l.Instance.ID())
		}
		if n := len(engine.Boxes()); n != 1 {
			t.Errorf("%d sandboxes, want the adopted one only", n)
		}
	})
}

func TestShutdownTellsWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{Boot: time.Minute}, activator.Options{}, revision(1, nil))
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := w.Acquire(t.Context(), w.rev(t, 1), ""); sunya.CodeOf(err) != sunya.Unavailable {
				t.Errorf("error = %v, want Unavailable", err)
			}
		})
		synctest.Wait()
		if err := w.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if _, err := w.Acquire(t.Context(), w.rev(t, 1), ""); sunya.CodeOf(err) != sunya.Unavailable {
			t.Errorf("after shutdown: %v, want Unavailable", err)
		}
	})
}

// Nobody waits while a slot is free, and no instance has more requests than
// its concurrency, whatever happens around it.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const concurrency = 3
		engine := &instancetest.Engine{Boot: 20 * time.Millisecond}
		w := newWorld(t, engine, activator.Options{Idle: 300 * time.Millisecond},
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max = concurrency, 4 }))
		rev := w.rev(t, 1)
		var inside sync.Map
		var served atomic.Int32
		var wg sync.WaitGroup
		for n := range 2000 {
			wg.Go(func() {
				time.Sleep(time.Duration(n*7919%4000) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+n*31%400)*time.Millisecond)
				defer cancel()
				l, err := w.Acquire(ctx, rev, "")
				if err != nil {
					return
				}
				v, _ := inside.LoadOrStore(l.Instance, new(atomic.Int32))
				if got := v.(*atomic.Int32).Add(1); got > concurrency {
					t.Errorf("%d requests in one instance, want at most %d", got, concurrency)
				}
				time.Sleep(time.Duration(n*17%9) * time.Millisecond)
				v.(*atomic.Int32).Add(-1)
				served.Add(1)
				l.Release()
			})
		}
		wg.Go(func() {
			for range 6 {
				time.Sleep(500 * time.Millisecond)
				if r := engine.Running(); len(r) > 0 {
					r[0].End(sandbox.Exit{Code: 1})
				}
			}
		})
		wg.Wait()
		if served.Load() < 1000 {
			t.Errorf("%d of 2000 were served", served.Load())
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(engine.Running()) != 0 || w.Pools() != 0 {
			t.Errorf("%d instances and %d pools are left", len(engine.Running()), w.Pools())
		}
	})
}
