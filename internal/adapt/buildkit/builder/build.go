package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"

	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
)

// build carries one job out, step after step.
type build struct {
	job    *job.Job
	client *client.Client
	log    io.Writer
	events *json.Encoder

	workspace llb.State       // what the steps so far have made of the source
	worked    bool            // a step has worked in it
	made      map[string]made // images of this build, by name
}

// made is an image that this build has made. It is in the registry, without a
// tag until it is pushed.
type made struct{ repository, digest string }

func (b *build) emit(e job.Event) error { return b.events.Encode(e) }

// event is a line that tells what happened.
func event(e plan.Event) job.Event { return job.Event{Event: e} }

// run reports how the job ended as an event. An error is the builder's own.
func (b *build) run(ctx context.Context) error {
	b.workspace = llb.Local(sourceName, llb.SharedKeyHint(sourceName), llb.WithCustomName("read the source"))
	for i, s := range b.job.Steps {
		if failed := b.step(ctx, i, s); failed != nil {
			return b.emit(job.Event{Failed: failed})
		}
	}
	for _, name := range b.job.Images {
		if err := b.push(ctx, name); err != nil {
			return b.emit(job.Event{Failed: describe(ctx, -1, fmt.Errorf("push %s: %w", name, err))})
		}
	}
	return b.emit(job.Event{Done: true})
}

// step runs one step and decides whether the build goes on.
func (b *build) step(ctx context.Context, i int, s plan.Step) *plan.Failure {
	if err := b.emit(event(plan.Event{Started: &plan.Moment{Step: i}})); err != nil {
		return describe(ctx, i, err)
	}
	stepCtx, cancel := ctx, context.CancelFunc(func() {})
	if s.Timeout > 0 {
		stepCtx, cancel = context.WithTimeoutCause(ctx, s.Timeout, errStepTimeout{s.Timeout})
	}
	defer cancel()
	digest, err := b.do(stepCtx, i, s)
	ended := &plan.Ended{Step: i, Digest: digest, OK: err == nil}
	var failed *plan.Failure
	if err != nil {
		failed = describe(stepCtx, i, err)
		ended.ExitCode = exitCode(err)
		if allowed(s, ended.ExitCode) && ctx.Err() == nil {
			fmt.Fprintf(b.log, "Step %d failed with exit status %d, which the build allows.\n", i, ended.ExitCode)
			failed = nil
		}
	}
	if err := b.emit(event(plan.Event{Finished: ended})); err != nil {
		return describe(ctx, i, err)
	}
	return failed
}

type errStepTimeout struct{ after time.Duration }

func (e errStepTimeout) Error() string { return fmt.Sprintf("the step took longer than %s", e.after) }

func allowed(s plan.Step, code int) bool {
	return s.AllowFailure || (code != 0 && slices.Contains(s.AllowExitCodes, code))
}

// do returns the digest of the image that the step made, if it made one.
func (b *build) do(ctx context.Context, i int, s plan.Step) (digest string, err error) {
	switch {
	case s.Build != nil:
		return b.dockerfile(ctx, s.Build)
	case s.Tag != nil:
		return "", b.tag(s.Tag)
	case s.Run != nil:
		return "", b.container(ctx, i, s.Run)
	}
	for _, name := range s.Push {
		if err := b.push(ctx, name); err != nil {
			return "", fmt.Errorf("push %s: %w", name, err)
		}
	}
	return "", nil
}

func (b *build) tag(t *plan.Tag) error {
	m, ok := b.made[canonical(t.From)]
	if !ok {
		return &refusal{fmt.Sprintf("docker tag %s: no step of this build has made that image", t.From)}
	}
	b.made[canonical(t.To)] = m
	return nil
}

// errNotMade says that an image cannot be pushed.
func errNotMade(name string) error {
	return &refusal{fmt.Sprintf("no step of this build has made the image %s", name)}
}

var errEmpty = errors.New("the build made no image")
