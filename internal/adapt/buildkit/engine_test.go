package buildkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// played is an engine whose builders are played: play gets the spec and writes
// what the builder would.
type played struct {
	sandbox.Engine
	play  func(ctx context.Context, s sandbox.Spec, stdout, stderr io.Writer) sandbox.Exit
	specs []sandbox.Spec
}

type box struct {
	sandbox.Sandbox
	stdout, stderr io.ReadCloser
	done           chan struct{}
	cancel         context.CancelFunc
	exit           sandbox.Exit
}

func (p *played) Start(_ context.Context, s sandbox.Spec) (sandbox.Sandbox, error) {
	p.specs = append(p.specs, s)
	ctx, cancel := context.WithCancel(context.Background())
	outR, outW := io.Pipe()
	errR, errW := io.Pipe()
	b := &box{stdout: outR, stderr: errR, done: make(chan struct{}), cancel: cancel}
	go func() {
		b.exit = p.play(ctx, s, outW, errW)
		_, _ = outW.Close(), errW.Close()
		close(b.done)
	}()
	return b, nil
}

func (b *box) Output() (io.ReadCloser, io.ReadCloser) { return b.stdout, b.stderr }
func (b *box) Done() <-chan struct{}                  { return b.done }
func (b *box) Exit() sandbox.Exit                     { return b.exit }
func (b *box) Stop(context.Context, time.Duration) error {
	b.cancel()
	<-b.done
	return nil
}

func newEngine(t *testing.T, play func(ctx context.Context, s sandbox.Spec, stdout, stderr io.Writer) sandbox.Exit) (*Engine, *played) {
	t.Helper()
	p := &played{play: play}
	write := func(name string) func(string) (string, error) {
		return func(dir string) (string, error) { return filepath.Join(dir, name), nil }
	}
	e, err := New(Options{
		Sandboxes: p, StateDir: filepath.Join(t.TempDir(), "state"), WorkDir: filepath.Join(t.TempDir(), "work"),
		Builder: write("builder"), Launcher: write("launcher"), Filter: func() (string, error) { return "f", nil },
		Registry: func(project string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "images of "+project) })
		},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, p
}

// hostPath is where the builder's sandbox has a file from.
func hostPath(s sandbox.Spec, inside string) string {
	for _, m := range s.Mounts {
		if rest, ok := strings.CutPrefix(inside, m.Target+"/"); ok {
			return filepath.Join(m.Source, rest)
		}
	}
	return ""
}

func TestBuildTellsWhatHappens(t *testing.T) {
	e, p := newEngine(t, func(_ context.Context, s sandbox.Spec, stdout, stderr io.Writer) sandbox.Exit {
		data, err := os.ReadFile(hostPath(s, job.JobFile))
		var j job.Job
		if err != nil || json.Unmarshal(data, &j) != nil || j.ID != "b1" || j.Filter != "f" || j.DiskBytes == 0 {
			return sandbox.Exit{Code: 9}
		}
		_, _ = io.WriteString(stderr, "#1 DONE\n")
		for _, line := range []string{`{"Started":{"Step":0}}`, `{"Finished":{"Step":0,"OK":true}}`, `{"Pushed":{"Name":"a","Digest":"d"}}`, `{"Done":true}`} {
			_, _ = io.WriteString(stdout, line+"\n")
		}
		return sandbox.Exit{}
	})
	var log bytes.Buffer
	var events []plan.Event
	err := e.Build(t.Context(), plan.Job{ID: "b1", Project: "sunya", Source: "/src"}, &log, func(e plan.Event) { events = append(events, e) })
	if err != nil || log.String() != "#1 DONE\n" || len(events) != 3 || events[2].Pushed.Digest != "d" {
		t.Errorf("%v, log %q, events %+v", err, log.String(), events)
	}
	s := p.specs[0]
	if s.Profile != sandbox.Builder || s.UIDRange != sunya.LayersRange || !s.Network || s.MemoryBytes == 0 || s.PIDs == 0 || s.Kind != "build" {
		t.Errorf("spec %+v", s)
	}
	if left, _ := filepath.Glob(filepath.Join(e.o.WorkDir, "b-*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestBuildFailures(t *testing.T) {
	say := func(line string, exit sandbox.Exit) func(context.Context, sandbox.Spec, io.Writer, io.Writer) sandbox.Exit {
		return func(_ context.Context, _ sandbox.Spec, stdout, _ io.Writer) sandbox.Exit {
			_, _ = io.WriteString(stdout, line)
			return exit
		}
	}
	for _, tt := range []struct {
		name string
		play func(context.Context, sandbox.Spec, io.Writer, io.Writer) sandbox.Exit
		kind plan.Kind
		want string
	}{
		{"step", say(`{"Failed":{"Step":1,"Kind":"step","Message":"exit status 1"}}`+"\n", sandbox.Exit{}), plan.KindStep, "exit status 1"},
		{"memory", say(`{"Started":{"Step":2}}`+"\n", sandbox.Exit{Code: 137, Signal: 9, OOMKilled: true}), plan.KindMemory, "memory"},
		{"crash", say("", sandbox.Exit{Code: 2}), "", "status 2"},
		{"nonsense", say("nonsense\n", sandbox.Exit{}), "", "read event"},
	} {
		e, _ := newEngine(t, tt.play)
		err := e.Build(t.Context(), plan.Job{ID: "b", Project: "sunya"}, io.Discard, func(plan.Event) {})
		var failed *plan.Failure
		kind := plan.Kind("")
		if errors.As(err, &failed) {
			kind = failed.Kind
		}
		if err == nil || kind != tt.kind || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v (%s), want %q (%s)", tt.name, err, kind, tt.want, tt.kind)
		}
	}
}

func TestBuildEndsWithItsContext(t *testing.T) {
	begun := make(chan struct{})
	e, _ := newEngine(t, func(ctx context.Context, _ sandbox.Spec, _, _ io.Writer) sandbox.Exit {
		close(begun)
		<-ctx.Done()
		return sandbox.Exit{Code: 143}
	})
	why := errors.New("cancelled by hand")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-begun; cancel(why) }()
	if err := e.Build(ctx, plan.Job{ID: "b", Project: "sunya"}, io.Discard, func(plan.Event) {}); !errors.Is(err, why) {
		t.Errorf("error %v", err)
	}
}

func TestBuildsAtOnceHaveCachesOfTheirOwn(t *testing.T) {
	e, _ := newEngine(t, nil)
	a, b, other := e.claim("p1"), e.claim("p1"), e.claim("p2")
	if a.slot != 0 || b.slot != 1 || other.slot != 0 {
		t.Errorf("%v %v %v", a, b, other)
	}
	e.release(a)
	if c := e.claim("p1"); c != a {
		t.Errorf("the first cache is not taken again: %v", c)
	}
}

func TestProjectThatIsNone(t *testing.T) {
	e, _ := newEngine(t, nil)
	if err := e.Build(t.Context(), plan.Job{ID: "b", Project: "../x"}, io.Discard, nil); sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Errorf("error %v", err)
	}
}
