package runmodel

import (
	"fmt"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
)

// JobDocument is what was sent of a job, completed.
func JobDocument(name string, document []byte) (*runpb.Job, error) {
	out := &runpb.Job{}
	if err := read(document, out); err != nil {
		return nil, fmt.Errorf("decode %s: %w", name, err)
	}
	return out, nil
}

// ShowJob shows a job, with its latest execution when that is given.
func ShowJob(j *jobs.Job, latest *jobs.Execution) (*runpb.Job, error) {
	out, err := JobDocument(j.Name(), j.Shown().Document)
	if err != nil {
		return nil, err
	}
	out.Name, out.Uid, out.Generation, out.Etag = j.Name(), j.UID, j.Generation, j.ETag()
	out.Creator, out.LastModifier = j.Creator, j.Modifier
	out.CreateTime, out.UpdateTime = timestamppb.New(j.CreateTime), timestamppb.New(j.UpdateTime)
	out.ExecutionCount = int32(j.Executions)
	out.ObservedGeneration = j.Generation
	if j.Next != nil {
		out.ObservedGeneration--
		out.Reconciling = true
	}
	out.TerminalCondition = jobReady(j)
	if latest != nil {
		out.LatestCreatedExecution = reference(latest)
	}
	return out, nil
}

// jobReady says whether the last change of a job has come to something.
func jobReady(j *jobs.Job) *runpb.Condition {
	c := newCondition("Ready", j.UpdateTime)
	switch {
	case j.Next != nil:
		c.State = runpb.Condition_CONDITION_RECONCILING
		c.Message = "Waiting for the image."
		c.Reasons = &runpb.Condition_Reason{Reason: runpb.Condition_WAITING_FOR_OPERATION}
	case j.Fault != nil:
		failed(c, j.Fault.Message)
		c.LastTransitionTime = timestamppb.New(j.Fault.Time)
		c.Reasons = &runpb.Condition_Reason{Reason: faultReason(j.Fault.Code)}
	default:
		c.State = runpb.Condition_CONDITION_SUCCEEDED
	}
	return c
}

func faultReason(code sunya.Code) runpb.Condition_CommonReason {
	switch code {
	case sunya.NotFound:
		return runpb.Condition_CONTAINER_MISSING
	case sunya.PermissionDenied, sunya.Unauthenticated:
		return runpb.Condition_CONTAINER_IMAGE_UNAUTHORIZED
	case sunya.Internal:
		return runpb.Condition_INTERNAL
	}
	return runpb.Condition_UNKNOWN
}

func newCondition(name string, at time.Time) *runpb.Condition {
	return &runpb.Condition{Type: name, LastTransitionTime: timestamp(at)}
}

func failed(c *runpb.Condition, message string) {
	c.State, c.Severity, c.Message = runpb.Condition_CONDITION_FAILED, runpb.Condition_ERROR, message
}

// timestamp is a time, nil for none.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// reference is what a job says of its latest execution.
func reference(e *jobs.Execution) *runpb.ExecutionReference {
	out := &runpb.ExecutionReference{Name: e.Execution, CreateTime: timestamp(e.CreateTime), CompletionTime: timestamp(e.EndTime)}
	switch {
	case !e.Done() && e.StartTime.IsZero():
		out.CompletionStatus = runpb.ExecutionReference_EXECUTION_PENDING
	case !e.Done():
		out.CompletionStatus = runpb.ExecutionReference_EXECUTION_RUNNING
	case e.Ended() == jobs.Failed:
		out.CompletionStatus = runpb.ExecutionReference_EXECUTION_FAILED
	case e.Ended() == jobs.Cancelled:
		out.CompletionStatus = runpb.ExecutionReference_EXECUTION_CANCELLED
	default:
		out.CompletionStatus = runpb.ExecutionReference_EXECUTION_SUCCEEDED
	}
	return out
}

// ShowExecution shows an execution.
func ShowExecution(e *jobs.Execution) (*runpb.Execution, error) {
	task, err := taskTemplate(e)
	if err != nil {
		return nil, err
	}
	return &runpb.Execution{
		Name:               e.Name(),
		Uid:                e.UID,
		Creator:            e.Creator,
		Generation:         1,
		Labels:             e.Template.Labels,
		Annotations:        e.Template.Annotations,
		CreateTime:         timestamp(e.CreateTime),
		StartTime:          timestamp(e.StartTime),
		CompletionTime:     timestamp(e.EndTime),
		UpdateTime:         timestamp(e.UpdateTime),
		Job:                e.ID,
		Parallelism:        int32(e.Template.Parallelism),
		TaskCount:          int32(e.Template.Tasks),
		Template:           task,
		Reconciling:        !e.Done(),
		Conditions:         executionConditions(e),
		ObservedGeneration: 1,
		RunningCount:       int32(e.Running),
		SucceededCount:     int32(e.Succeeded),
		FailedCount:        int32(e.Failed),
		CancelledCount:     int32(e.Cancelled),
		RetriedCount:       int32(e.Retried),
		Etag:               e.ETag(),
	}, nil
}

// taskTemplate is the job's, of the moment when the execution began, with what
// was changed for it.
func taskTemplate(e *jobs.Execution) (*runpb.TaskTemplate, error) {
	doc, err := JobDocument(e.Name(), e.Document)
	if err != nil {
		return nil, err
	}
	out := doc.GetTemplate().GetTemplate()
	if out == nil {
		out = &runpb.TaskTemplate{}
	}
	out.Timeout = durationpb.New(e.Template.Timeout)
	for i, c := range out.GetContainers() {
		if i >= len(e.Template.Containers) {
			break
		}
		have := &e.Template.Containers[i]
		c.Args, c.Env = have.From.Args, nil
		for _, v := range have.Env {
			c.Env = append(c.Env, &runpb.EnvVar{Name: v.Name, Values: &runpb.EnvVar_Value{Value: v.Value}})
		}
	}
	return out, nil
}

// The conditions of executions and tasks.
const (
	completed = "Completed"
	available = "ResourcesAvailable"
	started   = "Started"
)

func executionConditions(e *jobs.Execution) []*runpb.Condition {
	done := newCondition(completed, e.UpdateTime)
	switch {
	case e.Done() && e.Ended() == jobs.Succeeded:
		done.State = runpb.Condition_CONDITION_SUCCEEDED
		done.Message = "Execution completed successfully in " + e.EndTime.Sub(e.CreateTime).Round(10*time.Millisecond).String() + "."
	case e.Done():
		failed(done, e.Fault.Message)
		done.Reasons = executionReason(e.Fault.Reason)
	case !e.Cancel.IsZero():
		done.State, done.Reasons = runpb.Condition_CONDITION_RECONCILING, &runpb.Condition_ExecutionReason_{ExecutionReason: runpb.Condition_CANCELLING}
	default:
		done.State = runpb.Condition_CONDITION_RECONCILING
	}
	return append([]*runpb.Condition{done}, beginning(e.CreateTime, e.StartTime, e.Done())...)
}

// beginning is how far something is that waits for room first. ended says that
// it came to its end all the same.
func beginning(created, start time.Time, ended bool) []*runpb.Condition {
	at := start
	state := runpb.Condition_CONDITION_SUCCEEDED
	if start.IsZero() {
		at, state = created, runpb.Condition_CONDITION_RECONCILING
	}
	room, begun := newCondition(available, at), newCondition(started, at)
	room.State, begun.State = state, state
	switch {
	case start.IsZero() && ended:
		failed(begun, "It was cancelled before it began.")
		begun.Reasons = &runpb.Condition_ExecutionReason_{ExecutionReason: runpb.Condition_CANCELLED}
		room.State = runpb.Condition_CONDITION_SUCCEEDED
	case start.IsZero():
		room.Message = "Waiting for memory."
	}
	return []*runpb.Condition{room, begun}
}

// executionReason is a reason as the API knows it.
func executionReason(reason string) *runpb.Condition_ExecutionReason_ {
	switch reason {
	case jobs.ReasonCancelled:
		return &runpb.Condition_ExecutionReason_{ExecutionReason: runpb.Condition_CANCELLED}
	default:
		return &runpb.Condition_ExecutionReason_{ExecutionReason: runpb.Condition_NON_ZERO_EXIT_CODE}
	}
}

// ShowTask shows a task.
func ShowTask(e *jobs.Execution, t *jobs.Task) (*runpb.Task, error) {
	template, err := taskTemplate(e)
	if err != nil {
		return nil, err
	}
	out := &runpb.Task{
		Name:                 e.TaskName(t.Index),
		Uid:                  t.UID,
		Generation:           1,
		Labels:               e.Template.Labels,
		Annotations:          e.Template.Annotations,
		CreateTime:           timestamp(e.CreateTime),
		ScheduledTime:        timestamp(t.StartTime),
		StartTime:            timestamp(t.StartTime),
		CompletionTime:       timestamp(t.EndTime),
		UpdateTime:           timestamp(latest(e.CreateTime, t.Begin, t.EndTime)),
		Job:                  e.ID,
		Execution:            e.Execution,
		Containers:           template.GetContainers(),
		Volumes:              template.GetVolumes(),
		MaxRetries:           template.GetMaxRetries(),
		Timeout:              template.GetTimeout(),
		ServiceAccount:       template.GetServiceAccount(),
		ExecutionEnvironment: template.GetExecutionEnvironment(),
		Reconciling:          !t.State.Ended(),
		ObservedGeneration:   1,
		Index:                int32(t.Index),
		Retried:              int32(t.Attempt),
		LastAttemptResult:    attemptResult(t.Last),
		Conditions:           taskConditions(e, t),
	}
	out.Etag = fmt.Sprintf(`"%x"`, out.GetUpdateTime().AsTime().UnixNano())
	return out, nil
}

func latest(times ...time.Time) (out time.Time) {
	for _, t := range times {
		if t.After(out) {
			out = t
		}
	}
	return out
}

func attemptResult(r *jobs.Result) *runpb.TaskAttemptResult {
	if r == nil {
		return nil
	}
	out := &runpb.TaskAttemptResult{ExitCode: int32(r.ExitCode), TermSignal: int32(r.Signal), Status: &status.Status{Message: r.Message}}
	switch r.Reason {
	case "":
	case jobs.ReasonTimeout:
		out.Status.Code = int32(sunya.DeadlineExceeded)
	case jobs.ReasonMemory:
		out.Status.Code = int32(sunya.ResourceExhausted)
	case jobs.ReasonCancelled:
		out.Status.Code = int32(sunya.Canceled)
	case jobs.ReasonExitCode:
		out.Status.Code = int32(sunya.Unknown)
	default:
		out.Status.Code = int32(sunya.Aborted)
	}
	return out
}

func taskConditions(e *jobs.Execution, t *jobs.Task) []*runpb.Condition {
	done := newCondition(completed, latest(e.CreateTime, t.Begin, t.EndTime))
	switch t.State {
	case jobs.Succeeded:
		done.State = runpb.Condition_CONDITION_SUCCEEDED
	case jobs.Failed:
		failed(done, t.Last.Message)
		done.Reasons = executionReason(t.Last.Reason)
	case jobs.Cancelled:
		failed(done, "The task was cancelled.")
		done.Reasons = executionReason(jobs.ReasonCancelled)
	default:
		done.State = runpb.Condition_CONDITION_RECONCILING
		if t.Last != nil {
			done.Message = fmt.Sprintf("Attempt %d failed: %s", t.Attempt-1, t.Last.Message)
		}
	}
	return append([]*runpb.Condition{done}, beginning(e.CreateTime, t.StartTime, t.State.Ended())...)
}
