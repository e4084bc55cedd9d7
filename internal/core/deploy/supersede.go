package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/sunya-cloud/sunya"
)

// errSuperseded is how a deployment ends that nobody wants any more.
var errSuperseded = sunya.Errorf(sunya.Aborted, "", "another change of the service took its place")

// flights are the deployments that Supersede may end: those that run, and those
// that it was called for before they did.
type flights struct {
	cancel map[string]context.CancelCauseFunc // by id, of those that run
	unwant map[string]chan struct{}           // by id, closed when they have ended
}

// Supersede ends a deployment that has not begun to route: something newer is
// asked for. It returns once the deployment has ended, in whichever way. One
// that ended before is no error.
func (r *Runner) Supersede(ctx context.Context, id string) error {
	ended := r.unwanted(id)
	d, err := r.Store.GetDeployment(ctx, id)
	switch {
	case err != nil && sunya.CodeOf(err) != sunya.NotFound:
		return fmt.Errorf("supersede deployment: %w", err)
	case err != nil || d.Step == sunya.StepDone || d.Step == sunya.StepFailed:
		r.landed(id)
		return nil
	}
	r.Kick()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// unwanted marks a deployment, and stops it where it runs.
func (r *Runner) unwanted(id string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	ended, ok := r.flights.unwant[id]
	if !ok {
		ended = make(chan struct{})
		r.flights.unwant[id] = ended
	}
	if cancel := r.flights.cancel[id]; cancel != nil {
		cancel(errSuperseded)
	}
	return ended
}

// fly begins a deployment. The context ends when it is superseded, or with ctx.
func (r *Runner) fly(ctx context.Context, id string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flights.cancel[id] = cancel
	if r.flights.unwant[id] != nil {
		cancel(errSuperseded)
	}
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.flights.cancel, id)
		cancel(nil)
	}
}

// landed tells whoever waits that a deployment has ended.
func (r *Runner) landed(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ended := r.flights.unwant[id]; ended != nil {
		close(ended)
		delete(r.flights.unwant, id)
	}
}

// superseded reports whether a context of fly ended for that.
func superseded(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errSuperseded) }
