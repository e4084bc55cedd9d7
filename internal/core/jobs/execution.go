package jobs

import (
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Execution is one run of a job: its tasks, and how far they are.
type Execution struct {
	ExecutionKey
	UID        string
	JobUID     string
	Template   Template // with what was changed for this execution
	Document   []byte   // the job's, of the moment it began
	UIDRange   int
	Overridden bool // something was changed for this execution

	// How many tasks are where. The rest wait.
	Running, Succeeded, Failed, Cancelled int
	Retried                               int // attempts beyond the first, of all tasks

	// Fault is why it failed: what the first task that failed says.
	Fault *Fault `json:",omitempty"`
	// Cancel is when somebody asked for its end; zero: nobody did.
	Cancel time.Time

	// Waiting are the operations that are done when it ends.
	Waiting []sunya.Operation `json:",omitempty"`

	Creator    string
	CreateTime time.Time
	StartTime  time.Time // of its first task
	EndTime    time.Time // zero: it goes on
	UpdateTime time.Time
}

// ETag changes with every change of the execution.
func (e *Execution) ETag() string { return fmt.Sprintf(`"%x"`, e.UpdateTime.UnixNano()) }

// Done reports whether the execution has ended.
func (e *Execution) Done() bool { return !e.EndTime.IsZero() }

// Ended says how an execution that is done has ended: Succeeded, Failed or
// Cancelled.
func (e *Execution) Ended() State {
	switch {
	case e.Failed > 0:
		return Failed
	case e.Cancelled > 0:
		return Cancelled
	}
	return Succeeded
}

// Waits is how many tasks have not been started, or are to be started again.
func (e *Execution) Waits() int {
	return e.Template.Tasks - e.Running - e.Succeeded - e.Failed - e.Cancelled
}

// State is where a task is in its life:
//
//	pending -> running -> succeeded
//	   ^  |      | | |
//	   +--+------+ | +--> failed
//	      +--------+----> cancelled
type State string

// The states of a task.
const (
	Pending   State = "pending"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Ended reports whether a task has come to its end.
func (s State) Ended() bool { return s != Pending && s != Running }

// Task is one of the equal parts of an execution.
type Task struct {
	Index   int
	UID     string
	State   State
	Attempt int    // the one that runs or ran last, or is to be run; from 0
	Sandbox string `json:",omitempty"` // of the attempt, while it runs

	Last      *Result   `json:",omitempty"` // of the last attempt that ended
	StartTime time.Time // of the first attempt; Begin is that of this one
	Begin     time.Time
	EndTime   time.Time
}

// Result is how an attempt ended.
type Result struct {
	Reason   string // empty: well
	Message  string // for people; empty: well
	ExitCode int
	Signal   int // that ended it; 0: it exited by itself
}

// The reasons for which attempts fail.
const (
	ReasonExitCode  = "NON_ZERO_EXIT_CODE"
	ReasonMemory    = "MEMORY_LIMIT_EXCEEDED"
	ReasonTimeout   = "TASK_TIMEOUT"
	ReasonCancelled = "CANCELLED"
	ReasonStart     = "START_FAILED"
	ReasonLost      = "INTERRUPTED"
)

// begin makes a task run its next attempt in a sandbox.
func (e *Execution) begin(t *Task, now time.Time) {
	t.State = Running
	t.Sandbox = sandboxID(e.UID, t.Index, t.Attempt)
	t.Begin = now
	if t.StartTime.IsZero() {
		t.StartTime = now
	}
	if e.StartTime.IsZero() {
		e.StartTime = now
	}
	e.Running++
	e.UpdateTime = now
}

// end takes down how the attempt of a running task ended, and returns the
// operations that are done with it.
func (e *Execution) end(t *Task, r Result, now time.Time) []sunya.Operation {
	e.Running--
	t.Last, t.Sandbox = &r, ""
	e.UpdateTime = now
	switch {
	case r.Reason == "":
		t.State = Succeeded
		e.Succeeded++
	case !e.Cancel.IsZero():
		t.State = Cancelled
		e.Cancelled++
	case t.Attempt < e.Template.Retries:
		t.State = Pending
		t.Attempt++
		e.Retried++
		return nil
	default:
		t.State = Failed
		e.Failed++
		e.blame(t, r, now)
	}
	t.EndTime = now
	return e.settle(now)
}

// blame keeps what the first task that failed says.
func (e *Execution) blame(t *Task, r Result, now time.Time) {
	if e.Fault == nil {
		e.Fault = &Fault{Code: sunya.Aborted, Reason: r.Reason, Time: now,
			Message: fmt.Sprintf("Task %s failed with message: %s", e.TaskID(t.Index), r.Message)}
	}
}

// cancel takes down that somebody wants the execution's end: tasks that wait
// are not started any more.
func (e *Execution) cancel(waiting []Task, now time.Time) []sunya.Operation {
	if e.Cancel.IsZero() {
		e.Cancel = now
	}
	e.UpdateTime = now
	for i := range waiting {
		waiting[i].State, waiting[i].EndTime = Cancelled, now
		e.Cancelled++
	}
	return e.settle(now)
}

// settle ends the execution when nothing of it is left to do.
func (e *Execution) settle(now time.Time) []sunya.Operation {
	if e.Running > 0 || e.Waits() > 0 {
		return nil
	}
	e.EndTime = now
	if e.Ended() == Cancelled {
		e.Fault = &Fault{Code: sunya.Canceled, Reason: ReasonCancelled, Message: "The execution was cancelled.", Time: now}
	}
	out := e.Waiting
	e.Waiting = nil
	for i := range out {
		out[i].Done, out[i].EndTime, out[i].Stage = true, now, ""
		if e.Ended() == Failed {
			out[i].Error = &sunya.OperationError{Code: e.Fault.Code, Reason: e.Fault.Reason, Message: e.Fault.Message}
		}
	}
	return out
}
