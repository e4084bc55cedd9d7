package instance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/probe"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Reason says why an instance is started, in the words of its log.
type Reason string

// The reasons.
const (
	ColdStart Reason = "cold start"      // a request found no instance
	ScaleOut  Reason = "scale out"       // requests found the others full
	Spare     Reason = "scale out early" // the others are nearly full
	Minimum   Reason = "min instances"   // kept ready
	Proof     Reason = "deploy"          // a deployment wants to see it ready
)

// Start starts an instance of rev and returns once it listens and has had the
// requests of its Lifecycle. Its error is a *StartError. The caller owns the instance and must Stop it.
func (m *Manager) Start(ctx context.Context, rev *sunya.Revision, why Reason) (*Instance, error) {
	i, again, err := m.start(ctx, rev, why)
	if again && ctx.Err() == nil {
		i, _, err = m.start(ctx, rev, why)
	}
	return i, err
}

// start also reports whether another attempt is of use: when it was a template
// that failed.
func (m *Manager) start(ctx context.Context, rev *sunya.Revision, why Reason) (i *Instance, again bool, err error) {
	begin := m.now()
	id := newID(rev)
	box, lines, err := m.assemble(ctx, rev, id)
	if err != nil {
		return nil, false, m.failed(rev, id, err, lines)
	}
	i = m.newInstance(rev, box)
	err = i.awaitReady(ctx, firstQuestion(rev))
	if err == nil {
		err = i.greet(ctx, why)
	}
	if err != nil {
		i.discard(ctx)
		again = m.templateFailed(ctx, i, err)
		return nil, again, m.failed(rev, id, explain(i, err), i.LogLines())
	}
	took := m.now().Sub(begin)
	i.begin(func() { i.told.Ready(m.now(), took, why.waited()) })
	m.logStart(i, why, took)
	m.tendTemplate(i)
	return i, false, nil
}

// The pauses between attempts while the engine says "try again".
const (
	launchAttempts = 5
	launchPause    = 50 * time.Millisecond
)

// launch starts the sandbox, again for as long as the engine is unavailable.
func (m *Manager) launch(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	pause := launchPause
	for attempt := 1; ; attempt++ {
		box, err := m.Engine.Start(ctx, spec)
		if sunya.CodeOf(err) != sunya.Unavailable || attempt == launchAttempts {
			return box, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// firstQuestion is how long a program that starts is not asked how it is.
func firstQuestion(rev *sunya.Revision) time.Duration {
	if rev.Startup == nil {
		return 0
	}
	return rev.Startup.Delay
}

// awaitReady waits until the program listens, at most its start timeout, or
// until its startup probe, after a delay, is content.
func (i *Instance) awaitReady(ctx context.Context, delay time.Duration) error {
	return awaitContainer(ctx, i.rev, i.box, delay)
}

func awaitContainer(ctx context.Context, rev *sunya.Revision, box sandbox.Sandbox, delay time.Duration) error {
	if rev.Startup != nil {
		p := *rev.Startup
		p.Delay = delay
		return probe.Await(ctx, box, &p, rev.Port)
	}
	ctx, cancel := context.WithTimeout(ctx, StartTimeout(rev))
	defer cancel()
	return box.Ready(ctx)
}

func (i *Instance) startTimeout() time.Duration { return StartTimeout(i.rev) }

// StartTimeout is how long an instance of rev may take to become ready.
func StartTimeout(rev *sunya.Revision) time.Duration {
	switch {
	case rev.Startup != nil:
		return probe.Patience(rev.Startup)
	case rev.StartTimeout > 0:
		return rev.StartTimeout
	}
	return startTimeout
}

// begin makes a started instance ready for requests; tell is called before the
// first one.
func (i *Instance) begin(tell func()) {
	i.mu.Lock()
	tell()
	i.state = sunya.InstanceReady
	i.freezeAt = i.m.now().Add(i.patience.After())
	i.expectLife()
	i.mu.Unlock()
	i.m.nudge(i)
	for _, s := range i.sidecarsOf() {
		go i.watch(s)
	}
	go i.supervise()
}

// outputWait is how long the end of the output is waited for after the end of
// the program.
const outputWait = time.Second

// discard takes away what is left of an instance that did not get ready.
func (i *Instance) discard(ctx context.Context) {
	i.setState(sunya.InstanceDraining)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.stopTimeout())
	defer cancel()
	if err := i.box.Stop(ctx, grace); err != nil {
		i.m.log.Error("stop instance", "instance", i.ID(), "err", err)
	}
	i.out.wait(outputWait)
	i.mu.Lock()
	i.state = sunya.InstanceStopped
	i.told.Ended(i.m.now(), i.used)
	i.mu.Unlock()
	i.m.remove(i)
	close(i.done)
}

func (i *Instance) setState(s sunya.InstanceState) {
	i.mu.Lock()
	i.state = s
	i.mu.Unlock()
}

// explain says why an instance did not get ready, in terms of its revision.
func explain(i *Instance, err error) error {
	if ended(i.box) && i.box.Exit().OOMKilled {
		return errors.New(memoryReached(&i.rev.Container))
	}
	if err == context.DeadlineExceeded { // the engine had nothing better to say
		return fmt.Errorf("nothing listened on $PORT (%d) within %v", i.rev.Port, i.startTimeout())
	}
	return err
}

func ended(box sandbox.Sandbox) bool {
	select {
	case <-box.Done():
		return true
	default:
		return false
	}
}
