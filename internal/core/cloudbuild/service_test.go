package cloudbuild_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// world is everything that a Service works with, in memory.
type world struct {
	mu      sync.Mutex
	builds  []cloudbuild.Build // oldest first
	ops     map[string]*sunya.Operation
	objects map[string]string
	log     strings.Builder
	dir     string
	ids     int

	// play is what the builder does; nil: it succeeds at once.
	play func(ctx context.Context, j plan.Job, log io.Writer, tell func(plan.Event)) error
	bad  error // of the source
}

func (w *world) BeginBuild(_ context.Context, b *cloudbuild.Build, op *sunya.Operation) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.builds, w.ops[op.Name] = append(w.builds, *b), op
	return nil
}

func (w *world) find(id string) (int, error) {
	for i := range w.builds {
		if w.builds[i].ID == id {
			return i, nil
		}
	}
	return 0, sunya.Errorf(sunya.NotFound, id, "none")
}

func (w *world) GetBuild(_ context.Context, _, id string) (*cloudbuild.Build, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, err := w.find(id)
	if err != nil {
		return nil, err
	}
	b := w.builds[i]
	return &b, nil
}

func (w *world) ListBuilds(_ context.Context, _, _, after string, limit int) (out []cloudbuild.Build, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := after == ""
	for i := len(w.builds) - 1; i >= 0 && len(out) < limit; i-- {
		if seen {
			out = append(out, w.builds[i])
		}
		seen = seen || w.builds[i].ID == after
	}
	return out, nil
}

func (w *world) UpdateBuild(_ context.Context, _, id string, change func(*cloudbuild.Build) error, op func(*cloudbuild.Build, *sunya.Operation)) (*cloudbuild.Build, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, err := w.find(id)
	if err != nil {
		return nil, err
	}
	b := w.builds[i]
	if err := change(&b); err != nil {
		return nil, err
	}
	w.builds[i] = b
	if op != nil {
		op(&b, w.ops[b.Operation])
	}
	return &b, nil
}

func (w *world) UnfinishedBuilds(context.Context) (out []cloudbuild.Build, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.builds {
		if !b.Status.Done() {
			out = append(out, b)
		}
	}
	return out, nil
}

func (w *world) Changed(string) {}

func (w *world) Build(ctx context.Context, j plan.Job, log io.Writer, tell func(plan.Event)) error {
	if w.play == nil {
		return nil
	}
	return w.play(ctx, j, log, tell)
}

func (w *world) Materialise(context.Context, sunya.Source, string) error { return w.bad }
func (w *world) Create(string) (string, error)                           { return w.dir, nil }
func (w *world) Remove(string) error                                     { return nil }
func (w *world) Close() error                                            { return nil }
func (w *world) Stage(string, string, time.Duration)                     {}
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) Put(_ context.Context, n objects.NewObject, r io.Reader, _ int64) (*objects.Object, error) {
	data, err := io.ReadAll(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects[n.Bucket+"/"+n.Name] = string(data)
	return &objects.Object{}, err
}

// sourceBuilder builds every source at once.
type sourceBuilder struct{}

func (sourceBuilder) Build(context.Context, build.Request) (*build.Result, error) {
	return &build.Result{}, nil
}
func (sourceBuilder) SourceSpec(fs.FS, map[string]string) (sunya.BuildSpec, error) {
	return sunya.BuildSpec{Runtime: "python311"}, nil
}
func (sourceBuilder) PutHost(context.Context, string, string, *build.Result) (string, error) {
	return "sha256:host", nil
}

func newService(w *world) *cloudbuild.Service {
	return cloudbuild.New(cloudbuild.Parts{
		Store: w, Operations: w, Engine: w, Builder: sourceBuilder{}, Images: sourceBuilder{}, Sources: w, Objects: w,
		EnsureBucket: func(context.Context, string, string) error { return nil },
		Workspace:    w,
		Journal:      func(string, string) cloudbuild.Journal { return w },
		Now:          time.Now,
		NewID:        func() string { w.ids++; return fmt.Sprint("b", w.ids) },
		Log:          slog.New(slog.DiscardHandler),
	})
}

func newWorld(t *testing.T) *world {
	return &world{ops: map[string]*sunya.Operation{}, objects: map[string]string{}, dir: t.TempDir()}
}

func docker(args ...string) cloudbuild.Step {
	return cloudbuild.Step{Name: "gcr.io/cloud-builders/docker", Args: args}
}

// run makes a build and returns it when everything is at rest.
func run(t *testing.T, w *world, b cloudbuild.Build, during func(*cloudbuild.Service, string)) *cloudbuild.Build {
	t.Helper()
	s := newService(w)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Run(ctx) }()
	b.Project = "sunya"
	made, _, err := s.Create(t.Context(), b, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if during != nil {
		during(s, made.ID)
	}
	time.Sleep(2 * time.Hour) // of the bubble's time: past every limit
	synctest.Wait()
	cancel()
	<-ended
	got, err := s.Get(t.Context(), "sunya", "", made.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestBuildsEnd(t *testing.T) {
	forever := func(ctx context.Context, _ plan.Job, _ io.Writer, tell func(plan.Event)) error {
		tell(plan.Event{Started: &plan.Moment{Step: 0}})
		<-ctx.Done()
		return context.Cause(ctx)
	}
	fails := func(err error) func(context.Context, plan.Job, io.Writer, func(plan.Event)) error {
		return func(context.Context, plan.Job, io.Writer, func(plan.Event)) error { return err }
	}
	cancel := func(s *cloudbuild.Service, id string) { _, _ = s.Cancel(context.Background(), "sunya", "", id) }
	for _, tt := range []struct {
		name   string
		world  *world
		build  cloudbuild.Build
		during func(*cloudbuild.Service, string)
		status cloudbuild.Status
		detail string
		code   sunya.Code
	}{
		{"success", &world{play: func(_ context.Context, j plan.Job, log io.Writer, tell func(plan.Event)) error {
			fmt.Fprintln(log, "built")
			tell(plan.Event{Started: &plan.Moment{Step: 0}})
			tell(plan.Event{Finished: &plan.Ended{Step: 0, OK: true, Digest: "d"}})
			tell(plan.Event{Pushed: &plan.Image{Name: j.Images[0], Digest: "d"}})
			return nil
		}}, cloudbuild.Build{}, nil, cloudbuild.Success, "", sunya.OK},
		{"step", &world{play: fails(&plan.Failure{Kind: plan.KindStep, Message: "exit status 3"})}, cloudbuild.Build{}, nil, cloudbuild.Failure, "exit status 3", sunya.FailedPrecondition},
		{"step timeout", &world{play: fails(&plan.Failure{Kind: plan.KindTimeout, Message: "too long"})}, cloudbuild.Build{}, nil, cloudbuild.Timeout, "too long", sunya.DeadlineExceeded},
		{"ours", &world{play: fails(errors.New("secret detail"))}, cloudbuild.Build{}, nil, cloudbuild.InternalError, "its log says why", sunya.Internal},
		{"source", &world{bad: sunya.Invalid("source", "is no archive")}, cloudbuild.Build{Source: &cloudbuild.Source{Bucket: "b", Object: "o"}}, nil, cloudbuild.Failure, "is no archive", sunya.FailedPrecondition},
		{"timeout", &world{play: forever}, cloudbuild.Build{Timeout: time.Minute}, nil, cloudbuild.Timeout, "timeout of 1m", sunya.DeadlineExceeded},
		{"cancelled", &world{play: forever}, cloudbuild.Build{}, cancel, cloudbuild.Cancelled, "cancelled", sunya.Canceled},
		{"pack", &world{}, cloudbuild.Build{Steps: []cloudbuild.Step{{Name: "gcr.io/k8s-skaffold/pack", Args: []string{"build", "gcr.io/sunya/a"}}}}, nil, cloudbuild.Success, "", sunya.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.play, w.bad = tt.world.play, tt.world.bad
				b := tt.build
				if b.Steps == nil {
					b.Steps, b.Images = []cloudbuild.Step{docker("build", "-t", "gcr.io/sunya/a", ".")}, []string{"gcr.io/sunya/a"}
				}
				got := run(t, w, b, tt.during)
				if got.Status != tt.status || !strings.Contains(got.Detail, tt.detail) || strings.Contains(got.Detail, "secret") {
					t.Errorf("%s %q, want %s %q", got.Status, got.Detail, tt.status, tt.detail)
				}
				op := w.ops[got.Operation]
				code := sunya.OK
				if op.Error != nil {
					code = op.Error.Code
				}
				if !op.Done || code != tt.code {
					t.Errorf("operation %+v, want code %v", op, tt.code)
				}
				text := w.objects["sunya_cloudbuild/logs/log-"+got.ID+".txt"]
				if want := map[bool]string{true: "DONE\n", false: "ERROR: "}[tt.status == cloudbuild.Success]; !strings.Contains(text, want) {
					t.Errorf("log %q lacks %q", text, want)
				}
				if tt.status == cloudbuild.Success && len(got.Results) != 1 {
					t.Errorf("results %v", got.Results)
				}
			})
		})
	}
}

func TestInterruptedBuildBeginsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.play = func(ctx context.Context, _ plan.Job, _ io.Writer, _ func(plan.Event)) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		s := newService(w)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Run(ctx) }()
		b, _, err := s.Create(t.Context(), cloudbuild.Build{Project: "sunya", Steps: []cloudbuild.Step{docker("push", "gcr.io/sunya/a")}}, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop()
		<-ended
		w.play = nil
		next, stopNext := context.WithCancel(t.Context())
		endedNext := make(chan struct{})
		again := newService(w)
		go func() { defer close(endedNext); _ = again.Run(next) }()
		time.Sleep(time.Minute)
		stopNext()
		<-endedNext
		if got, _ := again.Get(t.Context(), "sunya", "", b.ID); got.Status != cloudbuild.Success {
			t.Errorf("status %s", got.Status)
		}
	})
}

// A server that was killed between a cancellation and the end of the build ends
// the build as cancelled when it starts again.
func TestCancelledBuildOfAKilledServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := newService(w)
		b, _, err := s.Create(t.Context(), cloudbuild.Build{Project: "sunya", Steps: []cloudbuild.Step{docker("push", "gcr.io/sunya/a")}}, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		w.builds[0].Status, w.builds[0].Canceled = cloudbuild.Working, true
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Run(ctx) }()
		synctest.Wait()
		time.Sleep(time.Minute)
		stop()
		<-ended
		got, err := s.Get(t.Context(), "sunya", "", b.ID)
		if err != nil || got.Status != cloudbuild.Cancelled || w.ops[b.Operation].Error.Code != sunya.Canceled {
			t.Errorf("%+v, %v, want that it was cancelled", got, err)
		}
	})
}

func TestCreateRefusesAndRetryRepeats(t *testing.T) {
	w := newWorld(t)
	s := newService(w)
	for _, tt := range []struct {
		b    cloudbuild.Build
		want string
	}{
		{cloudbuild.Build{Project: "No"}, "No"},
		{cloudbuild.Build{Project: "sunya"}, "needs a step"},
		{cloudbuild.Build{Project: "sunya", Timeout: -1, Steps: []cloudbuild.Step{docker("push", "a")}}, "timeout"},
		{cloudbuild.Build{Project: "sunya", Source: &cloudbuild.Source{}, Steps: []cloudbuild.Step{docker("push", "a")}}, "bucket and object"},
	} {
		if _, _, err := s.Create(t.Context(), tt.b, nil, false); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
	b, _, err := s.Create(t.Context(), cloudbuild.Build{Project: "sunya", Steps: []cloudbuild.Step{docker("push", "a")}}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Retry(t.Context(), "sunya", "", b.ID); sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("retry of a build that goes on: %v", err)
	}
	if _, err := s.Get(t.Context(), "sunya", "elsewhere", b.ID); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("in another location: %v", err)
	}
	if _, err := s.Cancel(t.Context(), "sunya", "", b.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cancel(t.Context(), "sunya", "", b.ID); sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("cancelled twice: %v", err)
	}
	again, _, err := s.Retry(t.Context(), "sunya", "global", b.ID)
	if err != nil || again.ID == b.ID || again.Status != cloudbuild.Queued {
		t.Errorf("%+v, %v", again, err)
	}
	list, next, err := s.List(t.Context(), "sunya", "-", nil, "", 1)
	if err != nil || len(list) != 1 || list[0].ID != again.ID || next != again.ID {
		t.Errorf("%v %q %v", list, next, err)
	}
	if list, next, err = s.List(t.Context(), "sunya", "-", nil, next, 1); err != nil || len(list) != 1 || next != "" {
		t.Errorf("%v %q %v", list, next, err)
	}
}
