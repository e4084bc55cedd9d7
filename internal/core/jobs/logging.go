package jobs

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// The logs of a job, by the names that Cloud Run gives them.
const (
	SystemLog    = "run.googleapis.com/varlog/system" // how attempts ended
	StreamPrefix = "run.googleapis.com/"              // of stdout and stderr
)

// The labels by which Google's tools find the entries of an execution.
const (
	LogLabelExecution = "run.googleapis.com/execution_name"
	LogLabelIndex     = "run.googleapis.com/task_index"
	LogLabelAttempt   = "run.googleapis.com/task_attempt"
)

// LogResource is what the log entries of a job are about.
func LogResource(k Key) logs.Resource {
	return logs.Resource{Type: "cloud_run_job", Labels: map[string]string{
		"project_id": k.Project,
		"location":   k.Location,
		"job_name":   k.ID,
	}}
}

// LogLabels are those of what an attempt prints.
func LogLabels(e *Execution, t *Task) map[string]string {
	return map[string]string{
		"instanceId":      t.Sandbox,
		LogLabelExecution: e.Execution,
		LogLabelIndex:     strconv.Itoa(t.Index),
		LogLabelAttempt:   strconv.Itoa(t.Attempt),
	}
}

// LogFilter finds the log entries of an execution, in Cloud Logging's language.
func LogFilter(k ExecutionKey) string {
	return fmt.Sprintf("resource.type=\"cloud_run_job\" resource.labels.job_name=%q resource.labels.location=%q labels.%q=%q",
		k.ID, k.Location, LogLabelExecution, k.Execution)
}

// event is the payload of what the platform says about a task.
type event struct {
	Message  string `json:"message"`
	Event    string `json:"event"` // succeeded, failed, cancelled
	Task     int    `json:"task"`
	Attempt  int    `json:"attempt"`
	Reason   string `json:"reason,omitempty"`
	ExitCode int    `json:"exitCode,omitempty"`
	TookMS   int64  `json:"tookMs"`
}

// say logs how an attempt ended.
func (r *Runner) say(e *Execution, t *Task, result Result) {
	took := r.Now().Sub(t.Begin).Milliseconds()
	ev := event{Event: "failed", Message: result.Message, Task: t.Index, Attempt: t.Attempt, Reason: result.Reason, ExitCode: result.ExitCode, TookMS: took}
	severity := logs.Error
	switch result.Reason {
	case "":
		ev.Event, ev.Message, severity = "succeeded", fmt.Sprintf("Task %d succeeded after %d ms", t.Index, took), logs.Info
	case ReasonCancelled:
		ev.Event, severity = "cancelled", logs.Notice
	}
	r.log.Info("task "+ev.Event, "task", e.TaskName(t.Index), "attempt", t.Attempt, "message", ev.Message)
	if r.Sink == nil {
		return
	}
	payload, err := json.Marshal(ev)
	if err != nil {
		r.log.Error("encode event", "err", err)
		return
	}
	r.Sink.Write(logs.Entry{
		LogName:   logs.LogName(e.Project, SystemLog),
		Timestamp: r.Now(),
		Severity:  severity,
		Resource:  LogResource(e.Key),
		Labels:    LogLabels(e, t),
		JSON:      payload,
	})
}
