package jobs

import (
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// Job is what was asked for, and whether it can be executed.
type Job struct {
	Key
	UID string

	Spec
	// Next is what the job is to become once its images are here; nil: nothing.
	// Until then Spec is executed, if there ever was one that was ready.
	Next *Spec `json:",omitempty"`
	// Fault is why the last change came to nothing.
	Fault *Fault `json:",omitempty"`
	// Operation is what clients of the change in progress wait for.
	Operation *sunya.Operation `json:",omitempty"`

	Generation int64 // +1 with every change asked for
	Executions int   // that there ever were
	Latest     string
	UIDRange   int `json:"-"` // of its tasks; given by the store, never reused for another project

	Invokers   []string // members that may execute it, by IAM policy
	Creator    string   // e-mail address, or empty
	Modifier   string
	CreateTime time.Time
	UpdateTime time.Time
}

// Ready reports whether there is something to execute.
func (j *Job) Ready() bool { return len(j.Template.Containers) > 0 }

// Shown is what the owner last asked for, as far as it has not come to nothing.
func (j *Job) Shown() *Spec {
	if j.Next != nil {
		return j.Next
	}
	return &j.Spec
}

// ETag changes with every change of the job.
func (j *Job) ETag() string { return fmt.Sprintf(`"%x-%x"`, j.Generation, j.UpdateTime.UnixNano()) }

// Spec is what the owner of a job says about it.
type Spec struct {
	Labels      map[string]string
	Annotations map[string]string
	Client      string
	Version     string // of Client

	Template Template
	// Token, when set, ends the name of an execution that begins once the job is
	// ready. AwaitRun says that the job's change is done when that has ended.
	Token    string `json:",omitempty"`
	AwaitRun bool   `json:",omitempty"`

	// Document is the JSON of the google.cloud.run.v2.Job that was sent, so that
	// what this server does not understand is stored and returned too.
	Document []byte
}

// Template is what an execution is made of.
type Template struct {
	Labels      map[string]string // of executions and tasks
	Annotations map[string]string

	Tasks       int
	Parallelism int // tasks at once; 0: as many as there is room for
	Retries     int // of one task
	Timeout     time.Duration
	Account     string // service account
	Containers  []Container
	Volumes     []sunya.Volume
}

// Container is a program of a task: what was asked for, and the image once it is
// here.
type Container struct {
	run.Container
	Fetched *images.Fetched `json:",omitempty"`
}

// Fault is why something came to nothing.
type Fault struct {
	Code    sunya.Code
	Reason  string // UPPER_SNAKE, for scripts
	Message string // for people
	Time    time.Time
}

// Limits and defaults (Cloud Run, "Quotas and limits").
const (
	DefaultTimeout = 600 * time.Second
	DefaultRetries = 3
	maxTimeout     = 168 * time.Hour
	maxRetries     = 10
	maxTasks       = 10_000
	keepExecutions = 1000
)

// reservedEnv are the variables that the platform sets.
var reservedEnv = []string{envJob, envExecution, envIndex, envAttempt, envCount}

// The variables of a task.
const (
	envJob       = "CLOUD_RUN_JOB"
	envExecution = "CLOUD_RUN_EXECUTION"
	envIndex     = "CLOUD_RUN_TASK_INDEX"
	envAttempt   = "CLOUD_RUN_TASK_ATTEMPT"
	envCount     = "CLOUD_RUN_TASK_COUNT"
)

// Complete fills in the defaults.
func (s *Spec) Complete(k Key) {
	t := &s.Template
	if t.Tasks == 0 {
		t.Tasks = 1
	}
	if t.Timeout == 0 {
		t.Timeout = DefaultTimeout
	}
	if t.Account == "" {
		t.Account = sunya.ComputeAccount(k.Project)
	}
	for i := range t.Containers {
		t.Containers[i].Complete(i, len(t.Containers) > 1)
	}
}

// check holds for everything that the owner says.
func (s *Spec) check(k Key) error {
	t := &s.Template
	const execution, task = "job.template", "job.template.template"
	if err := t.check(execution, task); err != nil {
		return err
	}
	if t.Parallelism < 0 || t.Parallelism > maxTasks {
		return sunya.Invalid(execution+".parallelism", "%d is not allowed: use 0 for as many as possible, or 1 to %d", t.Parallelism, maxTasks)
	}
	if t.Retries < 0 || t.Retries > maxRetries {
		return sunya.Invalid(task+".max_retries", "%d is not allowed: use 0 to %d", t.Retries, maxRetries)
	}
	if err := sunya.CheckAccount(task+".service_account", t.Account); err != nil {
		return err
	}
	if err := t.checkContainers(task); err != nil {
		return err
	}
	for i, c := range t.Containers {
		if c.Port != 0 {
			return sunya.Invalid(fmt.Sprintf("%s.containers[%d].ports", task, i), "a job has no ports: leave them out, or deploy a service")
		}
	}
	if len(t.Containers) > 1 {
		return &sunya.Error{Code: sunya.Unimplemented, Field: task + ".containers", Message: "jobs with several containers are not supported yet: use one container"}
	}
	return k.checkToken("job.start_execution_token", s.Token)
}

// check holds for what overrides can change, too.
func (t *Template) check(execution, task string) error {
	switch {
	case t.Tasks < 1 || t.Tasks > maxTasks:
		return sunya.Invalid(execution+".task_count", "%d is not allowed: use 1 to %d", t.Tasks, maxTasks)
	case t.Timeout < time.Second || t.Timeout > maxTimeout:
		return sunya.Invalid(task+".timeout", "%v is not allowed: use 1s to %d hours", t.Timeout, int(maxTimeout.Hours()))
	}
	return nil
}

// checkContainers holds for the programs.
func (t *Template) checkContainers(field string) error {
	containers := make([]run.Container, len(t.Containers))
	for i := range t.Containers {
		containers[i] = t.Containers[i].Container
	}
	return run.CheckContainers(field, containers, t.Volumes, reservedEnv)
}

// memory is what a task takes at most.
func (t *Template) memory() int64 {
	var sum int64
	for i := range t.Containers {
		sum += t.Containers[i].MemoryBytes
	}
	return sum
}
