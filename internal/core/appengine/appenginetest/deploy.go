package appenginetest

import (
	"context"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Pending takes the deployments that nobody has taken yet, oldest first.
func (w *World) Pending() []sunya.Deployment {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.pending
	w.pending = nil
	return out
}

// Deploy ends all pending deployments: with failure, when it is not nil, else
// well. It does what the deploy runner does with the serving state.
func (w *World) Deploy(ctx context.Context, a *appengine.Admin, failure error) error {
	for _, d := range w.Pending() {
		if err := w.deploy(ctx, a, &d, failure); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) deploy(ctx context.Context, a *appengine.Admin, d *sunya.Deployment, failure error) error {
	op, err := w.Get(ctx, d.Operation)
	if err != nil {
		return err
	}
	op.Done, op.EndTime = true, w.clock()
	if failure != nil {
		op.Error = &sunya.OperationError{Code: sunya.CodeOf(failure), Message: failure.Error(), Reason: sunya.ReasonBuildFailed, Logs: []string{"last line"}}
		if err := a.Fail(ctx, d, failure); err != nil {
			return err
		}
		return w.Put(ctx, op)
	}
	svc, ok := w.Service(d.Revision.Service)
	if !ok {
		svc = sunya.Service{Name: d.Revision.Service, Project: d.Revision.Project, Product: d.Revision.Product}
	}
	change := serving.Change{PutHosts: d.Hosts, DeleteHosts: d.Takes}
	switch {
	case d.Step == sunya.StepMigrating:
		svc.Traffic = serving.Toward(svc.Traffic, 1000)
	case d.Traffic != nil:
		svc.Traffic = *d.Traffic
	default:
		svc.Traffic = svc.Traffic.Replace(d.Replaces, d.Revision.Name)
	}
	if d.Revision.Name != "" {
		change.PutRevisions = []sunya.Revision{d.Revision}
		change.DeleteRevisions = []string{d.Replaces}
	}
	change.PutServices = []sunya.Service{svc}
	if err := w.Apply(ctx, change); err != nil {
		return err
	}
	if err := a.Finish(ctx, d); err != nil {
		return err
	}
	return w.Put(ctx, op)
}
