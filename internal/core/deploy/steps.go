package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// run is one deployment under way.
type run struct {
	*Runner
	d       *sunya.Deployment
	slot    int
	log     *slog.Logger
	journal Journal
}

// The stages that a user sees, in ux order.
const (
	stageBuilding = "Building"
	stageStarting = "Starting"
	stageRouting  = "Routing traffic"
)

// steps does what is left to do. Each step records the next one, so that it is
// never done twice unless the server died inside it. What comes before the
// routing ends with wanted.
func (r *run) steps(ctx, wanted context.Context) error {
	table := []struct {
		at    sunya.Step
		stage string
		do    func(context.Context) error
		next  sunya.Step
	}{
		{sunya.StepBuilding, stageBuilding, r.build, sunya.StepStarting},
		{sunya.StepStarting, stageStarting, r.start, sunya.StepRouting},
		{sunya.StepRouting, stageRouting, r.route, sunya.StepDone},
		{sunya.StepMigrating, stageRouting, r.migrate, sunya.StepDone},
	}
	for _, s := range table {
		if r.d.Step != s.at {
			continue
		}
		if s.at == sunya.StepBuilding && len(r.d.Build.Images) > 0 {
			s.stage, s.do = stagePulling, r.pull
		}
		if s.at == sunya.StepBuilding || s.at == sunya.StepStarting {
			s.do = while(wanted, s.do)
		}
		if err := r.stage(ctx, s.stage, s.do); err != nil {
			return err
		}
		if err := r.reach(ctx, s.next); err != nil {
			return &unrecorded{err}
		}
	}
	return nil
}

// while makes a step end when the deployment is superseded.
func while(wanted context.Context, do func(context.Context) error) func(context.Context) error {
	return func(context.Context) error {
		if superseded(wanted) {
			return errSuperseded
		}
		err := do(wanted)
		if err != nil && superseded(wanted) {
			return errSuperseded
		}
		return err
	}
}

// stage does one step in sight of the user.
func (r *run) stage(ctx context.Context, name string, do func(context.Context) error) error {
	begin := r.Now()
	r.journal.Stage(name, logs.StageStart, 0)
	err := r.Operations.Update(ctx, r.d.Operation, func(op *sunya.Operation) { op.Stage = name })
	if err != nil {
		err = &unrecorded{err}
	} else {
		err = do(ctx)
	}
	state := logs.StageDone
	if err != nil {
		state = logs.StageFailed
	}
	r.journal.Stage(name, state, r.Now().Sub(begin))
	return err
}

// reach records a step. The last one is recorded only after the operation, so
// that a crash between the two repeats the routing, which is idempotent.
func (r *run) reach(ctx context.Context, step sunya.Step) error {
	if step == sunya.StepDone {
		if err := r.finish(ctx); err != nil {
			return err
		}
	}
	r.d.Step = step
	return r.Store.PutDeployment(ctx, r.d)
}

// build turns the source into the revision's image.
func (r *run) build(ctx context.Context) error {
	dir, err := r.Workspace.Create(r.d.ID)
	if err != nil {
		return fmt.Errorf("create workspace: %w", err)
	}
	defer func() {
		if err := r.Workspace.Remove(dir); err != nil {
			r.log.Warn("remove workspace", "err", err)
		}
	}()
	if err := r.Sources.Materialise(ctx, r.d.Source, dir); err != nil {
		return fmt.Errorf("write out source: %w", err)
	}
	if err := r.site(ctx, dir); err != nil {
		return err
	}
	if !r.d.Revision.HasProgram() {
		r.say("Every URL is a static file: there is nothing to build and nothing to start")
		return nil
	}
	res, err := r.Builder.Build(ctx, build.Request{
		ID:       r.d.ID,
		Project:  r.d.Revision.Project,
		Service:  r.d.Revision.Service,
		UIDRange: r.slot,
		Spec:     r.d.Build,
		Dir:      dir,
		Log:      r.journal,
	})
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	r.take(res)
	return r.warn(ctx, res.Warnings)
}

// take completes the revision with what was built. The user's variables win
// over the builder's.
func (r *run) take(res *build.Result) {
	rev := &r.d.Revision
	rev.Image, rev.Dir = res.Image, res.Dir
	if len(rev.Command) == 0 {
		rev.Command = res.Command
	}
	for _, v := range res.Env {
		has := slices.ContainsFunc(rev.Env, func(e sunya.EnvVar) bool { return e.Name == v.Name })
		if !has {
			rev.Env = append(rev.Env, v)
		}
	}
}

func (r *run) warn(ctx context.Context, warnings []string) error {
	if len(warnings) == 0 {
		return nil
	}
	return r.Operations.Update(ctx, r.d.Operation, func(op *sunya.Operation) {
		for _, w := range warnings {
			if !slices.Contains(op.Warnings, w) {
				op.Warnings = append(op.Warnings, w)
			}
		}
	})
}

// start stores the revision and proves that an instance of it becomes ready.
func (r *run) start(ctx context.Context) error {
	rev := r.d.Revision
	change := serving.Change{PutRevisions: []sunya.Revision{rev}}
	if _, ok := r.Catalog.Service(rev.Service); !ok {
		change.PutServices = []sunya.Service{{Name: rev.Service, Project: rev.Project, Product: rev.Product, Access: r.d.Access, Ingress: r.d.Ingress}}
	}
	if err := r.Catalog.Apply(ctx, change); err != nil {
		return fmt.Errorf("store revision: %w", err)
	}
	if !rev.HasProgram() || r.d.Unproven {
		return nil
	}
	if err := r.Prover.Prove(ctx, &rev); err != nil {
		return fmt.Errorf("start %s: %w", rev.Name, err)
	}
	return nil
}

// route gives the revision its hosts and its share of the traffic.
func (r *run) route(ctx context.Context) error {
	err := r.Catalog.Update(ctx, r.d.Revision.Service, func(svc sunya.Service) (serving.Change, error) {
		if p, ok := r.Products[r.d.Revision.Product].(Router); ok {
			return p.Route(ctx, r.d, svc)
		}
		change := serving.Change{PutHosts: r.d.Hosts, DeleteHosts: r.d.Takes}
		svc.Traffic = r.traffic(svc.Traffic)
		change.PutServices = []sunya.Service{svc}
		if _, ok := r.Catalog.Revision(r.d.Replaces); ok && r.d.Replaces != r.d.Revision.Name {
			change.DeleteRevisions = []string{r.d.Replaces}
		}
		return change, nil
	})
	if sunya.CodeOf(err) == sunya.NotFound {
		return sunya.Errorf(sunya.Aborted, r.d.Revision.Service, "the service was deleted while it was being deployed")
	}
	if err != nil {
		return fmt.Errorf("route traffic: %w", err)
	}
	return nil
}

// traffic is the split after this deployment: what it asks for, else the
// present one with the new revision in the place of the one it replaces.
func (r *run) traffic(now sunya.Traffic) sunya.Traffic {
	if r.d.Traffic != nil && len(now.Targets) == 0 {
		return *r.d.Traffic
	}
	return now.Replace(r.d.Replaces, r.d.Revision.Name)
}

// finish tells the product and whoever waits for the operation.
func (r *run) finish(ctx context.Context) error {
	err := r.Products[r.d.Revision.Product].Finish(ctx, r.d)
	var final interface{ Final() }
	if err != nil && !errors.As(err, &final) {
		return fmt.Errorf("finish: %w", err)
	}
	return r.Operations.Update(ctx, r.d.Operation, func(op *sunya.Operation) {
		op.Done, op.Stage, op.EndTime = true, "", r.Now()
		if err != nil {
			op.Error = operationError(err)
		}
	})
}

// failTimeout bounds the clean-up after a failure.
const failTimeout = 30 * time.Second

// fail undoes what the deployment stored and records why it failed. The old
// revision keeps serving. An error is of the store: nothing that comes after
// has been done, and all of it may be done again.
func (r *run) fail(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, failTimeout)
	defer cancel()
	steps := []struct {
		what string
		do   func() error
	}{
		{"undo", func() error { return r.undo(ctx) }},
		{"tell product", func() error { return r.Products[r.d.Revision.Product].Fail(ctx, r.d, cause) }},
		{"end operation", func() error {
			return r.Operations.Update(ctx, r.d.Operation, func(op *sunya.Operation) {
				op.Done, op.EndTime, op.Error = true, r.Now(), operationError(cause)
			})
		}},
		{"record failure", func() error {
			r.d.Step = sunya.StepFailed
			return r.Store.PutDeployment(ctx, r.d)
		}},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// undo removes the revision, and the service when this was its only one.
func (r *run) undo(ctx context.Context) error {
	if _, ok := r.Catalog.Revision(r.d.Revision.Name); !ok {
		return nil
	}
	change := serving.Change{DeleteRevisions: []string{r.d.Revision.Name}}
	if svc, ok := r.Catalog.Service(r.d.Revision.Service); ok && len(svc.Traffic.Targets) == 0 {
		change.DeleteServices = []string{svc.Name}
	}
	return r.Catalog.Apply(ctx, change)
}
