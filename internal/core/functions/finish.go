package functions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Finish makes the function what its deployment has made. It may be called
// again after a crash.
func (a *Admin) Finish(ctx context.Context, d *sunya.Deployment) error {
	f, err := decode(d)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now, err := a.stored(ctx, f.Key)
	if err != nil {
		return err
	}
	if now != nil {
		f.Invokers = now.Invokers // they may have changed meanwhile
	}
	f.Revision, f.Deployment, f.State = d.Revision.Name, "", Active
	f.UpdateTime = a.Now()
	if err := a.applyAccess(ctx, f); err != nil {
		return err
	}
	err = a.applyTrigger(ctx, f, now)
	if err != nil {
		err = fmt.Errorf("make the trigger: %w", err)
		if !refused(err) {
			return err
		}
		f.State, f.Messages = Failed, []string{public(err)}
		err = incomplete{err}
	}
	if err := a.Store.PutFunction(ctx, f); err != nil {
		return err
	}
	return err
}

// incomplete is a function whose code serves, and that no events run.
type incomplete struct{ error }

func (e incomplete) Unwrap() error { return e.error }

// Final says that trying again changes nothing (core/deploy.Hooks).
func (e incomplete) Final() {}

// refused reports whether an error is about what was asked for, as a bucket that
// has been deleted meanwhile.
func refused(err error) bool {
	switch sunya.CodeOf(err) {
	case sunya.InvalidArgument, sunya.NotFound, sunya.AlreadyExists, sunya.FailedPrecondition, sunya.PermissionDenied, sunya.Unimplemented:
		return true
	}
	return false
}

// Fail leaves the function as it was before the deployment, with what went
// wrong. It may be called again after a crash.
func (a *Admin) Fail(ctx context.Context, d *sunya.Deployment, cause error) error {
	next, err := decode(d)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := a.stored(ctx, next.Key)
	if err != nil || f == nil || f.Deployment != d.ID {
		return err
	}
	f.Deployment, f.Number, f.Build = "", next.Number, next.Build
	f.State = Active
	if f.Revision == "" {
		f.State = Failed
	}
	f.Messages = []string{public(cause)}
	return a.Store.PutFunction(ctx, f)
}

// public is what of an error its user may read.
func public(err error) string {
	var e *sunya.Error
	if errors.As(err, &e) {
		return e.Public()
	}
	return "internal error: see the server's log"
}

// decode reads the function that draft has put into a deployment.
func decode(d *sunya.Deployment) (*Function, error) {
	var f Function
	if err := json.Unmarshal(d.Document, &f); err != nil {
		return nil, fmt.Errorf("decode deployment %s: %w", d.ID, err)
	}
	return &f, nil
}

// Delete deletes a function with its service. The operation is done when it
// returns.
func (a *Admin) Delete(ctx context.Context, k Key, user string) (*sunya.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := a.Function(ctx, k)
	if err != nil {
		return nil, err
	}
	if f.Deployment != "" {
		return nil, inProgress(f)
	}
	if err := a.removeTrigger(ctx, f); err != nil {
		return nil, err
	}
	if _, ok := a.Catalog.Service(k.ServiceName()); ok {
		if err := a.Catalog.Apply(ctx, serving.Change{DeleteServices: []string{k.ServiceName()}}); err != nil {
			return nil, err
		}
	}
	if err := a.Store.DeleteFunction(ctx, k); err != nil {
		return nil, err
	}
	op := a.operation(k, f.FirstGen, "DeleteFunction", user)
	op.Done, op.EndTime = true, op.CreateTime
	return op, a.Operations.Put(ctx, op)
}
