package jobs

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/container"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Output is called once an attempt and returns what carries its streams
// ("stdout", "stderr") to the log, so that they can share a limit. That is called
// once a stream, on a goroutine of its own; it reads r to its end and closes it.
type Output func(e *Execution, t *Task) func(stream string, r io.ReadCloser)

// RunnerParts is what a Runner works with.
type RunnerParts struct {
	Store  Store
	Images images.Fetcher
	Engine sandbox.Engine
	Layers container.Layers
	// CheckImage refuses an image that no longer fits this machine; nil: none is
	// refused.
	CheckImage func(sunya.Image) error
	Output     Output    // nil: output is dropped
	Sink       logs.Sink // takes what the platform says about tasks; nil: nowhere
	// Changed wakes whoever waits for an operation that was written.
	Changed func(operation string)
	// MemoryBytes is what the tasks that run may have together, by their limits.
	// One task runs whatever it asks for.
	MemoryBytes int64
	Now         func() time.Time
	NewID       func() string // a UUID
	Log         *slog.Logger
}

// Runner prepares jobs and carries their executions out. While there is nothing
// to do it costs one goroutine, and nothing a job.
type Runner struct {
	RunnerParts
	log  *slog.Logger
	kick chan struct{}

	mu        sync.Mutex
	preparing map[Key]bool
	runs      map[ExecutionKey]*execution
	order     []*execution               // the oldest first
	used      int64                      // memory of all tasks that run
	left      map[string]sandbox.Sandbox // by id: what an earlier server left
}

// NewRunner returns a Runner; call Run to make it work.
func NewRunner(p RunnerParts) *Runner {
	return &Runner{
		RunnerParts: p,
		log:         p.Log.With("component", "jobs"),
		kick:        make(chan struct{}, 1),
		preparing:   map[Key]bool{},
		runs:        map[ExecutionKey]*execution{},
		left:        map[string]sandbox.Sandbox{},
	}
}

var _ Executor = (*Runner)(nil)

// Kick implements Executor. It never blocks.
func (r *Runner) Kick() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// rescan is how soon the store is asked again after it could not be read.
const rescan = 5 * time.Second

// Run continues what an earlier server left and then waits for kicks. When ctx
// ends it stops the tasks that run, which count as interrupted, and returns.
func (r *Runner) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		var retry <-chan time.Time
		if err := r.work(ctx, &wg); err != nil && ctx.Err() == nil {
			r.log.Error("read what is to be done", "err", err)
			retry = time.After(rescan)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.kick:
		case <-retry:
		}
	}
}

// work starts everything that is to be done and has room.
func (r *Runner) work(ctx context.Context, wg *sync.WaitGroup) error {
	if err := r.prepareAll(ctx, wg); err != nil {
		return err
	}
	if err := r.load(ctx, wg); err != nil {
		return err
	}
	r.dropLeft(ctx, wg)
	for {
		x, index, ok := r.claim()
		if !ok {
			return nil
		}
		wg.Go(func() {
			defer r.Kick()
			r.attempt(ctx, x, index)
		})
	}
}

// parallelPulls is how many jobs are prepared at once.
const parallelPulls = 2

func (r *Runner) prepareAll(ctx context.Context, wg *sync.WaitGroup) error {
	pending, err := r.Store.PreparingJobs(ctx)
	if err != nil {
		return err
	}
	for _, j := range pending {
		if !r.claimJob(j.Key) {
			continue
		}
		wg.Go(func() {
			defer r.Kick()
			defer r.releaseJob(j.Key)
			if err := r.prepare(ctx, j.Key); err != nil && ctx.Err() == nil {
				r.log.Error("prepare a job; it is tried again", "job", j.Name(), "err", err)
				pause(ctx, rescan)
			}
		})
	}
	return nil
}

func (r *Runner) claimJob(k Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.preparing[k] || len(r.preparing) >= parallelPulls {
		return false
	}
	r.preparing[k] = true
	return true
}

func (r *Runner) releaseJob(k Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.preparing, k)
}

// pause waits, but not longer than ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
