package instance_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// healthy answers /healthz with 200 while it is well, and counts how often it
// was asked.
type healthy struct {
	ill   atomic.Bool
	asked atomic.Int32
}

func (h *healthy) engine() *instancetest.Engine {
	return &instancetest.Engine{Handler: func(*instancetest.Box) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			h.asked.Add(1)
			if h.ill.Load() {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
	}}
}

func healthz(period time.Duration) *sunya.Probe {
	return &sunya.Probe{HTTP: &sunya.HTTPProbe{Path: "/healthz"}, Period: period}
}

func TestStartupProbeDecidesReadiness(t *testing.T) {
	rev := instancetest.Revision(1)
	rev.Startup = healthz(2 * time.Second)
	for _, c := range []struct {
		ill  bool
		want string
	}{
		{false, ""},
		{true, "the startup probe (GET :8080/healthz) failed 3 times in a row: it answered 500 Internal Server Error"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var h healthy
			h.ill.Store(c.ill)
			w := newWorld(t, rev, h.engine())
			inst, err := w.Start(t.Context(), w.rev, instance.ColdStart)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				defer inst.Stop(t.Context(), "the test ends")
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(w.messages(), c.want) {
				t.Errorf("error = %v, log = %s, want %q", err, w.messages(), c.want)
			}
			if n := len(w.engine.Running()); n != 0 {
				t.Errorf("%d sandboxes are left", n)
			}
		})
	}
}

func TestLivenessProbeEndsAnInstance(t *testing.T) {
	rev := instancetest.Revision(1)
	rev.Scaling.NoFreeze = true
	rev.Liveness = healthz(10 * time.Second)
	rev.Liveness.Delay = time.Minute
	synctest.Test(t, func(t *testing.T) {
		var h healthy
		w := newWorld(t, rev, h.engine())
		inst := w.start(t)
		time.Sleep(59 * time.Second)
		if n := h.asked.Load(); n != 0 {
			t.Errorf("asked %d times before its delay is over", n)
		}
		time.Sleep(time.Minute)
		h.ill.Store(true)
		if n := h.asked.Load(); n != 6 {
			t.Errorf("asked %d times in a minute, want 6", n)
		}
		begin := time.Now()
		<-inst.Done()
		if took := time.Since(begin); took < 20*time.Second || took > 30*time.Second {
			t.Errorf("ended after %v, want three periods at most", took)
		}
		want := "killed: the liveness probe (GET :8080/healthz) failed 3 times in a row: it answered 500"
		if got := w.messages(); strings.Contains(got, "exited") || strings.Count(got, want) != 1 {
			t.Errorf("log = %s, want %q once", got, want)
		}
		if _, err := inst.Enter(t.Context()); err == nil {
			t.Error("it still takes requests")
		}
	})
}

// TestLivenessProbePausesWhileFrozen: neither does a question wake an instance,
// nor is one that could not answer counted.
func TestLivenessProbePausesWhileFrozen(t *testing.T) {
	rev := instancetest.Revision(1)
	rev.Liveness = healthz(10 * time.Second)
	synctest.Test(t, func(t *testing.T) {
		var h healthy
		w := newWorld(t, rev, h.engine())
		inst := w.start(t)
		time.Sleep(10 * time.Minute)
		if s := inst.Status().State; s != sunya.InstanceFrozen {
			t.Errorf("it is %s, want frozen", s)
		}
		if n := h.asked.Load(); n != 1 { // right after the start
			t.Errorf("asked %d times, want once", n)
		}
		if _, err := inst.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Second)
		inst.Leave()
		if n := h.asked.Load(); n != 4 { // when thawed, and twice after that
			t.Errorf("asked %d times after a request of 25 s, want 4", n)
		}
	})
}

// TestAdoptedInstancesAreAskedAtOnce: what has served before needs no time to
// begin.
func TestAdoptedInstancesAreAskedAtOnce(t *testing.T) {
	rev := instancetest.Revision(1)
	rev.Startup = healthz(time.Second)
	rev.Startup.Delay = time.Minute
	synctest.Test(t, func(t *testing.T) {
		var h healthy
		w := newWorld(t, rev, h.engine())
		box := w.engine.New(sandbox.Spec{ID: "a", Kind: instance.Kind, Port: 8080,
			Labels: map[string]string{"revision": rev.Name, "revision-id": rev.ID}})
		left := w.Adopt(t.Context(), []sandbox.Sandbox{box})
		if len(left) != 1 {
			t.Fatalf("%d instances were adopted", len(left))
		}
		before := time.Now()
		if err := left[0].Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(before); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
