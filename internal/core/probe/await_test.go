package probe_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/probe"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func TestAwait(t *testing.T) {
	web := &sunya.HTTPProbe{Path: "/healthz"}
	for _, c := range []struct {
		why   string
		boot  time.Duration // until it listens
		ill   int32         // how many questions it answers badly
		crash error
		probe sunya.Probe
		took  time.Duration
		want  string
	}{
		{"well at once", 0, 0, nil, sunya.Probe{HTTP: web, Period: time.Second}, 0, ""},
		{"a delay first", 0, 0, nil, sunya.Probe{HTTP: web, Delay: 3 * time.Second}, 3 * time.Second, ""},
		{"well at the third question", 0, 2, nil, sunya.Probe{HTTP: web, Period: 2 * time.Second}, 4 * time.Second, ""},
		{"never well", 0, 99, nil, sunya.Probe{HTTP: web, Period: 2 * time.Second}, 4 * time.Second,
			"the startup probe (GET :8080/healthz) failed 3 times in a row: it answered 503 Service Unavailable"},
		{"listens late, as the default allows", 200 * time.Second, 0, nil,
			sunya.Probe{TCP: &sunya.TCPProbe{}, Timeout: 240 * time.Second, Period: 240 * time.Second, Failures: 1}, 200 * time.Second, ""},
		{"listens too late", time.Hour, 0, nil,
			sunya.Probe{TCP: &sunya.TCPProbe{}, Timeout: 240 * time.Second, Period: 240 * time.Second, Failures: 1}, 240 * time.Second,
			"the startup probe (connection to :8080) failed once: nothing takes connections on port 8080"},
		{"another port", 0, 0, nil, sunya.Probe{TCP: &sunya.TCPProbe{Port: 81}, Period: time.Second}, 3 * time.Second,
			"the startup probe (connection to :81) failed 3 times in a row: nothing takes connections on port 81"},
		{"ends instead", 0, 0, errors.New("no config"), sunya.Probe{HTTP: web, Delay: time.Second}, 0, "exited with status 1"},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				e := &instancetest.Engine{Boot: c.boot, Handler: func(*instancetest.Box) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						if asked.Add(1) <= c.ill {
							w.WriteHeader(http.StatusServiceUnavailable)
						}
					})
				}}
				if c.crash != nil {
					e.Crash = func(*instancetest.Box) error { return c.crash }
				}
				box := e.New(sandbox.Spec{ID: "box", Port: 8080})
				defer box.End(sandbox.Exit{})
				stdout, stderr := box.Output()
				go io.Copy(io.Discard, stdout)
				go io.Copy(io.Discard, stderr)
				begin := time.Now()
				err := probe.Await(t.Context(), box, &c.probe, 8080)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("error = %v, want %q", err, c.want)
				}
				if took := time.Since(begin).Truncate(time.Second); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
			})
		})
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &instancetest.Engine{Boot: time.Hour}
		box := e.New(sandbox.Spec{ID: "box", Port: 8080})
		defer box.End(sandbox.Exit{})
		why := errors.New("the server shuts down")
		ctx, cancel := contextWithCause(t, why, time.Second)
		defer cancel()
		if err := probe.Await(ctx, box, &sunya.Probe{TCP: &sunya.TCPProbe{}, Timeout: time.Minute}, 8080); !errors.Is(err, why) {
			t.Errorf("error = %v, want %v", err, why)
		}
	})
}
