package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Kind is the sandbox.Spec.Kind of tasks.
const Kind = "job"

// The labels of a task's sandbox.
const (
	labelExecution = "execution"
	LabelProject   = "project" // as those of instances
	LabelAccount   = "account"
	LabelLocation  = "location"
)

// The times of a task's life.
const (
	grace      = 10 * time.Second // from SIGTERM to SIGKILL
	stopSlack  = 10 * time.Second // what a stop may take beyond it
	outputWait = time.Second      // for the end of the output after that of the program
	startTries = 5                // while the engine says "try again"
	startPause = 50 * time.Millisecond
	storeAgain = time.Second // until a result is written that could not be
)

var (
	errCancelled = errors.New("the execution was cancelled")
	errTimeout   = errors.New("the task took too long")
)

// attempt runs a task once, from its start to its end.
func (r *Runner) attempt(ctx context.Context, x *execution, index int) {
	e, t, err := r.begin(ctx, x.key, index)
	if err != nil {
		// Nothing has happened. What is not there any more is not tried again.
		again := sunya.CodeOf(err) != sunya.NotFound && sunya.CodeOf(err) != sunya.FailedPrecondition
		if again && ctx.Err() == nil {
			r.log.Error("begin a task; it is tried again", "task", x.key.TaskName(index), "err", err)
			pause(ctx, storeAgain)
		}
		r.release(x, index, again)
		return
	}
	// A start is not cut short by the end of the server: a program that may have
	// begun has, and is ended as such.
	box, err := r.start(context.WithoutCancel(ctx), e, t)
	if err != nil {
		f := faultOf(err, r.Now())
		r.finish(ctx, x, e, t, Result{Reason: ReasonStart, Message: "The task could not be started: " + f.Message})
		return
	}
	r.supervise(ctx, x, e, t, box)
}

// begin writes down that a task runs, before it does.
func (r *Runner) begin(ctx context.Context, k ExecutionKey, index int) (e *Execution, t *Task, err error) {
	err = r.Store.UpdateTask(ctx, k, index, func(ex *Execution, task *Task) (Change, error) {
		if task.State != Pending || !ex.Cancel.IsZero() {
			return Change{}, sunya.Errorf(sunya.FailedPrecondition, k.TaskName(index), "the task does not wait to be started")
		}
		ex.begin(task, r.Now())
		e, t = ex, task
		return Change{Execution: ex, Tasks: []Task{*task}}, nil
	})
	return e, t, err
}

// start starts the sandbox of an attempt, again for as long as the engine is
// unavailable.
func (r *Runner) start(ctx context.Context, e *Execution, t *Task) (sandbox.Sandbox, error) {
	spec, err := r.spec(e, t)
	if err != nil {
		return nil, err
	}
	wait := startPause
	for try := 1; ; try++ {
		box, err := r.Engine.Start(ctx, spec)
		if sunya.CodeOf(err) != sunya.Unavailable || try == startTries {
			return box, err
		}
		pause(ctx, wait)
		wait *= 2
	}
}

// supervise looks after the sandbox of an attempt until nothing is left of it.
// How it ended is written down before the sandbox is forgotten: a server that is
// killed in between finds it again, with its exit status.
func (r *Runner) supervise(ctx context.Context, x *execution, e *Execution, t *Task, box sandbox.Sandbox) {
	out := r.carryOutput(e, t, box)
	why := r.await(ctx, x, t, box, e.Template.Timeout)
	out.wait(outputWait)
	if why != nil && why != errTimeout && why != errCancelled {
		r.release(x, t.Index, false) // the server ends; the next one sees to it
		return
	}
	r.finish(ctx, x, e, t, resultOf(e, box.Exit(), why))
	r.stop(box, 0)
}

// await waits for the end of a program and returns why it was ended, nil when it
// came to its end by itself. A program that the server's end has cut short is
// none of these: the cause of ctx.
func (r *Runner) await(ctx context.Context, x *execution, t *Task, box sandbox.Sandbox, timeout time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.watch(x, t.Index, cancel)
	timer := time.NewTimer(t.Begin.Add(timeout).Sub(r.Now()))
	defer timer.Stop()
	var why error
	select {
	case <-box.Done():
		return nil
	case <-timer.C:
		why = errTimeout
	case <-ctx.Done():
		why = context.Cause(ctx)
	}
	select {
	case <-box.Done(): // both at once: it was not ended
		return nil
	default:
	}
	r.stop(box, grace)
	return why
}

func (r *Runner) stop(box sandbox.Sandbox, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace+stopSlack)
	defer cancel()
	if err := box.Stop(ctx, grace); err != nil {
		r.log.Error("stop a task", "sandbox", box.Spec().ID, "err", err)
	}
}

// resultOf is how an attempt ended: by itself, or ended by the platform.
func resultOf(e *Execution, exit sandbox.Exit, why error) Result {
	out := Result{ExitCode: exit.Code, Signal: exit.Signal}
	if exit.Signal != 0 {
		out.ExitCode = 0
	}
	switch {
	case why == errTimeout:
		out.Reason = ReasonTimeout
		out.Message = fmt.Sprintf("The configured timeout of %v was reached.", e.Template.Timeout)
	case why == errCancelled:
		out.Reason, out.Message = ReasonCancelled, "The task was cancelled."
	case exit.OOMKilled:
		out.Reason = ReasonMemory
		out.Message = fmt.Sprintf("Memory limit of %v exceeded: raise --memory, or use less.", sunya.Bytes(e.Template.memory()))
	case exit.Signal != 0:
		out.Reason = ReasonExitCode
		out.Message = fmt.Sprintf("The container was killed by signal %d.", exit.Signal)
	case exit.Code != 0:
		out.Reason = ReasonExitCode
		out.Message = fmt.Sprintf("The container exited with an error: exit status %d.", exit.Code)
	}
	return out
}

// finish writes down how an attempt ended, for as long as it takes, and gives
// back its room.
func (r *Runner) finish(ctx context.Context, x *execution, e *Execution, t *Task, result Result) {
	for {
		again, ended, err := r.record(context.WithoutCancel(ctx), x.key, t, result)
		if err == nil || sunya.CodeOf(err) == sunya.NotFound {
			r.say(e, t, result)
			r.release(x, t.Index, again)
			for _, op := range ended {
				r.Changed(op.Name)
			}
			return
		}
		r.log.Error("record how a task ended; it is tried again", "task", x.key.TaskName(t.Index), "err", err)
		if pause(ctx, storeAgain); ctx.Err() != nil {
			r.release(x, t.Index, false) // the sandbox is still there for the next server
			return
		}
	}
}

// record writes down how an attempt ended. again says that the task is to be
// started once more.
func (r *Runner) record(ctx context.Context, k ExecutionKey, t *Task, result Result) (again bool, ended []sunya.Operation, err error) {
	err = r.Store.UpdateTask(ctx, k, t.Index, func(e *Execution, task *Task) (Change, error) {
		again, ended = false, nil
		if task.State != Running || task.Attempt != t.Attempt {
			return Change{}, nil // written before
		}
		ended = e.end(task, result, r.Now())
		again = task.State == Pending
		return Change{Execution: e, Tasks: []Task{*task}, Operations: ended}, nil
	})
	return again, ended, err
}

// output is what a task prints, on its way to the log.
type output struct{ wg sync.WaitGroup }

func (r *Runner) carryOutput(e *Execution, t *Task, box sandbox.Sandbox) *output {
	o := &output{}
	carry := func(_ string, rc io.ReadCloser) {
		io.Copy(io.Discard, rc) // nobody wants it, nor its error
		rc.Close()
	}
	if r.Output != nil {
		carry = r.Output(e, t)
	}
	stdout, stderr := box.Output()
	for stream, rc := range map[string]io.ReadCloser{"stdout": stdout, "stderr": stderr} {
		if rc != nil {
			o.wg.Go(func() { carry(stream, rc) })
		}
	}
	return o
}

// wait waits until both streams have ended, at most d: a program may have handed
// them to one that lives on.
func (o *output) wait(d time.Duration) {
	ended := make(chan struct{})
	go func() {
		o.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(d):
	}
}
