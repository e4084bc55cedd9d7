package jobs

import (
	"context"

	"github.com/sunya-cloud/sunya"
)

// Store keeps jobs, their executions and the tasks of these. A method that
// writes returns after the write is durable.
type Store interface {
	GetJob(ctx context.Context, k Key) (*Job, error) // NotFound
	// ListJobs returns the jobs of a project ("" for all) in byte order of their
	// locations and ids, at most limit, beginning after LOCATION/ID. An empty
	// location stands for all.
	ListJobs(ctx context.Context, project, location, after string, limit int) ([]Job, error)
	// PreparingJobs returns the jobs that have a Next.
	PreparingJobs(ctx context.Context) ([]Job, error)

	GetExecution(ctx context.Context, k ExecutionKey) (*Execution, error) // NotFound
	// ListExecutions returns executions, the newest first, at most limit,
	// beginning after the one that after names (LOCATION/JOB/EXECUTION). An empty
	// location or job of k stands for all.
	ListExecutions(ctx context.Context, k Key, after string, limit int) ([]Execution, error)
	// OpenExecutions returns the names of those that are not done, the oldest
	// first.
	OpenExecutions(ctx context.Context) ([]ExecutionKey, error)
	// OldExecutions returns the ids of a job's executions that are done, but for
	// the newest keep executions of the job.
	OldExecutions(ctx context.Context, k Key, keep int) ([]string, error)

	GetTask(ctx context.Context, k ExecutionKey, index int) (*Task, error) // NotFound
	// ListTasks returns the tasks of an execution in their order, from an index
	// on, at most limit.
	ListTasks(ctx context.Context, k ExecutionKey, from, limit int) ([]Task, error)
	// OpenTasks returns those that have not ended, in their order.
	OpenTasks(ctx context.Context, k ExecutionKey) ([]Task, error)

	// UpdateJob reads a job, nil when there is none, and writes what f makes of
	// it, as one atomic step. f may be called again and must not block.
	UpdateJob(ctx context.Context, k Key, f func(now *Job) (Change, error)) error
	// DeleteJob does the same with a job and its executions that are not done,
	// the oldest first.
	DeleteJob(ctx context.Context, k Key, f func(now *Job, open []Execution) (Change, error)) error
	// UpdateExecution does the same with an execution and its tasks that have
	// not ended. NotFound.
	UpdateExecution(ctx context.Context, k ExecutionKey, f func(e *Execution, open []Task) (Change, error)) error
	// UpdateTask does the same with one task. NotFound.
	UpdateTask(ctx context.Context, k ExecutionKey, index int, f func(e *Execution, t *Task) (Change, error)) error
}

// Change is what is written together. What is nil stays as it is.
type Change struct {
	Job          *Job       // created or replaced
	NewExecution *Execution // created; AlreadyExists, and nothing is written, when there is one of its name
	Execution    *Execution // replaced
	Tasks        []Task     // of the execution; created or replaced
	Operations   []sunya.Operation

	DeleteExecutions []string // ids, of the job that is changed, with their tasks
	DeleteJob        bool     // with its executions
}
