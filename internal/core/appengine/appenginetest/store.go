package appenginetest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

var _ appengine.Store = (*World)(nil)

// GetApplication implements appengine.Store.
func (w *World) GetApplication(_ context.Context, project string) (*appengine.Application, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.apps[project]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, project, "no application")
	}
	return &a, nil
}

// PutApplication implements appengine.Store.
func (w *World) PutApplication(_ context.Context, a *appengine.Application) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.apps[a.ID] = *a
	return nil
}

// GetVersion implements appengine.Store.
func (w *World) GetVersion(_ context.Context, k appengine.Key) (*appengine.Version, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.versions[k]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, k.Name(), "no version")
	}
	return &v, nil
}

// ListVersions implements appengine.Store.
func (w *World) ListVersions(_ context.Context, project, service, after string, limit int) ([]appengine.Version, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []appengine.Version
	for k, v := range w.versions {
		if k.Project == project && k.Service == service && k.ID > after {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(x, y appengine.Version) int { return strings.Compare(x.ID, y.ID) })
	return out[:min(limit, len(out))], nil
}

// ListServices implements appengine.Store.
func (w *World) ListServices(_ context.Context, project, after string, limit int) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := map[string]bool{}
	for k := range w.versions {
		if k.Project == project && k.Service > after {
			ids[k.Service] = true
		}
	}
	out := slices.Sorted(maps.Keys(ids))
	return out[:min(limit, len(out))], nil
}

// BeginDeploy implements appengine.Store.
func (w *World) BeginDeploy(_ context.Context, v *appengine.Version, op *sunya.Operation, d *sunya.Deployment) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.versions[v.Key]; ok && old.Deployment != "" {
		return sunya.Errorf(sunya.Aborted, v.Name(), "in progress")
	}
	w.versions[v.Key] = *v
	w.putOperation(op)
	w.pending = append(w.pending, *d)
	return nil
}

// PutVersion implements appengine.Store.
func (w *World) PutVersion(_ context.Context, v *appengine.Version) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.versions[v.Key] = *v
	return nil
}

// DeleteVersion implements appengine.Store.
func (w *World) DeleteVersion(_ context.Context, k appengine.Key) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.versions, k)
	return nil
}

func (w *World) putOperation(op *sunya.Operation) {
	if _, ok := w.ops[op.Name]; !ok {
		w.order = append(w.order, op.Name)
	}
	w.ops[op.Name] = *op
}

// Put implements appengine.Operations.
func (w *World) Put(_ context.Context, op *sunya.Operation) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.putOperation(op)
	return nil
}

// Get returns an operation.
func (w *World) Get(_ context.Context, name string) (*sunya.Operation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	op, ok := w.ops[name]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, name, "operation not found")
	}
	return &op, nil
}

// List returns the operations of a prefix, newest first.
func (w *World) List(_ context.Context, prefix, after string, limit int) ([]sunya.Operation, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []sunya.Operation
	skip := after != ""
	for _, name := range slices.Backward(w.order) {
		if !skip && strings.HasPrefix(name, prefix) {
			out = append(out, w.ops[name])
		}
		if name == after {
			skip = false
		}
	}
	if len(out) > limit {
		return out[:limit], out[limit-1].Name, nil
	}
	return out, "", nil
}

// Wait returns an operation as it is: deploys in this world end when a test
// says so.
func (w *World) Wait(ctx context.Context, name string, _ time.Duration) (*sunya.Operation, error) {
	return w.Get(ctx, name)
}
