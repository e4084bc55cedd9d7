package activator_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/room"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

const mib = 1 << 20

// several returns revisions 1 to n; a quarter of 400 MiB is what one is taken to
// need.
func several(n int, change func(*sunya.Revision)) []sunya.Revision {
	var out []sunya.Revision
	for i := range n {
		out = append(out, revision(i+1, func(r *sunya.Revision) {
			r.MemoryBytes = 400 * mib
			if change != nil {
				change(r)
			}
		}))
	}
	return out
}

func TestTheLongestIdleInstanceMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &instancetest.Engine{}, activator.Options{MaxMemory: 300 * mib}, several(4, nil)...)
		for n := range 3 {
			w.acquire(t, w.rev(t, n+1)).Release()
			time.Sleep(3 * time.Second)
		}
		first := w.acquire(t, w.rev(t, 1)) // the second is idle for longest now
		first.Release()
		time.Sleep(3 * time.Second)
		begin := time.Now()
		w.acquire(t, w.rev(t, 4)).Release()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it took %v to make room", took)
		}
		synctest.Wait()
		got := map[string]bool{}
		for _, i := range w.Instances() {
			got[i.Revision] = true
		}
		for n, want := range []bool{true, false, true, true} {
			if got[w.rev(t, n+1).Name] != want {
				t.Errorf("instances of %v; revision %d is there: want %v", got, n+1, want)
			}
		}
	})
}

func TestMinimumAndBusyInstancesAreNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		revs := several(3, nil)
		revs[0].Scaling.Min = 1
		w := newWorld(t, &instancetest.Engine{}, activator.Options{MaxMemory: 200 * mib}, revs...)
		w.Warm(w.rev(t, 1))
		busy := w.acquire(t, w.rev(t, 2))
		time.Sleep(time.Minute)
		begin := time.Now()
		_, err := w.Acquire(t.Context(), w.rev(t, 3), "")
		if sunya.CodeOf(err) != sunya.Unavailable || activator.RetryAfter(err) != 10*time.Second {
			t.Errorf("error = %v, after %v", err, activator.RetryAfter(err))
		}
		if took := time.Since(begin); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("it was refused after %v, want 10 s", took)
		}
		if _, err := w.Acquire(t.Context(), w.rev(t, 3), ""); err == nil || time.Since(begin) > 11*time.Second {
			t.Errorf("the next was not refused at once: %v after %v", err, time.Since(begin))
		}
		busy.Release()
		time.Sleep(3 * time.Second)
		w.acquire(t, w.rev(t, 3)).Release() // the second is idle now
	})
}

func TestBootsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		engine := &instancetest.Engine{Boot: time.Second, Crash: func(*instancetest.Box) error {
			now.Add(-1)
			return nil
		}}
		engine.Refuse = func(sandbox.Spec) error {
			n := now.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			return nil
		}
		w := newWorld(t, engine, activator.Options{Machine: func() room.Machine { return room.Machine{Cores: 2} }}, several(50, nil)...)
		begin := time.Now()
		var wg sync.WaitGroup
		for n := range 50 {
			wg.Go(func() { w.acquire(t, w.rev(t, n+1)).Release() })
		}
		wg.Wait()
		if most.Load() != 4 {
			t.Errorf("%d booted at once on two cores, want 4", most.Load())
		}
		if took := time.Since(begin); took > 14*time.Second {
			t.Errorf("fifty boots of a second took %v four at a time", took)
		}
	})
}

// TestNeedlessStartsAreNotMade: the first instances serve the burst before the
// turn of the others comes.
func TestNeedlessStartsAreNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &instancetest.Engine{Boot: time.Second}
		w := newWorld(t, engine, activator.Options{Machine: func() room.Machine { return room.Machine{Cores: 1} }},
			revision(1, func(r *sunya.Revision) { r.Concurrency = 1 }))
		var wg sync.WaitGroup
		for range 15 {
			wg.Go(func() {
				l := w.acquire(t, w.rev(t, 1))
				time.Sleep(time.Millisecond)
				l.Release()
			})
		}
		wg.Wait()
		time.Sleep(5 * time.Second)
		if n := len(engine.Boxes()); n > 4 {
			t.Errorf("%d instances were started for a burst of 15 requests of 1 ms, two at a time", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if w.Pools() != 0 {
			t.Error("a pool is left")
		}
	})
}

// TestStormOnAFullMachine: many services share room for a few; every wait ends, the
// sum is never exceeded, and nothing is left.
func TestStormOnAFullMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const services, fit = 20, 5
		engine := &instancetest.Engine{Boot: 300 * time.Millisecond}
		w := newWorld(t, engine, activator.Options{
			Idle: 20 * time.Second, MaxMemory: fit * 100 * mib,
			Machine: func() room.Machine { return room.Machine{Cores: 2} },
		}, several(services, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max = 2, 3 })...)
		var served, refused atomic.Int32
		var wg sync.WaitGroup
		for n := range 2000 {
			wg.Go(func() {
				time.Sleep(time.Duration(n*7919%60000) * time.Millisecond)
				begin := time.Now()
				l, err := w.Acquire(t.Context(), w.rev(t, n*31%services+1), "")
				if took := time.Since(begin); took > 80*time.Second {
					t.Errorf("a wait took %v: %v", took, err)
				}
				if err != nil {
					if activator.RetryAfter(err) == 0 {
						t.Errorf("refused without a time to come again: %v", err)
					}
					refused.Add(1)
					return
				}
				served.Add(1)
				time.Sleep(time.Duration(n*17%400) * time.Millisecond)
				l.Release()
			})
		}
		stop := make(chan struct{})
		var watch sync.WaitGroup
		watch.Go(func() {
			for tick := time.Tick(100 * time.Millisecond); ; {
				select {
				case <-tick:
					if n := len(engine.Running()); n > fit {
						t.Errorf("%d instances run where %d fit", n, fit)
					}
				case <-stop:
					return
				}
			}
		})
		wg.Wait()
		close(stop)
		watch.Wait()
		if served.Load() < 1800 || served.Load()+refused.Load() != 2000 {
			t.Errorf("%d served, %d refused, of 2000", served.Load(), refused.Load())
		}
		t.Logf("%d served, %d refused, %d instances", served.Load(), refused.Load(), len(engine.Boxes()))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(engine.Running()) != 0 || w.Pools() != 0 {
			t.Errorf("%d instances and %d pools are left", len(engine.Running()), w.Pools())
		}
	})
}
