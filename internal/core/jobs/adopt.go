package jobs

import (
	"context"
	"sync"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Adopt takes the tasks among the sandboxes that an earlier server left; Run
// sees to them. Call it once, before Run.
func (r *Runner) Adopt(_ context.Context, boxes []sandbox.Sandbox) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, box := range boxes {
		if box.Spec().Kind == Kind {
			r.left[box.Spec().ID] = box
		}
	}
	r.log.Info("adopted", "tasks", len(r.left))
}

func (r *Runner) takeLeft(id string) sandbox.Sandbox {
	r.mu.Lock()
	defer r.mu.Unlock()
	box := r.left[id]
	delete(r.left, id)
	return box
}

// resume goes on with a task that an earlier server had begun, in the sandbox
// that it left. One whose sandbox is gone may have done anything: it counts as an
// attempt that failed.
func (r *Runner) resume(ctx context.Context, x *execution, e *Execution, t *Task, box sandbox.Sandbox) {
	if box != nil {
		r.supervise(ctx, x, e, t, box)
		return
	}
	r.finish(ctx, x, e, t, Result{Reason: ReasonLost, Message: "The server was stopped while the task ran."})
}

// dropLeft stops what an earlier server left and no task knows: of executions
// that were deleted, or that were done but for forgetting the sandbox.
func (r *Runner) dropLeft(ctx context.Context, wg *sync.WaitGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, box := range r.left {
		delete(r.left, id)
		r.log.Info("stop what no task knows", "sandbox", id, "execution", box.Spec().Labels[labelExecution])
		wg.Go(func() { r.stop(box, grace) })
	}
}
