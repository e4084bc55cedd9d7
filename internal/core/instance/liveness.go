package instance

import (
	"context"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/probe"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// life is what a container with a liveness probe has answered. Instance.mu
// guards it.
type life struct {
	probe *sunya.Probe
	box   sandbox.Sandbox
	name  string // of a sidecar
	port  int    // the container's own

	due    time.Time // of the next question
	asking bool
	failed int // in a row
}

// expectLife sets the first questions; mu is held.
func (i *Instance) expectLife() {
	i.lives = nil
	if p := i.rev.Liveness; p != nil {
		i.lives = append(i.lives, &life{probe: p, box: i.box, port: i.rev.Port})
	}
	for _, s := range i.sidecarsOf() {
		if p := s.c.Liveness; p != nil {
			i.lives = append(i.lives, &life{probe: p, box: s.box, name: s.c.ContainerName})
		}
	}
	for _, l := range i.lives {
		l.due = l.box.StartTime().Add(l.probe.Delay)
	}
}

// isAsked reports whether a question is under way; mu is held.
func (i *Instance) isAsked() bool {
	for _, l := range i.lives {
		if l.asking {
			return true
		}
	}
	return false
}

// tendLiveness asks when it is time, and returns when that is; zero for never.
// A frozen instance is not asked, nor one that has its heartbeat: it is asked
// as soon as the next request has thawed it. mu is held.
func (i *Instance) tendLiveness(ctx context.Context, now time.Time) (again time.Time) {
	if i.state != sunya.InstanceReady || i.beating || i.killed {
		return time.Time{}
	}
	for _, l := range i.lives {
		switch {
		case l.asking:
		case now.Before(l.due):
			again = earlier(again, l.due)
		default:
			l.asking = true
			l.due = now.Add(probe.Period(l.probe))
			go i.askLiveness(ctx, l) // it nudges
		}
	}
	return again
}

// askLiveness asks once, and kills the instance when it is decided.
func (i *Instance) askLiveness(ctx context.Context, l *life) {
	err := probe.Ask(ctx, l.box, l.probe, l.port)
	if failed, over := i.noteLife(ctx, l, err); over {
		whose := "the liveness probe"
		if l.name != "" {
			whose = fmt.Sprintf("the liveness probe of container %q", l.name)
		}
		i.kill(ctx, "liveness probe", fmt.Errorf("%s (%s) failed %s: %w", whose, probe.Describe(l.probe, l.port), probe.Times(failed), err))
	}
	i.m.nudge(i)
}

// noteLife notes an answer, and reports whether it was one bad answer too many.
func (i *Instance) noteLife(ctx context.Context, l *life, err error) (failed int, over bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	l.asking = false
	if err == nil || ctx.Err() != nil || ended(l.box) || i.state != sunya.InstanceReady {
		l.failed = 0
		return 0, false
	}
	l.failed++
	over = l.failed >= probe.Failures(l.probe)
	i.killed = i.killed || over
	return l.failed, over
}

// kill ends the instance without grace; what becomes of its requests and who
// comes in its place is as after a crash.
func (i *Instance) kill(ctx context.Context, reason string, why error) {
	i.m.logKill(i, reason, why)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopSlack)
	defer cancel()
	if err := i.box.Stop(ctx, 0); err != nil {
		i.m.log.Error("kill instance", "instance", i.ID(), "err", err)
	}
}
