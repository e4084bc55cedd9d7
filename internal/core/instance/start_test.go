package instance_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

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

func TestAdoptKeepsWhatIsKnownAndStopsOtherInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &instancetest.Engine{}
		rev := instancetest.Revision(1)
		labels := map[string]string{"revision": rev.Name, "revision-id": rev.ID}
		known := engine.New(sandbox.Spec{ID: "a", Kind: "instance", Labels: labels, Port: 8080})
		other := engine.New(sandbox.Spec{ID: "b", Kind: "instance", Labels: map[string]string{"revision": "gone", "revision-id": "x"}})
		build := engine.New(sandbox.Spec{ID: "c", Kind: "build", Labels: labels})
		known.Freeze(t.Context())
		w := newWorld(t, rev, engine)
		got := w.Adopt(t.Context(), []sandbox.Sandbox{known, other, build})
		if len(got) != 1 || got[0].ID() != "a" {
			t.Fatalf("Adopt = %v, want a", got)
		}
		if err := got[0].Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := got[0].Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(engine.Running()); n != 2 {
			t.Errorf("%d sandboxes run, want the instance and the build, which is somebody else's", n)
		}
	})
}
