package instance_test

import (
	"bufio"
	"context"
	"errors"
	"io"
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
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// world is a manager with everything around it.
type world struct {
	*instance.Manager
	engine *instancetest.Engine
	sink   *instancetest.Sink
	rev    *sunya.Revision

	mu    sync.Mutex
	lines []string // stream and line of every instance
}

// newWorld must be called inside a synctest bubble. The manager runs until the
// test ends.
func newWorld(t *testing.T, rev sunya.Revision, engine *instancetest.Engine) *world {
	t.Helper()
	catalog := serving.NewCatalog(&instancetest.Store{}, instancetest.Quiet())
	if err := instancetest.Deploy(t.Context(), catalog, rev); err != nil {
		t.Fatal(err)
	}
	w := &world{engine: engine, sink: &instancetest.Sink{}}
	w.rev, _ = catalog.Revision(rev.Name)
	w.Manager = instance.New(instance.Parts{
		Engine:    engine,
		Directory: catalog,
		Output:    w.output,
		Sink:      w.sink,
		LogName:   instancetest.LogName,
		Now:       time.Now,
		Log:       instancetest.Quiet(),
	}, instance.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		for _, b := range engine.Running() {
			b.End(sandbox.Exit{})
		}
		synctest.Wait()
	})
	return w
}

func (w *world) output(_ *sunya.Revision, _, stream string, r io.ReadCloser) {
	defer r.Close()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		w.mu.Lock()
		w.lines = append(w.lines, stream+": "+lines.Text())
		w.mu.Unlock()
	}
}

func (w *world) start(t *testing.T) *instance.Instance {
	t.Helper()
	i, err := w.Start(t.Context(), w.rev, instance.ColdStart)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// messages returns the messages that the platform logged.
func (w *world) messages() string {
	var b strings.Builder
	for _, e := range w.sink.Entries() {
		b.Write(e.JSON)
		b.WriteByte('\n')
	}
	return b.String()
}

func wantState(t *testing.T, i *instance.Instance, want sunya.InstanceState) {
	t.Helper()
	if got := i.Status().State; got != want {
		t.Errorf("state = %s, want %s", got, want)
	}
}

func TestSpecDescribesTheRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rev := instancetest.Revision(1)
		rev.Env = []sunya.EnvVar{{Name: "GAE_INSTANCE", Field: sunya.FieldInstanceID}, {Name: "A", Value: "b=c"}}
		rev.Image.HostPaths = []string{"/opt/python"}
		rev.Dir = "/workspace"
		w := newWorld(t, rev, &instancetest.Engine{})
		got := w.start(t).ID()
		spec := w.engine.Boxes()[0].Spec()
		want := sandbox.Spec{
			ID:       got,
			Kind:     "instance",
			Labels:   map[string]string{"revision": rev.Name, "revision-id": rev.ID, "service": rev.Service},
			Profile:  sandbox.App,
			Args:     []string{"serve"},
			Env:      []string{"GAE_INSTANCE=" + got, "A=b=c", "PORT=8080", "HOME=/tmp", "PATH=/usr/local/bin:/usr/bin:/bin"},
			Dir:      "/workspace",
			Hostname: got,
			Mounts: []sandbox.Mount{
				{Source: "/opt/python", Target: "/opt/python"},
				{Target: "/tmp", Writable: true, Bytes: 384 << 20},
			},
			UIDRange:    1,
			MemoryBytes: 384 << 20,
			Port:        8080,
			Network:     true,
		}
		if diff := cmp.Diff(want, spec); diff != "" {
			t.Error(diff)
		}
		if !strings.HasPrefix(got, rev.ID+"-") || len(got) > 48 {
			t.Errorf("id = %q", got)
		}
	})
}

func TestLongRevisionIDsStillMakeValidInstanceIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rev := instancetest.Revision(1)
		rev.ID = strings.Repeat("a", 60)
		w := newWorld(t, rev, &instancetest.Engine{})
		if id := w.start(t).ID(); len(id) != 48 {
			t.Errorf("id %q has %d characters, want 48", id, len(id))
		}
	})
}

func TestStartIsLoggedWithItsDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{Boot: 212 * time.Millisecond})
		wantState(t, w.start(t), sunya.InstanceReady)
		if got := w.messages(); !strings.Contains(got, `"started in 212 ms, cold start"`) || !strings.Contains(got, `"tookMs":212`) {
			t.Errorf("log = %s", got)
		}
	})
}

func TestFreezeAfterASecondAndThawOnTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		i := w.start(t)
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		wantState(t, i, sunya.InstanceReady)
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		wantState(t, i, sunya.InstanceFrozen)

		thawed, err := i.Enter(t.Context())
		if err != nil || !thawed {
			t.Fatalf("Enter = %v, %v, want a thaw", thawed, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		wantState(t, i, sunya.InstanceReady) // a request is in it
		i.Leave()
		time.Sleep(2100 * time.Millisecond)
		synctest.Wait()
		wantState(t, i, sunya.InstanceFrozen)
	})
}

func TestNoFreezeIsNeverFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rev := instancetest.Revision(1)
		rev.Scaling.NoFreeze = true
		w := newWorld(t, rev, &instancetest.Engine{})
		i := w.start(t)
		time.Sleep(time.Hour)
		synctest.Wait()
		wantState(t, i, sunya.InstanceReady)
	})
}

// gunicorn's master kills a worker whose heartbeat is 30 s old.
func TestFrozenInstancesAreLetGoOftenEnoughForHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		var all []*instance.Instance
		for range 20 {
			all = append(all, w.start(t))
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for n, b := range w.engine.Boxes() {
			_, thaws, _ := b.Counts()
			if thaws < 29 || thaws > 62 {
				t.Errorf("%d thaws in 10 min, want one every 10 to 20 s", thaws)
			}
			if s := all[n].Status().State; s != sunya.InstanceFrozen && s != sunya.InstanceReady {
				t.Errorf("state = %s", s)
			}
		}
	})
}

func TestFailedStartsSayWhy(t *testing.T) {
	tests := []struct {
		why    string
		engine *instancetest.Engine
		want   string
		lines  []string
	}{
		{"the program exits", &instancetest.Engine{Crash: func(*instancetest.Box) error { return errors.New("SyntaxError: invalid syntax") }},
			"exited with status 1", []string{"SyntaxError: invalid syntax"}},
		{"nothing listens", &instancetest.Engine{Boot: time.Hour}, "nothing listened on $PORT (8080) within 10s", nil},
		{"the engine refuses", &instancetest.Engine{Refuse: func(sandbox.Spec) error { return errors.New("no cgroup") }}, "no cgroup", nil},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, instancetest.Revision(1), tt.engine)
				_, err := w.Start(t.Context(), w.rev, instance.ColdStart)
				var e *sunya.Error
				if !errors.As(err, &e) || e.Code != sunya.Unavailable || e.Reason != sunya.ReasonRevisionNotReady || !strings.Contains(e.Message, tt.want) {
					t.Fatalf("error = %v, want REVISION_NOT_READY with %q", err, tt.want)
				}
				var l interface{ LogLines() []string }
				if !errors.As(err, &l) {
					t.Fatal("the error has no log lines")
				}
				if diff := cmp.Diff(tt.lines, l.LogLines()); diff != "" {
					t.Error(diff)
				}
				if n := len(w.engine.Running()); n != 0 {
					t.Errorf("%d sandboxes are left", n)
				}
				if n := len(w.Instances()); n != 0 {
					t.Errorf("%d instances are left", n)
				}
				if !strings.Contains(w.messages(), tt.want) {
					t.Errorf("log = %s", w.messages())
				}
			})
		})
	}
}

func TestEngineUnavailableIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{Refuse: func(sandbox.Spec) error {
			if n++; n < 3 {
				return sunya.Errorf(sunya.Unavailable, "", "the launcher restarts")
			}
			return nil
		}})
		w.start(t)
		if n != 3 {
			t.Errorf("%d attempts, want 3", n)
		}
	})
}

func TestAnEndThatNobodyAskedForIsLogged(t *testing.T) {
	tests := []struct {
		exit sandbox.Exit
		want string
	}{
		{sandbox.Exit{Code: 137, Signal: 9, OOMKilled: true}, "killed: memory limit of 384 MiB reached"},
		{sandbox.Exit{Code: 3}, "exited with status 3"},
		{sandbox.Exit{Code: 139, Signal: 11}, "killed by signal 11"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
				i := w.start(t)
				w.engine.Boxes()[0].End(tt.exit)
				if _, err := i.Enter(t.Context()); !errors.Is(err, instance.ErrStopped) {
					t.Errorf("Enter = %v, want ErrStopped", err)
				}
				<-i.Done()
				wantState(t, i, sunya.InstanceStopped)
				if !strings.Contains(w.messages(), tt.want) {
					t.Errorf("log = %s, want %q", w.messages(), tt.want)
				}
			})
		})
	}
}

func TestStopIsNoCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		i := w.start(t)
		for range 2 {
			if err := i.Stop(t.Context(), "idle for 2s"); err != nil {
				t.Fatal(err)
			}
		}
		got := w.messages()
		if strings.Count(got, "stopping: idle for 2s") != 1 || strings.Contains(got, "exited") {
			t.Errorf("log = %s", got)
		}
	})
}

func TestOutputIsCarried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		i := w.start(t)
		b := w.engine.Boxes()[0]
		b.Print("one")
		b.Print("two")
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if diff := cmp.Diff([]string{"stderr: one", "stderr: two"}, w.lines); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"one", "two"}, i.LogLines()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLogLinesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, instancetest.Revision(1), &instancetest.Engine{})
		i := w.start(t)
		for range 2000 {
			w.engine.Boxes()[0].Print("0123456789")
		}
		synctest.Wait()
		lines := i.LogLines()
		if len(lines) != 20 {
			t.Errorf("%d lines, want 20", len(lines))
		}
		for _, l := range lines {
			if l != "0123456789" {
				t.Errorf("line = %q", l)
			}
		}
	})
}

func TestAdoptKeepsWhatIsKnownAndStopsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &instancetest.Engine{}
		rev := instancetest.Revision(1)
		labels := map[string]string{"revision": rev.Name, "revision-id": rev.ID}
		known := engine.New(sandbox.Spec{ID: "a", Kind: "instance", Labels: labels, Port: 8080})
		other := engine.New(sandbox.Spec{ID: "b", Kind: "instance", Labels: map[string]string{"revision": "gone", "revision-id": "x"}})
		build := engine.New(sandbox.Spec{ID: "c", Kind: "build", Labels: labels})
		known.Freeze(t.Context())
		engine.Left = []sandbox.Sandbox{known, other, build}
		w := newWorld(t, rev, engine)
		got, err := w.Adopt(t.Context())
		if err != nil || len(got) != 1 || got[0].ID() != "a" {
			t.Fatalf("Adopt = %v, %v, want a", got, err)
		}
		if err := got[0].Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := got[0].Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(engine.Running()); n != 1 {
			t.Errorf("%d sandboxes run, want 1", n)
		}
	})
}

func TestBackoff(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var b instance.Backoff
	if b.Wait(now) != 0 || !b.Clean(now) {
		t.Error("the zero value holds back")
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		b.Failed(now)
		if got := b.Wait(now); got != want*time.Second {
			t.Errorf("wait = %v, want %v", got, want*time.Second)
		}
	}
	b.Ended(now, instance.LongEnough)
	if b.Wait(now) != 0 {
		t.Error("a long run is held against the program")
	}
	for n, want := range []time.Duration{0, 0, 0, 1, 1} {
		b.Ended(now, time.Second)
		if got := b.Wait(now); got != want*time.Second {
			t.Errorf("after %d quick ends wait = %v, want %v", n+1, got, want*time.Second)
		}
	}
	if !b.Clean(now.Add(time.Minute)) {
		t.Error("failures are never forgotten")
	}
}
