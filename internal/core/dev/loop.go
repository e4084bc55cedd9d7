package dev

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Quiet is how long a source must rest before it is deployed: editors and tools
// write a file in several steps, and several files at once.
const Quiet = 100 * time.Millisecond

// MaxWait bounds the wait for rest, so that a program which writes into its own
// source without end cannot keep changes from being deployed.
const MaxWait = 2 * time.Second

// Deployer is what a loop does with the source of one service.
type Deployer interface {
	// Fingerprint tells one state of the source from another.
	Fingerprint(context.Context) (string, error)
	// Deploy brings the present source up. An error leaves what served before.
	Deploy(context.Context) error
}

// Reporter hears what a loop does, in order and one call at a time.
type Reporter interface {
	Deploying(changed []string) // empty: the first time, or asked for
	Serving(took time.Duration)
	Failed(err error)
	Restored() // the source is again the one that serves
}

// State is what is known of a service.
type State struct {
	Deploys   int   // ended so far; names a failure
	Good      bool  // some version of the source serves
	Deploying bool  // the newest source is on its way
	Failure   error // why the newest source does not serve
}

// Loop keeps one service up to date with its source. Make it with New.
type Loop struct {
	deployer Deployer
	reporter Reporter
	now      func() time.Time
	wake     chan struct{} // holds a value while there is something to do

	mu      sync.Mutex
	changed []string // since the last deploy began
	forced  bool
	state   State

	serving string // fingerprint of the source that serves
}

// New returns a loop that has done nothing yet.
func New(d Deployer, r Reporter, now func() time.Time) *Loop {
	return &Loop{deployer: d, reporter: r, now: now, wake: make(chan struct{}, 1)}
}

// State returns what is known now.
func (l *Loop) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Changed tells the loop of a change of its source. It does not wait.
func (l *Loop) Changed(path string) {
	l.mu.Lock()
	if !slices.Contains(l.changed, path) {
		l.changed = append(l.changed, path)
	}
	l.mu.Unlock()
	l.signal()
}

// Restart asks for a deploy although nothing has changed.
func (l *Loop) Restart() {
	l.mu.Lock()
	l.forced = true
	l.mu.Unlock()
	l.signal()
}

func (l *Loop) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run deploys what changes until ctx ends, and returns its cause. A failure is
// reported and ends nothing.
func (l *Loop) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.wake:
		}
		if err := l.rest(ctx); err != nil {
			return err
		}
		l.Deploy(ctx)
	}
}

// rest waits until the source has not changed for a moment. A demand does not
// wait.
func (l *Loop) rest(ctx context.Context) error {
	end := time.NewTimer(MaxWait)
	defer end.Stop()
	quiet := time.NewTimer(Quiet)
	defer quiet.Stop()
	for !l.demanded() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.wake:
			quiet.Reset(Quiet)
		case <-quiet.C:
			return nil
		case <-end.C:
			return nil
		}
	}
	return nil
}

func (l *Loop) demanded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.forced
}

// Deploy brings the present source up if it is not what serves already, or if
// that was asked for. Run calls it; before Run it makes the first deploy.
func (l *Loop) Deploy(ctx context.Context) {
	l.mu.Lock()
	changed, forced, before := l.changed, l.forced, l.state
	l.changed, l.forced = nil, false
	l.mu.Unlock()

	mark, err := l.deployer.Fingerprint(ctx)
	if err == nil && !forced && before.Good && mark == l.serving {
		l.restored(before)
		return
	}
	l.update(func(s *State) { s.Deploying = true })
	l.reporter.Deploying(changed)
	begin := l.now()
	if err == nil {
		err = l.deployer.Deploy(ctx)
	}
	if ctx.Err() != nil {
		l.update(func(s *State) { s.Deploying = false })
		return
	}
	if err == nil {
		l.serving = mark
	}
	l.update(func(s *State) {
		s.Deploys++
		s.Deploying, s.Failure, s.Good = false, err, s.Good || err == nil
	})
	if err != nil {
		l.reporter.Failed(err)
		return
	}
	l.reporter.Serving(l.now().Sub(begin))
}

// restored forgets the failure of a source that was taken back.
func (l *Loop) restored(before State) {
	if before.Failure == nil {
		return
	}
	l.update(func(s *State) { s.Failure = nil })
	l.reporter.Restored()
}

func (l *Loop) update(change func(*State)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.state)
}
