package probe

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// dialPause is how long a startup probe waits for the next try of a connection
// within one question.
const dialPause = 20 * time.Millisecond

// Await asks a container that starts until it is well: a startup probe. A
// question waits, within its timeout, until something listens. port is the
// container's own. The error says what was asked and what came of it; when the
// container ends, it is that of its end.
func Await(ctx context.Context, box sandbox.Sandbox, p *sunya.Probe, port int) error {
	if err := pause(ctx, box, time.NewTimer(p.Delay)); err != nil {
		return err
	}
	for failed := 1; ; failed++ {
		next := time.NewTimer(max(Period(p), timeout(p)))
		err := question(ctx, box, p, port)
		if err == nil {
			next.Stop()
			return nil
		}
		if failed >= Failures(p) || ended(box) || ctx.Err() != nil {
			next.Stop()
			return unwell(ctx, box, p, port, failed, err)
		}
		if err := pause(ctx, box, next); err != nil {
			return err
		}
	}
}

// Patience is how long Await takes at most.
func Patience(p *sunya.Probe) time.Duration {
	return p.Delay + time.Duration(Failures(p))*max(Period(p), timeout(p))
}

// unwell is the error of a startup probe.
func unwell(ctx context.Context, box sandbox.Sandbox, p *sunya.Probe, port, failed int, err error) error {
	switch {
	case ended(box):
		return cmp.Or(box.Ready(ctx), fmt.Errorf("it ended with status %d while it was asked", box.Exit().Code))
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("the startup probe (%s) failed %s: %w", Describe(p, port), Times(failed), err)
}

// Times says how often in a row.
func Times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", n)
}

// question asks once, after something listens.
func question(ctx context.Context, box sandbox.Sandbox, p *sunya.Probe, port int) error {
	ctx, cancel := context.WithTimeout(ctx, timeout(p))
	defer cancel()
	if err := listens(ctx, box, Port(p, port)); err != nil {
		return err
	}
	if p.HTTP == nil && p.GRPC == nil {
		return nil
	}
	return Ask(ctx, box, p, port)
}

// listens waits until something listens on a port. Of its own port the sandbox
// knows it without a connection.
func listens(ctx context.Context, box sandbox.Sandbox, port int) error {
	if box.Spec().Port == port {
		err := box.Ready(ctx)
		if err == context.DeadlineExceeded { // the engine had nothing better to say
			return fmt.Errorf("nothing takes connections on port %d", port)
		}
		return err
	}
	for {
		conn, err := dial(ctx, box, port)
		if err == nil {
			return conn.Close()
		}
		if pause(ctx, box, time.NewTimer(dialPause)) != nil {
			return err
		}
	}
}

// pause waits for a timer, the end of the container (its error then) or of ctx.
func pause(ctx context.Context, box sandbox.Sandbox, t *time.Timer) error {
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-box.Done():
		return box.Ready(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func ended(box sandbox.Sandbox) bool {
	select {
	case <-box.Done():
		return true
	default:
		return false
	}
}
