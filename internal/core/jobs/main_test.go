package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/jobs/jobstest"
	"github.com/sunya-cloud/sunya/internal/core/run"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// engine is one that breaks off a start when its context ends, as the real one
// does.
type engine struct{ *instancetest.Engine }

// Start implements sandbox.Engine.
func (e engine) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	box, err := e.Engine.Start(ctx, spec)
	if err == nil && ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), box.Stop(ctx, 0))
	}
	return box, err
}

// fetcher is one that can be made to wait.
type fetcher struct{ w *world }

// Fetch implements images.Fetcher.
func (f fetcher) Fetch(ctx context.Context, project, reference string, log io.Writer) (*images.Fetched, error) {
	if f.w.pull != nil {
		f.w.pull()
	}
	return jobstest.Images{}.Fetch(ctx, project, reference, log)
}

// world is a server with jobs, in a synctest bubble.
type world struct {
	*jobs.Admin
	store  *jobstest.Store
	engine *instancetest.Engine
	sink   *instancetest.Sink
	runner *jobs.Runner
	memory int64
	pull   func() // waited for by every pull; nil: nothing is

	stop context.CancelFunc
	wg   sync.WaitGroup

	mu  sync.Mutex
	ids int
}

// newWorld starts a server over an empty store; memory is what tasks may have.
func newWorld(t *testing.T, memory int64) *world {
	w := &world{store: jobstest.NewStore(), engine: &instancetest.Engine{}, sink: &instancetest.Sink{}, memory: memory}
	w.start(t)
	t.Cleanup(w.end)
	return w
}

// start begins a server over what there is, with sandboxes that were left.
func (w *world) start(t *testing.T, left ...sandbox.Sandbox) {
	w.runner = jobs.NewRunner(jobs.RunnerParts{
		Store: w.store, Images: fetcher{w}, Engine: engine{w.engine}, Layers: jobstest.Layers{}, Sink: w.sink,
		Changed: func(string) {}, MemoryBytes: w.memory, Now: time.Now, NewID: w.newID, Log: instancetest.Quiet(),
	})
	w.Admin = jobs.New(jobs.Parts{
		Store: w.store, Images: jobstest.Images{}, Executor: w.runner, Changed: func(string) {}, Now: time.Now, NewID: w.newID,
	})
	w.runner.Adopt(t.Context(), left)
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	w.wg.Go(func() { _ = w.runner.Run(ctx) })
}

// end ends the server as a signal does.
func (w *world) end() {
	w.stop()
	w.wg.Wait()
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("%08d-0000-4000-8000-000000000000", w.ids)
}

func key(id string) jobs.Key { return jobs.Key{Project: "demo", Location: "local", ID: id} }

// spec is a job of so many tasks.
func spec(tasks int, changes ...func(*jobs.Spec)) jobs.Spec {
	c := jobs.Container{Container: run.Container{From: sunya.ImageSpec{Reference: "gcr.io/demo/work"}}}
	c.MemoryBytes, c.CPUMillis = 512<<20, 1000
	c.Env = []sunya.EnvVar{{Name: "MODE", Value: "fast"}}
	s := jobs.Spec{Template: jobs.Template{Tasks: tasks, Containers: []jobs.Container{c}}}
	for _, change := range changes {
		change(&s)
	}
	return s
}

// create makes a job and waits until it is ready.
func (w *world) create(t *testing.T, id string, s jobs.Spec) {
	t.Helper()
	if _, _, err := w.Create(t.Context(), key(id), s, jobs.Request{Method: "CreateJob"}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if j := w.job(t, id); !j.Ready() {
		t.Fatalf("job %s is not ready: %+v", id, j.Fault)
	}
}

func (w *world) job(t *testing.T, id string) *jobs.Job {
	t.Helper()
	j, err := w.Job(t.Context(), key(id))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// execute begins an execution, and waits until all that can be started is.
func (w *world) execute(t *testing.T, id string, o jobs.Overrides) (jobs.ExecutionKey, string) {
	t.Helper()
	e, op, err := w.Execute(t.Context(), key(id), o, jobs.Request{Method: "RunJob"})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return e.ExecutionKey, op.Name
}

func (w *world) execution(t *testing.T, k jobs.ExecutionKey) *jobs.Execution {
	t.Helper()
	e, err := w.Execution(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (w *world) task(t *testing.T, k jobs.ExecutionKey, index int) *jobs.Task {
	t.Helper()
	_, task, err := w.Task(t.Context(), k, index)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// counts shows how many tasks are where: waiting, running, succeeded, failed,
// cancelled.
func counts(e *jobs.Execution) string {
	return fmt.Sprint(e.Waits(), e.Running, e.Succeeded, e.Failed, e.Cancelled)
}

// running returns the sandboxes that run, by the index of their task.
func (w *world) running() map[string]*instancetest.Box {
	out := map[string]*instancetest.Box{}
	for _, b := range w.engine.Running() {
		out[env(b, "CLOUD_RUN_TASK_INDEX")] = b
	}
	return out
}

// exit ends the programs that run, and waits for what follows.
func (w *world) exit(code int) {
	for _, b := range w.engine.Running() {
		b.End(sandbox.Exit{Code: code})
	}
	synctest.Wait()
}

func env(b *instancetest.Box, name string) string {
	for _, v := range b.Spec().Env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
