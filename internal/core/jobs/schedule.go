package jobs

import (
	"context"
	"slices"
	"sync"
)

// execution is what the Runner knows of an execution that is not done.
type execution struct {
	key     ExecutionKey
	memory  int64 // of one task
	limit   int   // tasks at once
	waiting []int // indexes of tasks to be started, in their order
	running map[int]context.CancelCauseFunc
	stopped bool // nothing more is started
}

// load takes up the executions that it does not know yet: new ones, and those
// that an earlier server has begun.
func (r *Runner) load(ctx context.Context, wg *sync.WaitGroup) error {
	open, err := r.Store.OpenExecutions(ctx)
	if err != nil {
		return err
	}
	for _, k := range open {
		if r.knows(k) {
			continue
		}
		if err := r.loadOne(ctx, wg, k); ignoreGone(err) != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) knows(k ExecutionKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[k] != nil
}

func (r *Runner) loadOne(ctx context.Context, wg *sync.WaitGroup, k ExecutionKey) error {
	e, err := r.Store.GetExecution(ctx, k)
	if err != nil || e.Done() {
		return err
	}
	tasks, err := r.Store.OpenTasks(ctx, k)
	if err != nil {
		return err
	}
	x := &execution{
		key:     k,
		memory:  e.Template.memory(),
		limit:   e.Template.Tasks,
		running: map[int]context.CancelCauseFunc{},
		stopped: !e.Cancel.IsZero(),
	}
	if p := e.Template.Parallelism; p > 0 {
		x.limit = min(x.limit, p)
	}
	var resumed []Task
	for _, t := range tasks {
		if t.State == Running {
			x.running[t.Index] = starting
			resumed = append(resumed, t)
			continue
		}
		x.waiting = append(x.waiting, t.Index)
	}
	r.add(x)
	for _, t := range resumed {
		box := r.takeLeft(t.Sandbox)
		wg.Go(func() {
			defer r.Kick()
			r.resume(ctx, x, e, &t, box)
		})
	}
	return nil
}

// starting stands for how an attempt is stopped until it says so itself: see
// watch.
func starting(error) {}

func (r *Runner) add(x *execution) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs[x.key] = x
	r.order = append(r.order, x)
	r.used += int64(len(x.running)) * x.memory
}

// claim chooses the task that is to be started next, and gives it its room. The
// execution with the fewest tasks that run is next, the oldest of several; while
// there is no room for it, nobody goes past it.
func (r *Runner) claim() (x *execution, index int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, y := range r.order {
		if y.stopped || len(y.waiting) == 0 || len(y.running) >= y.limit {
			continue
		}
		if x == nil || len(y.running) < len(x.running) {
			x = y
		}
	}
	if x == nil || r.used > 0 && r.used+x.memory > r.MemoryBytes {
		return nil, 0, false
	}
	index, x.waiting = x.waiting[0], x.waiting[1:]
	x.running[index] = starting
	r.used += x.memory
	return x, index, true
}

// release gives back the room of a task that runs no more. again says that it is
// to be started once more.
func (r *Runner) release(x *execution, index int, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(x.running, index)
	r.used -= x.memory
	if again && !x.stopped {
		x.waiting = slices.Insert(x.waiting, 0, index)
	}
	if len(x.running) == 0 && (x.stopped || len(x.waiting) == 0) {
		delete(r.runs, x.key)
		r.order = slices.DeleteFunc(r.order, func(y *execution) bool { return y == x })
	}
}

// Stop implements Executor.
func (r *Runner) Stop(k ExecutionKey) {
	r.stopWhere(func(have ExecutionKey) bool { return have == k })
}

// StopJob implements Executor.
func (r *Runner) StopJob(k Key) {
	r.stopWhere(func(have ExecutionKey) bool { return have.Key == k })
}

func (r *Runner) stopWhere(is func(ExecutionKey) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, x := range r.runs {
		if !is(k) {
			continue
		}
		x.stopped = true
		for _, cancel := range x.running {
			cancel(errCancelled)
		}
		if len(x.running) == 0 {
			delete(r.runs, k)
			r.order = slices.DeleteFunc(r.order, func(y *execution) bool { return y == x })
		}
	}
}

// watch lets an attempt be stopped; it is at once when its execution has been.
func (r *Runner) watch(x *execution, index int, cancel context.CancelCauseFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x.running[index] = cancel
	if x.stopped {
		cancel(errCancelled)
	}
}
