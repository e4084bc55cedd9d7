package instance_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// program answers by path: a status, 0 to hang up, -1 never, and notes what it
// was asked.
type program struct {
	status map[string]int

	mu    sync.Mutex
	asked []string
	hosts []string
}

func (p *program) engine() *instancetest.Engine {
	return &instancetest.Engine{Handler: func(b *instancetest.Box) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			p.asked = append(p.asked, r.URL.Path)
			p.hosts = append(p.hosts, r.Host+" "+r.Header.Get("X-From"))
			p.mu.Unlock()
			switch status, known := p.status[r.URL.Path]; {
			case !known:
				w.WriteHeader(http.StatusNotFound)
			case status == 0:
				b.End(sandbox.Exit{Code: 3})
			case status < 0:
				<-r.Context().Done()
			default:
				w.WriteHeader(status)
			}
		})
	}}
}

func (p *program) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func callRevision() sunya.Revision {
	rev := instancetest.Revision(1)
	rev.Scaling.NoFreeze = true
	rev.Lifecycle = sunya.Lifecycle{
		Start:  sunya.Call{Path: "/start", Host: "v1.demo", Header: map[string]string{"X-From": "0.1.0.3"}, Accept: []int{404}},
		WarmUp: sunya.Call{Path: "/warm"},
		Stop:   sunya.Call{Path: "/stop"},
	}
	return rev
}

func TestStartRequestDecides(t *testing.T) {
	tests := []struct {
		rule   string
		status map[string]int
		want   string // of the error, empty for none
		asked  []string
	}{
		{"answered", map[string]int{"/start": 204, "/warm": 200}, "", []string{"/start", "/warm"}},
		{"unknown to the program", nil, "", []string{"/start", "/warm"}},
		{"refused", map[string]int{"/start": 500}, "GET /start answered 500", []string{"/start"}},
		{"redirected", map[string]int{"/start": 302}, "GET /start answered 302", []string{"/start"}},
		{"the program ends", map[string]int{"/start": 0}, "GET /start was not answered: exited with status 3", []string{"/start"}},
		{"no answer", map[string]int{"/start": -1}, "GET /start was not answered: it took too long", []string{"/start"}},
		{"warm-up fails", map[string]int{"/warm": 500}, "", []string{"/start", "/warm"}},
		{"warm-up never ends", map[string]int{"/warm": -1}, "", []string{"/start", "/warm"}},
		{"warm-up ends the program", map[string]int{"/warm": 0}, "GET /warm was not answered: exited with status 3", []string{"/start", "/warm"}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &program{status: tt.status}
				w := newWorld(t, callRevision(), p.engine())
				i, err := w.Start(t.Context(), w.rev, instance.Proof)
				if diff := cmp.Diff(tt.asked, p.seen()); diff != "" {
					t.Error(diff)
				}
				if tt.want != "" {
					var e *sunya.Error
					if !errors.As(err, &e) || e.Reason != sunya.ReasonRevisionNotReady || !strings.Contains(e.Message, tt.want) {
						t.Fatalf("error = %v, want %q", err, tt.want)
					}
					if n := len(w.engine.Running()); n != 0 {
						t.Errorf("%d sandboxes are left", n)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if p.hosts[0] != "v1.demo 0.1.0.3" {
					t.Errorf("host and header = %q", p.hosts[0])
				}
				if err := i.Stop(t.Context(), "enough"); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestOnlyInstancesThatNobodyWaitsForAreWarmedUp(t *testing.T) {
	for _, tt := range []struct {
		why  instance.Reason
		want []string
	}{
		{instance.ColdStart, []string{"/start"}},
		{instance.ScaleOut, []string{"/start"}},
		{instance.Spare, []string{"/start", "/warm"}},
		{instance.Minimum, []string{"/start", "/warm"}},
		{instance.Proof, []string{"/start", "/warm"}},
	} {
		t.Run(string(tt.why), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &program{}
				w := newWorld(t, callRevision(), p.engine())
				i, err := w.Start(t.Context(), w.rev, tt.why)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, p.seen()); diff != "" {
					t.Error(diff)
				}
				_ = i.Stop(t.Context(), "enough")
			})
		})
	}
}

func TestStopRequestComesBeforeTheSignal(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		status int
		atMost time.Duration
	}{
		{"answered", 200, time.Second},
		{"refused", 500, time.Second},
		{"never answered", -1, 14 * time.Second},
		{"the program ends", 0, 4 * time.Second},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &program{status: map[string]int{"/stop": tt.status}}
				w := newWorld(t, callRevision(), p.engine())
				i := w.start(t)
				begin := time.Now()
				for range 2 {
					if err := i.Stop(t.Context(), "enough"); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(begin); took > tt.atMost {
					t.Errorf("stopped after %v, want at most %v", took, tt.atMost)
				}
				n := 0
				for _, path := range p.seen() {
					if path == "/stop" {
						n++
					}
				}
				if n != 1 {
					t.Errorf("%d stop requests, want 1", n)
				}
				if strings.Contains(w.messages(), "exited") && tt.status != 0 {
					t.Errorf("log = %s", w.messages())
				}
			})
		})
	}
}

func TestFrozenInstanceIsThawedForItsLastRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &program{}
		rev := callRevision()
		rev.Scaling.NoFreeze = false
		w := newWorld(t, rev, p.engine())
		i := w.start(t)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantState(t, i, sunya.InstanceFrozen)
		if err := i.Stop(t.Context(), "enough"); err != nil {
			t.Fatal(err)
		}
		if got := p.seen(); !slices.Contains(got, "/stop") {
			t.Errorf("requests = %v", got)
		}
	})
}
