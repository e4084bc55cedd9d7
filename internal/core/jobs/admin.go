package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
)

// Executor is told what there is to do.
type Executor interface {
	// Kick says that something was stored that waits for being done.
	Kick()
	// Stop ends the tasks of an execution that run; StopJob those of all
	// executions of a job.
	Stop(k ExecutionKey)
	StopJob(k Key)
}

// Parts is what an Admin works with.
type Parts struct {
	Store    Store
	Images   images.Resolver
	Executor Executor
	// Changed wakes whoever waits for an operation that was written.
	Changed func(operation string)
	Now     func() time.Time
	NewID   func() string // a UUID
}

// Admin is the administration of all jobs. It is safe for concurrent use.
type Admin struct{ Parts }

// New returns an Admin.
func New(p Parts) *Admin { return &Admin{Parts: p} }

// Request says how a change is asked for.
type Request struct {
	Method       string // full RPC method, for the operation
	ETag         string // when not empty, that of what is there: else Aborted
	ValidateOnly bool   // everything is checked and nothing is done
	AllowMissing bool   // an update of what does not exist creates it
	User         string // e-mail address, or empty
	Warnings     []string
}

// Make makes what a client wants of the job that there is, nil for none.
type Make func(now *Job) (Spec, error)

// Job returns one job.
func (a *Admin) Job(ctx context.Context, k Key) (*Job, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	return a.Store.GetJob(ctx, k)
}

// Jobs returns the jobs of a location, "-" for all, in order, at most limit,
// beginning after LOCATION/ID.
func (a *Admin) Jobs(ctx context.Context, project, location, after string, limit int) ([]Job, error) {
	if location == "-" {
		return a.Store.ListJobs(ctx, project, "", after, limit)
	}
	if err := sunya.CheckLocation(project, location); err != nil {
		return nil, err
	}
	return a.Store.ListJobs(ctx, project, location, after, limit)
}

// Create makes a job. One of that name is AlreadyExists, unless it never became
// ready.
func (a *Admin) Create(ctx context.Context, k Key, s Spec, r Request) (*Job, *sunya.Operation, error) {
	return a.change(ctx, k, r, func(now *Job) (Spec, error) {
		if now != nil && (now.Ready() || now.Next != nil) {
			return s, sunya.Errorf(sunya.AlreadyExists, k.Name(), "the job exists already: update it, or delete it first")
		}
		return s, nil
	})
}

// Update changes a job.
func (a *Admin) Update(ctx context.Context, k Key, f Make, r Request) (*Job, *sunya.Operation, error) {
	return a.change(ctx, k, r, func(now *Job) (Spec, error) {
		if now == nil && !r.AllowMissing {
			return Spec{}, notFound(k)
		}
		return f(now)
	})
}

// change looks at everything that is cheap to look at, the image among it, and
// leaves the rest to the Runner. It returns the job as it is to be, and the
// operation, which is done when the job is ready.
func (a *Admin) change(ctx context.Context, k Key, r Request, f Make) (*Job, *sunya.Operation, error) {
	if err := k.Check(); err != nil {
		return nil, nil, err
	}
	if err := a.lookAhead(ctx, k, f); err != nil {
		return nil, nil, err
	}
	var job *Job
	op := a.operation(k, r)
	plan := func(now *Job) (Change, error) {
		next, err := a.next(k, r, now, f)
		if err != nil {
			return Change{}, err
		}
		next.Operation, job = op, next
		if r.ValidateOnly {
			return Change{}, nil
		}
		return Change{Job: next, Operations: []sunya.Operation{*op}}, nil
	}
	if err := a.Store.UpdateJob(ctx, k, plan); err != nil {
		return nil, nil, err
	}
	if r.ValidateOnly {
		op.Done, op.EndTime = true, op.CreateTime
		return job, op, nil
	}
	a.Executor.Kick()
	return job, op, nil
}

// lookAhead refuses a job whose image is not there before anything is stored.
func (a *Admin) lookAhead(ctx context.Context, k Key, f Make) error {
	now, err := a.Store.GetJob(ctx, k)
	if err != nil && sunya.CodeOf(err) != sunya.NotFound {
		return err
	}
	s, err := f(now)
	if err != nil {
		return err
	}
	s.Complete(k)
	if err := s.check(k); err != nil {
		return err
	}
	for i := range s.Template.Containers {
		if _, err := a.Images.Resolve(ctx, k.Project, s.Template.Containers[i].From.Reference); err != nil {
			return noImage(i, err)
		}
	}
	return nil
}

// noImage says that the image of the ith container cannot be had. That it is not
// found is about the argument: the job itself is no image.
func noImage(i int, err error) error {
	field := fmt.Sprintf("job.template.template.containers[%d].image", i)
	var e *sunya.Error
	if errors.As(err, &e) && e.Code == sunya.NotFound {
		return &sunya.Error{Code: sunya.InvalidArgument, Field: field, Message: e.Public(), Err: e.Err}
	}
	return sunya.InField(field, err)
}

// next is the job with the change that is asked for under way.
func (a *Admin) next(k Key, r Request, now *Job, f Make) (*Job, error) {
	s, err := f(now)
	if err != nil {
		return nil, err
	}
	s.Complete(k)
	if err := s.check(k); err != nil {
		return nil, err
	}
	at := a.Now()
	if now == nil {
		if r.ETag != "" {
			return nil, notFound(k)
		}
		return &Job{Key: k, UID: a.NewID(), Next: &s, Generation: 1, Creator: r.User, Modifier: r.User, CreateTime: at, UpdateTime: at}, nil
	}
	if err := checkETag(now, r.ETag); err != nil {
		return nil, err
	}
	if now.Next != nil {
		return nil, sunya.Errorf(sunya.Aborted, k.Name(), "the job is being changed already: wait for operation %s and try again", now.Operation.Name)
	}
	next := *now
	next.Next, next.Fault, next.Modifier, next.UpdateTime = &s, nil, r.User, at
	next.Generation++
	return &next, nil
}

func checkETag(j *Job, etag string) error {
	if etag != "" && etag != j.ETag() {
		return sunya.Errorf(sunya.Aborted, j.Name(), "the job has changed since it was read: read it again")
	}
	return nil
}

func notFound(k Key) error { return sunya.Errorf(sunya.NotFound, k.Name(), "job not found") }

// operation returns a new operation on a job.
func (a *Admin) operation(k Key, r Request) *sunya.Operation {
	return &sunya.Operation{
		Name:       sunya.LocationName(k.Project, k.Location) + "/operations/" + a.NewID(),
		Method:     r.Method,
		Target:     k.Name(),
		User:       r.User,
		Warnings:   r.Warnings,
		CreateTime: a.Now(),
	}
}

// Delete deletes a job with its executions; their tasks that run are stopped.
// The operation is done when it returns.
func (a *Admin) Delete(ctx context.Context, k Key, r Request) (*Job, *sunya.Operation, error) {
	if err := k.Check(); err != nil {
		return nil, nil, err
	}
	var job *Job
	var ended []sunya.Operation
	op := a.operation(k, r)
	op.Done, op.EndTime = true, op.CreateTime
	err := a.Store.DeleteJob(ctx, k, func(now *Job, open []Execution) (Change, error) {
		if now == nil {
			return Change{}, notFound(k)
		}
		job = now
		if err := checkETag(now, r.ETag); err != nil || r.ValidateOnly {
			return Change{}, err
		}
		var err error
		if op.Response, err = json.Marshal(now); err != nil {
			return Change{}, fmt.Errorf("encode %s: %w", k.Name(), err)
		}
		ended = now.abandon(open, a.Now())
		return Change{DeleteJob: true, Operations: append([]sunya.Operation{*op}, ended...)}, nil
	})
	if err != nil || r.ValidateOnly {
		return job, op, err
	}
	a.changed(ended)
	a.Executor.StopJob(k)
	return job, op, nil
}

// abandon returns the operations of those who wait for what is deleted: the
// change under way, and executions.
func (j *Job) abandon(open []Execution, now time.Time) []sunya.Operation {
	var out []sunya.Operation
	if j.Next != nil {
		out = gone([]sunya.Operation{*j.Operation}, "the job was deleted", now)
	}
	for i := range open {
		out = append(out, open[i].abandon(now)...)
	}
	return out
}

// gone ends operations on what is deleted.
func gone(ops []sunya.Operation, message string, now time.Time) []sunya.Operation {
	for i := range ops {
		ops[i].Done, ops[i].EndTime = true, now
		ops[i].Error = &sunya.OperationError{Code: sunya.Canceled, Reason: ReasonCancelled, Message: message}
	}
	return ops
}

// SetInvokers says who may execute a job, by members of IAM policies. etag, when
// not empty, must be that of what was there: else Aborted.
func (a *Admin) SetInvokers(ctx context.Context, k Key, members []string, etag string) (*Job, error) {
	members, err := sunya.Members(members)
	if err != nil {
		return nil, err
	}
	var job *Job
	err = a.Store.UpdateJob(ctx, k, func(now *Job) (Change, error) {
		if now == nil {
			return Change{}, notFound(k)
		}
		if etag != "" && etag != now.PolicyETag() {
			return Change{}, sunya.Errorf(sunya.Aborted, k.Name(), "the policy has changed since it was read: read it again")
		}
		next := *now
		next.Invokers, job = members, &next
		return Change{Job: &next}, nil
	})
	return job, err
}

// PolicyETag changes with who may execute the job.
func (j *Job) PolicyETag() string { return sunya.MembersETag(j.Invokers) }
