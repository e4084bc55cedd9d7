// Package deploy carries deployments from source to a revision that serves, in
// recorded steps that a restarted server continues.
package deploy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/layers"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Operations is where clients watch a deployment.
type Operations interface {
	// Update changes an operation durably and wakes its waiters.
	Update(ctx context.Context, name string, change func(*sunya.Operation)) error
}

// Catalog is the serving state.
type Catalog interface {
	Apply(ctx context.Context, c serving.Change) error
	Update(ctx context.Context, service string, f func(now sunya.Service) (serving.Change, error)) error
	Service(name string) (sunya.Service, bool)
	Services() []sunya.Service
	Revision(name string) (*sunya.Revision, bool)
}

// Prover starts one instance of a revision and waits until it is ready.
type Prover interface {
	Prove(ctx context.Context, rev *sunya.Revision) error
}

// Sources writes the files of a source into an empty directory.
type Sources interface {
	Materialise(ctx context.Context, src sunya.Source, dir string) error
}

// Workspace gives a build its directory and takes it back. What a crash leaves
// is gone at the next start.
type Workspace interface {
	Create(id string) (dir string, err error)
	Remove(dir string) error
}

// Journal is the log of one deployment, which its user follows.
type Journal interface {
	io.WriteCloser
	// Stage says that a stage began ("start"), ended ("done") or "failed".
	Stage(name, state string, took time.Duration)
}

// Hooks is what a product does when a deployment ends. Both may be called
// again after a crash. Finish is tried again when it fails, unless its error has a
// method Final(): then the revision serves, and the operation ends with the error.
type Hooks interface {
	Finish(ctx context.Context, d *sunya.Deployment) error
	Fail(ctx context.Context, d *sunya.Deployment, cause error) error
}

// Router is Hooks of a product that says itself what the routing step changes of
// a service: its split, hosts and policy. It may be asked again after a crash.
type Router interface {
	Route(ctx context.Context, d *sunya.Deployment, now sunya.Service) (serving.Change, error)
}

// Parts is what a Runner works with.
type Parts struct {
	Store      Store
	Operations Operations
	Catalog    Catalog
	Builder    build.Builder
	Images     images.Fetcher
	Sources    Sources
	Workspace  Workspace
	Layers     layers.Store // where static files are kept
	Prover     Prover
	Journal    func(d *sunya.Deployment) Journal
	Products   map[sunya.Product]Hooks
	Now        func() time.Time
	Log        *slog.Logger
	Parallel   int // deployments at once, at most sunya.BuildRanges; 0: 2
}

// Runner carries out pending deployments: those of one service in their order,
// others side by side.
type Runner struct {
	Parts
	kick chan struct{}

	mu      sync.Mutex
	busy    map[string]bool // service names with a deployment under way
	slot    []bool          // build slots in use; the nth builds in the nth uid range
	flights flights
}

// New returns a Runner; call Run to make it work.
func New(p Parts) *Runner {
	if p.Parallel <= 0 {
		p.Parallel = 2
	}
	p.Parallel = min(p.Parallel, sunya.BuildRanges)
	return &Runner{
		Parts: p,
		kick:  make(chan struct{}, 1),
		busy:  map[string]bool{},
		slot:  make([]bool, p.Parallel),
		flights: flights{
			cancel: map[string]context.CancelCauseFunc{},
			unwant: map[string]chan struct{}{},
		},
	}
}

// Kick says that a deployment was stored. It never blocks.
func (r *Runner) Kick() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// rescan is how soon pending deployments are looked for again after the store
// could not be read.
const rescan = 5 * time.Second

// Run continues what an earlier server left and then waits for kicks. It
// returns when ctx ends and the steps under way have stopped; they go on where
// they were at the next start.
func (r *Runner) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		retry := r.startPending(ctx, &wg)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.kick:
		case <-retry:
		}
	}
}

// startPending starts every deployment whose service is free, as far as there
// are slots. The channel fires when it should be called again by itself.
func (r *Runner) startPending(ctx context.Context, wg *sync.WaitGroup) <-chan time.Time {
	pending, err := r.Store.Pending(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Error("read pending deployments", "err", err)
		}
		return time.After(rescan)
	}
	for i := range pending {
		d := &pending[i]
		slot, ok := r.claim(d)
		if !ok {
			continue
		}
		wg.Go(func() {
			defer r.Kick()
			defer r.release(d.Revision.Service, slot)
			r.carryOut(ctx, d, slot)
		})
	}
	return nil
}

// noSlot is the slot of a deployment that needs none: a change of traffic never
// waits for builds of others, nor does the end of what nobody wants any more.
const noSlot = -1

// claim takes a slot for a deployment whose service has no other under way.
func (r *Runner) claim(d *sunya.Deployment) (slot int, ok bool) {
	service := d.Revision.Service
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[service] {
		return 0, false
	}
	if d.Step == sunya.StepRouting || r.flights.unwant[d.ID] != nil {
		r.busy[service] = true
		return noSlot, true
	}
	for i, used := range r.slot {
		if !used {
			r.slot[i], r.busy[service] = true, true
			return i, true
		}
	}
	return 0, false
}

func (r *Runner) release(service string, slot int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slot != noSlot {
		r.slot[slot] = false
	}
	delete(r.busy, service)
}

// carryOut does the remaining steps of one deployment and records how it ended.
func (r *Runner) carryOut(ctx context.Context, d *sunya.Deployment, slot int) {
	log := r.Log.With("deployment", d.ID, "service", d.Revision.Service)
	run := &run{Runner: r, d: d, slot: slot, log: log, journal: r.Journal(d)}
	defer run.journal.Close()
	wanted, land := r.fly(ctx, d.ID)
	defer func() {
		land()
		if d.Step == sunya.StepDone || d.Step == sunya.StepFailed {
			r.landed(d.ID)
		}
	}()
	err := run.steps(ctx, wanted)
	if err == nil {
		log.Info("deployed", "revision", d.Revision.Name, "took", r.Now().Sub(d.CreateTime))
		return
	}
	if ctx.Err() != nil {
		log.Info("deployment interrupted, continues at the next start", "step", d.Step)
		return
	}
	var u *unrecorded
	if !errors.As(err, &u) {
		log.Warn("deployment failed", "step", d.Step, "err", err)
		err = run.fail(context.WithoutCancel(ctx), err)
	}
	if err == nil {
		return
	}
	log.Error("record a deployment; it is tried again", "step", d.Step, "err", err)
	select {
	case <-time.After(rescan):
	case <-ctx.Done():
	}
}

// unrecorded is a step that was done, or not begun, because the store failed:
// that is no fault of the deployment, which goes on where it was recorded.
type unrecorded struct{ err error }

func (u *unrecorded) Error() string { return u.err.Error() }
func (u *unrecorded) Unwrap() error { return u.err }

// operationError is how err looks to whoever waits for the operation.
func operationError(err error) *sunya.OperationError {
	out := &sunya.OperationError{Code: sunya.Internal, Message: "internal error: see the server's log"}
	var e *sunya.Error
	if errors.As(err, &e) {
		out.Code, out.Reason = e.Code, e.Reason
		out.Message = e.Public()
	}
	var l interface{ LogLines() []string }
	if errors.As(err, &l) {
		out.Logs = l.LogLines()
	}
	return out
}
