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
	catalog := serving.NewCatalog(&instancetest.Store{})
	m := instance.New(instance.Parts{
		Engine: engine, Directory: catalog, Now: time.Now, Log: instancetest.Quiet(),
	})
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
	l, err := w.Acquire(t.Context(), rev, "")
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

// TestHungInstanceIsReplaced (F4): the next request meets another instance, and
// the one that does not answer ends with its last request.
func TestHungInstanceIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{},
			revision(1, func(r *sunya.Revision) { r.Concurrency = 4 }))
		late, other := w.acquire(t, w.rev(t, 1)), w.acquire(t, w.rev(t, 1))
		late.Hang()
		late.Release()
		next := w.acquire(t, w.rev(t, 1))
		if next.Instance == late.Instance {
			t.Error("the next request was given to the instance that hangs")
		}
		if n := len(w.engine.Running()); n != 2 {
			t.Errorf("%d instances run, want 2: a request is still in the one that hangs", n)
		}
		other.Release()
		synctest.Wait()
		if n := len(w.engine.Running()); n != 1 {
			t.Errorf("%d instances run, want 1", n)
		}
		next.Release()
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
				l, err := w.Acquire(t.Context(), w.rev(t, 1), "")
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
			revision(1, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max, r.StartTimeout = 1, 1, 4*time.Minute }))
		w.acquire(t, w.rev(t, 1))
		begin := time.Now()
		_, err := w.Acquire(t.Context(), w.rev(t, 1), "")
		if sunya.CodeOf(err) != sunya.ResourceExhausted || time.Since(begin) != time.Minute {
			t.Errorf("error after %v = %v", time.Since(begin), err)
		}
	})
}

// TestAStartMayTakeLongerThanTheQueueHolds: a request waits for an instance as
// long as that may take to start.
func TestAStartMayTakeLongerThanTheQueueHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{Boot: 3 * time.Minute}, activator.Options{QueueTimeout: time.Minute},
			revision(1, func(r *sunya.Revision) { r.StartTimeout = 4 * time.Minute }))
		begin := time.Now()
		if l := w.acquire(t, w.rev(t, 1)); l == nil || time.Since(begin) != 3*time.Minute {
			t.Errorf("got a slot after %v", time.Since(begin))
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
				_, err := w.Acquire(t.Context(), w.rev(t, 1), "")
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
		_, err := w.Acquire(t.Context(), w.rev(t, 1), "")
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

func TestTryAcquireNeverWaitsOrThaws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{Boot: time.Second}, activator.Options{},
			revision(1, func(r *sunya.Revision) { r.Concurrency = 2 }))
		rev := w.rev(t, 1)
		if w.TryAcquire(new(activator.Lease), rev, "") {
			t.Error("a slot without an instance")
		}
		first := w.acquire(t, rev)
		if first.Waited != time.Second {
			t.Errorf("waited %v, want the boot of 1s", first.Waited)
		}
		second := new(activator.Lease)
		ok := w.TryAcquire(second, rev, "")
		if !ok || second.Instance != first.Instance || second.Thawed || second.Waited != 0 {
			t.Fatalf("TryAcquire = %+v, %v", second, ok)
		}
		if w.TryAcquire(new(activator.Lease), rev, "") {
			t.Error("a third slot of two")
		}
		first.Release()
		second.Release()
		time.Sleep(5 * time.Second)
		if w.TryAcquire(new(activator.Lease), rev, "") {
			t.Error("a slot in a frozen instance")
		}
		l := w.acquire(t, rev)
		if !l.Thawed {
			t.Error("it was not frozen")
		}
		if other := new(activator.Lease); !w.TryAcquire(other, rev, "") {
			t.Error("no slot in an instance that was thawed")
		} else {
			other.Release()
		}
		l.Release()
	})
}
