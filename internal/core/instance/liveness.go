package instance

import (
	"context"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/probe"
)

// life is what an instance with a liveness probe has answered. Instance.mu
// guards it.
type life struct {
	due    time.Time // of the next question
	asking bool
	failed int // in a row
	over   bool
}

// expectLife sets the first question; mu is held.
func (i *Instance) expectLife() {
	if p := i.rev.Liveness; p != nil {
		i.life.due = i.box.StartTime().Add(p.Delay)
	}
}

// tendLiveness asks when it is time, and returns when that is; zero for never.
// A frozen instance is not asked, nor one that has its heartbeat: it is asked
// as soon as the next request has thawed it. mu is held.
func (i *Instance) tendLiveness(ctx context.Context, now time.Time) (again time.Time) {
	switch {
	case i.rev.Liveness == nil || i.state != sunya.InstanceReady || i.beating || i.life.asking || i.life.over:
		return time.Time{}
	case now.Before(i.life.due):
		return i.life.due
	}
	i.life.asking = true
	i.life.due = now.Add(probe.Period(i.rev.Liveness))
	go i.askLiveness(ctx)
	return time.Time{} // it nudges
}

// askLiveness asks once, and kills the instance when it is decided.
func (i *Instance) askLiveness(ctx context.Context) {
	err := probe.Ask(ctx, i.box, i.rev.Liveness, i.rev.Port)
	if failed, over := i.noteLife(ctx, err); over {
		i.kill(ctx, fmt.Errorf("the liveness probe (%s) failed %s: %w",
			probe.Describe(i.rev.Liveness, i.rev.Port), probe.Times(failed), err))
	}
	i.m.nudge()
}

// noteLife notes an answer, and reports whether it was one bad answer too many.
func (i *Instance) noteLife(ctx context.Context, err error) (failed int, over bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	l := &i.life
	l.asking = false
	if err == nil || ctx.Err() != nil || ended(i.box) || i.state != sunya.InstanceReady {
		l.failed = 0
		return 0, false
	}
	l.failed++
	l.over = l.failed >= probe.Failures(i.rev.Liveness)
	return l.failed, l.over
}

// kill ends the instance without grace; what becomes of its requests and who
// comes in its place is as after a crash.
func (i *Instance) kill(ctx context.Context, why error) {
	i.m.logKill(i, why)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopSlack)
	defer cancel()
	if err := i.box.Stop(ctx, 0); err != nil {
		i.m.log.Error("kill instance", "instance", i.ID(), "err", err)
	}
}
