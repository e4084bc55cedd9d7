package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Overrides is what differs for one execution.
type Overrides struct {
	Tasks      int           // 0: as the job says
	Timeout    time.Duration // 0: as the job says
	Containers []ContainerOverride
}

// ContainerOverride is what differs of one container.
type ContainerOverride struct {
	Name      string // empty: the only one
	Args      []string
	ClearArgs bool           // without any, those of the image among them
	Env       []sunya.EnvVar // over the job's
}

// nameTries is how often a name is made up that nobody else has.
const nameTries = 5

// Execute begins an execution of a job. The operation is done when it has ended.
func (a *Admin) Execute(ctx context.Context, k Key, o Overrides, r Request) (*Execution, *sunya.Operation, error) {
	if err := k.Check(); err != nil {
		return nil, nil, err
	}
	old, err := a.Store.OldExecutions(ctx, k, keepExecutions-1)
	if err != nil {
		return nil, nil, err
	}
	var e *Execution
	op := a.operation(k, r)
	execute := func(now *Job) (Change, error) {
		if err := executable(k, now, r.ETag); err != nil {
			return Change{}, err
		}
		t, err := o.apply(now.Template)
		if err != nil {
			return Change{}, err
		}
		c := begin(now, now.newExecution(), t, r.User, a.Now(), a.NewID)
		e = c.NewExecution
		e.Overridden = o.Tasks != 0 || o.Timeout != 0 || len(o.Containers) > 0
		op.Target = e.Name()
		e.Waiting = []sunya.Operation{*op}
		c.DeleteExecutions, c.Operations = old, []sunya.Operation{*op}
		if r.ValidateOnly {
			return Change{}, nil
		}
		return c, nil
	}
	for range nameTries {
		if err = a.Store.UpdateJob(ctx, k, execute); sunya.CodeOf(err) != sunya.AlreadyExists {
			break
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if r.ValidateOnly {
		op.Done, op.EndTime = true, op.CreateTime
		return e, op, nil
	}
	a.Executor.Kick()
	return e, op, nil
}

// executable reports whether a job can be executed.
func executable(k Key, j *Job, etag string) error {
	switch {
	case j == nil:
		return notFound(k)
	case !j.Ready() && j.Next != nil:
		return sunya.Errorf(sunya.FailedPrecondition, k.Name(), "the job is not ready yet: wait for operation %s", j.Operation.Name)
	case !j.Ready() && j.Fault != nil:
		return sunya.Errorf(sunya.FailedPrecondition, k.Name(), "the job never became ready: %s", j.Fault.Message)
	}
	return checkETag(j, etag)
}

// begin makes a new execution of a job, with all of its tasks.
func begin(j *Job, id string, t Template, user string, now time.Time, newID func() string) Change {
	e := &Execution{
		ExecutionKey: j.Execution(id),
		UID:          newID(),
		JobUID:       j.UID,
		Template:     t,
		Document:     j.Document,
		UIDRange:     j.UIDRange,
		Creator:      user,
		CreateTime:   now,
		UpdateTime:   now,
	}
	tasks := make([]Task, t.Tasks)
	for i := range tasks {
		tasks[i] = Task{Index: i, UID: newID(), State: Pending}
	}
	next := *j
	next.Executions++
	next.Latest = id
	return Change{Job: &next, NewExecution: e, Tasks: tasks}
}

// apply returns a template with what differs.
func (o Overrides) apply(t Template) (Template, error) {
	const field = "overrides"
	if o.Tasks != 0 {
		t.Tasks = o.Tasks
	}
	if o.Timeout != 0 {
		t.Timeout = o.Timeout
	}
	t.Containers = slices.Clone(t.Containers)
	for i, c := range o.Containers {
		at := fmt.Sprintf("%s.container_overrides[%d]", field, i)
		j := slices.IndexFunc(t.Containers, func(have Container) bool { return have.ContainerName == c.Name })
		if j < 0 && c.Name == "" && len(t.Containers) == 1 {
			j = 0
		}
		if j < 0 {
			return t, sunya.Invalid(at+".name", "%q is not a container of the job", c.Name)
		}
		if err := c.apply(at, &t.Containers[j]); err != nil {
			return t, err
		}
	}
	if err := t.check(field, field); err != nil {
		return t, err
	}
	return t, t.checkContainers(field)
}

func (o ContainerOverride) apply(field string, c *Container) error {
	if o.ClearArgs && len(o.Args) > 0 {
		return sunya.Invalid(field+".clear_args", "args are given, too: leave out one of them")
	}
	if len(o.Args) > 0 || o.ClearArgs {
		c.From.Args = o.Args
	}
	if o.ClearArgs {
		f := *c.Fetched
		f.Config.Cmd = nil
		c.Fetched = &f
	}
	env := slices.Clone(c.Env)
	for _, v := range o.Env {
		env = slices.DeleteFunc(env, func(have sunya.EnvVar) bool { return have.Name == v.Name })
		env = append(env, v)
	}
	c.Env = env
	return nil
}

// Execution returns one execution.
func (a *Admin) Execution(ctx context.Context, k ExecutionKey) (*Execution, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	return a.Store.GetExecution(ctx, k)
}

// ExecutionsOf returns executions, the newest first, at most limit, beginning
// after LOCATION/JOB/EXECUTION. "-" stands for all locations and jobs.
func (a *Admin) ExecutionsOf(ctx context.Context, k Key, after string, limit int) ([]Execution, error) {
	if k.Location == "-" {
		k.Location = ""
	}
	if k.ID == "-" {
		k.ID = ""
	}
	return a.Store.ListExecutions(ctx, k, after, limit)
}

// Cancel ends an execution: tasks that run get SIGTERM, and others are not
// started. The operation is done when nothing of it runs any more.
func (a *Admin) Cancel(ctx context.Context, k ExecutionKey, r Request) (*Execution, *sunya.Operation, error) {
	if err := k.Check(); err != nil {
		return nil, nil, err
	}
	var out *Execution
	var ended []sunya.Operation
	op := a.operation(k.Key, r)
	op.Target = k.Name()
	err := a.Store.UpdateExecution(ctx, k, func(e *Execution, open []Task) (Change, error) {
		if e.Done() {
			return Change{}, sunya.Errorf(sunya.FailedPrecondition, k.Name(), "the execution has ended already")
		}
		out = e
		if err := e.checkETag(r.ETag); err != nil || r.ValidateOnly {
			return Change{}, err
		}
		e.Waiting = append(e.Waiting, *op)
		waiting := slices.DeleteFunc(open, func(t Task) bool { return t.State != Pending })
		ended = e.cancel(waiting, a.Now())
		ops := ended
		if ended == nil {
			ops = []sunya.Operation{*op}
		}
		return Change{Execution: e, Tasks: waiting, Operations: ops}, nil
	})
	if err != nil {
		return nil, nil, err
	}
	a.changed(ended)
	if !r.ValidateOnly {
		a.Executor.Stop(k)
	}
	return out, op, nil
}

// DeleteExecution deletes an execution; its tasks that run are stopped. The
// operation is done when it returns.
func (a *Admin) DeleteExecution(ctx context.Context, k ExecutionKey, r Request) (*Execution, *sunya.Operation, error) {
	if err := k.Check(); err != nil {
		return nil, nil, err
	}
	var out *Execution
	var ended []sunya.Operation
	op := a.operation(k.Key, r)
	op.Target, op.Done, op.EndTime = k.Name(), true, op.CreateTime
	var err error
	err = a.Store.UpdateExecution(ctx, k, func(e *Execution, _ []Task) (Change, error) {
		out = e
		if err := e.checkETag(r.ETag); err != nil || r.ValidateOnly {
			return Change{}, err
		}
		if op.Response, err = json.Marshal(e); err != nil {
			return Change{}, fmt.Errorf("encode %s: %w", k.Name(), err)
		}
		ended = e.abandon(a.Now())
		return Change{DeleteExecutions: []string{k.Execution}, Operations: append([]sunya.Operation{*op}, ended...)}, nil
	})
	if err != nil {
		return nil, nil, err
	}
	a.changed(ended)
	if !r.ValidateOnly {
		a.Executor.Stop(k)
	}
	return out, op, nil
}

// abandon returns the operations of those who wait for what is deleted.
func (e *Execution) abandon(now time.Time) []sunya.Operation {
	return gone(e.Waiting, "the execution was deleted", now)
}

func (a *Admin) changed(ops []sunya.Operation) {
	for _, op := range ops {
		a.Changed(op.Name)
	}
}

// Task returns one task with its execution.
func (a *Admin) Task(ctx context.Context, k ExecutionKey, index int) (*Execution, *Task, error) {
	e, err := a.Execution(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	t, err := a.Store.GetTask(ctx, k, index)
	return e, t, err
}

// Tasks returns the tasks of an execution in their order, from an index on, at
// most limit.
func (a *Admin) Tasks(ctx context.Context, k ExecutionKey, from, limit int) (*Execution, []Task, error) {
	e, err := a.Execution(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	tasks, err := a.Store.ListTasks(ctx, k, from, limit)
	return e, tasks, err
}

func (e *Execution) checkETag(etag string) error {
	if etag != "" && etag != e.ETag() {
		return sunya.Errorf(sunya.Aborted, e.Name(), "the execution has changed since it was read: read it again")
	}
	return nil
}
