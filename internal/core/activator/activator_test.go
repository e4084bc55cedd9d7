package activator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// world is an activator with everything below it.
type world struct {
	*activator.Activator
	engine  *instancetest.Engine
	catalog *serving.Catalog
}

// newWorld must be called inside a synctest bubble; everything ends with the
// test, which fails if something is left.
func newWorld(t *testing.T, engine *instancetest.Engine, o activator.Options, revs ...sunya.Revision) *world {
	t.Helper()
	catalog := serving.NewCatalog(&instancetest.Store{}, instancetest.Quiet())
	m := instance.New(instance.Parts{
		Engine: engine, Directory: catalog, Now: time.Now, Log: instancetest.Quiet(),
	}, instance.Options{})
	w := &world{engine: engine, catalog: catalog, Activator: activator.New(m, o, time.Now, instancetest.Quiet())}
	for _, rev := range revs {
		if err := instancetest.Deploy(t.Context(), catalog, rev); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var runs sync.WaitGroup
	runs.Go(func() { w.Run(ctx) })
	runs.Go(func() { m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		runs.Wait()
		if err := w.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if n := len(engine.Running()); n != 0 {
			t.Errorf("%d sandboxes are left", n)
		}
	})
	return w
}

func (w *world) rev(t *testing.T, n int) *sunya.Revision {
	t.Helper()
	rev, ok := w.catalog.Revision(instancetest.Revision(n).Name)
	if !ok {
		t.Fatalf("no revision %d", n)
	}
	return rev
}

func (w *world) acquire(t *testing.T, rev *sunya.Revision) *activator.Lease {
	t.Helper()
	l, err := w.Acquire(t.Context(), rev)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func revision(n int, change func(*sunya.Revision)) sunya.Revision {
	rev := instancetest.Revision(n)
	if change != nil {
		change(&rev)
	}
	return rev
}

func TestFirstRequestStartsAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{Boot: 200 * time.Millisecond}, activator.Options{}, revision(1, nil))
		begin := time.Now()
		l := w.acquire(t, w.rev(t, 1))
		if took := time.Since(begin); took != 200*time.Millisecond || !l.ColdStart {
			t.Errorf("took %v, cold = %v", took, l.ColdStart)
		}
		l.Release()
		l.Release() // twice is no error
		second := w.acquire(t, w.rev(t, 1))
		if second.ColdStart || second.Instance != l.Instance {
			t.Error("the second request did not use the running instance")
		}
		second.Release()
	})
}

func TestRequestsShareTheStartThatAbsorbsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{Boot: time.Second}, activator.Options{},
			revision(1, func(r *sunya.Revision) { r.Concurrency = 4 }))
		var wg sync.WaitGroup
		for range 9 { // 4 + 4 + 1
			wg.Go(func() { w.acquire(t, w.rev(t, 1)) })
		}
		wg.Wait()
		if n := len(w.engine.Boxes()); n != 3 {
			t.Errorf("%d instances for 9 requests of concurrency 4, want 3", n)
		}
	})
}

func TestMaxBoundsAndWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{},
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max = 1, 1 }))
		first := w.acquire(t, w.rev(t, 1))
		var order []int
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				l := w.acquire(t, w.rev(t, 1))
				order = append(order, n) // concurrency is 1: nobody else is here
				l.Release()
			})
			synctest.Wait() // n is in the queue
		}
		first.Release()
		wg.Wait()
		for i, n := range order {
			if i != n {
				t.Fatalf("order = %v, want that of arrival", order)
			}
		}
		if n := len(w.engine.Boxes()); n != 1 {
			t.Errorf("%d instances, want 1", n)
		}
	})
}

func TestTheFullestInstanceIsFilledFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{},
			revision(1, func(r *sunya.Revision) { r.Concurrency = 2 }))
		rev := w.rev(t, 1)
		a, b, c := w.acquire(t, rev), w.acquire(t, rev), w.acquire(t, rev)
		if a.Instance != b.Instance || b.Instance == c.Instance {
			t.Fatal("want two in the first instance, one in the second")
		}
		a.Release()
		b.Release()
		if d := w.acquire(t, rev); d.Instance != c.Instance {
			t.Error("the idle instance was used although the loaded one had a slot")
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{Boot: time.Second}, activator.Options{MaxQueue: 3},
			revision(1, func(r *sunya.Revision) { r.Scaling.Max = 1 }))
		var refused atomic.Int32
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				l, err := w.Acquire(t.Context(), w.rev(t, 1))
				if err == nil {
					l.Release()
					return
				}
				if sunya.CodeOf(err) != sunya.ResourceExhausted || activator.RetryAfter(err) != time.Second {
					t.Errorf("error = %v", err)
				}
				refused.Add(1)
			})
		}
		wg.Wait()
		if refused.Load() != 7 {
			t.Errorf("%d were refused, want 7", refused.Load())
		}
	})
}

func TestQueueHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{QueueTimeout: time.Minute},
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max = 1, 1 }))
		w.acquire(t, w.rev(t, 1))
		begin := time.Now()
		_, err := w.Acquire(t.Context(), w.rev(t, 1))
		if sunya.CodeOf(err) != sunya.ResourceExhausted || time.Since(begin) != time.Minute {
			t.Errorf("error after %v = %v", time.Since(begin), err)
		}
	})
}

func TestFailedStartTellsEveryWaiterAndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		w := newWorld(t, &instancetest.Engine{Boot: time.Second, Crash: func(*instancetest.Box) error {
			if broken {
				return errors.New("ModuleNotFoundError: no module named flask")
			}
			return nil
		}}, activator.Options{}, revision(1, nil))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, err := w.Acquire(t.Context(), w.rev(t, 1))
				if sunya.CodeOf(err) != sunya.Unavailable || !strings.Contains(fmt.Sprint(err), "exited with status 1") {
					t.Errorf("error = %v", err)
				}
			})
		}
		wg.Wait()
		if n := len(w.engine.Boxes()); n != 1 {
			t.Errorf("%d starts for one failure, want 1", n)
		}
		begin := time.Now()
		_, err := w.Acquire(t.Context(), w.rev(t, 1))
		if time.Since(begin) != 0 || activator.RetryAfter(err) == 0 || !strings.Contains(fmt.Sprint(err), "exited with status 1") {
			t.Errorf("during back-off: %v after %v, want the reason at once", err, time.Since(begin))
		}
		broken = false
		time.Sleep(time.Second)
		w.acquire(t, w.rev(t, 1)).Release()
	})
}

func TestProve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		w := newWorld(t, &instancetest.Engine{Crash: func(*instancetest.Box) error {
			if broken {
				return errors.New("SyntaxError: invalid syntax")
			}
			return nil
		}}, activator.Options{}, revision(1, nil))
		err := w.Prove(t.Context(), w.rev(t, 1))
		var e *sunya.Error
		if !errors.As(err, &e) || e.Reason != sunya.ReasonRevisionNotReady {
			t.Fatalf("error = %v, want REVISION_NOT_READY", err)
		}
		var l interface{ LogLines() []string }
		if !errors.As(err, &l) || len(l.LogLines()) != 1 || l.LogLines()[0] != "SyntaxError: invalid syntax" {
			t.Errorf("the error lacks the program's last lines: %v", err)
		}
		broken = false
		if err := w.Prove(t.Context(), w.rev(t, 1)); err != nil { // no back-off stands in its way
			t.Fatal(err)
		}
		if l := w.acquire(t, w.rev(t, 1)); l.ColdStart {
			t.Error("the proven instance was not kept for the first request")
		}
	})
}

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
				l, err := w.Acquire(ctx, rev)
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
		engine.Left = []sandbox.Sandbox{box}
		w := newWorld(t, engine, activator.Options{}, rev)
		if err := w.Adopt(t.Context()); err != nil {
			t.Fatal(err)
		}
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
			if _, err := w.Acquire(t.Context(), w.rev(t, 1)); sunya.CodeOf(err) != sunya.Unavailable {
				t.Errorf("error = %v, want Unavailable", err)
			}
		})
		synctest.Wait()
		if err := w.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if _, err := w.Acquire(t.Context(), w.rev(t, 1)); sunya.CodeOf(err) != sunya.Unavailable {
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
				l, err := w.Acquire(ctx, rev)
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
