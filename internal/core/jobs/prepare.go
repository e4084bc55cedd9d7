package jobs

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
)

// prepare brings the images of a job here, and makes it what it is to become.
// What a killed server has begun is begun anew.
func (r *Runner) prepare(ctx context.Context, k Key) error {
	j, err := r.Store.GetJob(ctx, k)
	if err != nil || j.Next == nil {
		return ignoreGone(err)
	}
	spec := *j.Next
	cause := r.fetch(ctx, k, &spec.Template)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.prepared(ctx, j, &spec, cause)
}

// fetch pulls the image of each container. A template is not changed where
// somebody else may see it.
func (r *Runner) fetch(ctx context.Context, k Key, t *Template) error {
	containers := make([]Container, len(t.Containers))
	for i, c := range t.Containers {
		f, err := r.Images.Fetch(ctx, k.Project, c.From.Reference, io.Discard)
		if err != nil {
			return fmt.Errorf("pull %s: %w", c.From.Reference, err)
		}
		c.Fetched = f
		if _, err := c.program(); err != nil {
			return err
		}
		containers[i] = c
	}
	t.Containers = containers
	return nil
}

// program is the container as it is started.
func (c *Container) program() (sunya.Container, error) {
	out := c.Container.Container
	if c.Fetched == nil {
		return out, sunya.Errorf(sunya.Internal, c.From.Reference, "the image was never fetched")
	}
	err := images.Complete(&out, c.Fetched, c.From)
	return out, err
}

// prepared records what has become of a change.
func (r *Runner) prepared(ctx context.Context, seen *Job, spec *Spec, cause error) error {
	var op sunya.Operation
	run := true
	record := func(now *Job) (Change, error) {
		if now == nil || now.Next == nil || now.UID != seen.UID || now.Generation != seen.Generation {
			return Change{}, nil // deleted meanwhile
		}
		next := *now
		op = *now.Operation
		next.Next, next.Operation, next.Fault = nil, nil, nil
		op.Done, op.EndTime = true, r.Now()
		if cause != nil {
			next.Fault = faultOf(cause, op.EndTime)
			op.Error = &sunya.OperationError{Code: next.Fault.Code, Reason: next.Fault.Reason, Message: next.Fault.Message}
			return Change{Job: &next, Operations: []sunya.Operation{op}}, nil
		}
		next.Spec = *spec
		if spec.Token == "" || spec.Token == now.Token || !run {
			return Change{Job: &next, Operations: []sunya.Operation{op}}, nil
		}
		return r.withRun(&next, op), nil
	}
	err := r.Store.UpdateJob(ctx, seen.Key, record)
	if sunya.CodeOf(err) == sunya.AlreadyExists { // the token was used before
		run = false
		err = r.Store.UpdateJob(ctx, seen.Key, record)
	}
	if err != nil {
		return fmt.Errorf("record job %s: %w", seen.Name(), err)
	}
	r.Changed(op.Name)
	r.Kick()
	return nil
}

// withRun begins the execution that a job's token asks for.
func (r *Runner) withRun(j *Job, op sunya.Operation) Change {
	c := begin(j, j.ID+"-"+j.Token, j.Template, j.Modifier, r.Now(), r.NewID)
	if j.AwaitRun {
		op.Done, op.EndTime, op.Stage = false, time.Time{}, "Running"
		c.NewExecution.Waiting = []sunya.Operation{op}
	}
	c.Operations = []sunya.Operation{op}
	return c
}

func ignoreGone(err error) error {
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil
	}
	return err
}
