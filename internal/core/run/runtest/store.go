package runtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

// copyOf is a value as it would come back from a database.
func copyOf[T any](v T) (out T) {
	document, err := json.Marshal(v)
	must(err)
	must(json.Unmarshal(document, &out))
	return out
}

// GetRunService implements run.Store.
func (w *World) GetRunService(_ context.Context, k run.Key) (*run.Service, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.services[k]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, k.Name(), "no such service")
	}
	s = copyOf(s)
	return &s, nil
}

// ListRunServices implements run.Store.
func (w *World) ListRunServices(_ context.Context, project, location, after string, limit int) ([]run.Service, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	path := func(k run.Key) string { return k.Location + "/" + k.ID }
	keys := slices.SortedFunc(maps.Keys(w.services), func(a, b run.Key) int { return strings.Compare(path(a), path(b)) })
	var out []run.Service
	for _, k := range keys {
		if k.Project == project && (location == "" || k.Location == location) && path(k) > after && (limit <= 0 || len(out) < limit) {
			out = append(out, copyOf(w.services[k]))
		}
	}
	return out, nil
}

// GetRunRevision implements run.Store.
func (w *World) GetRunRevision(_ context.Context, k run.Key, id string) (*run.Revision, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.find(k, id)
	if i < 0 {
		return nil, sunya.Errorf(sunya.NotFound, k.RevisionName(id), "no such revision")
	}
	r := copyOf(w.revisions[i])
	return &r, nil
}

func (w *World) find(k run.Key, id string) int {
	return slices.IndexFunc(w.revisions, func(r run.Revision) bool { return r.Service == k && r.ID == id })
}

// ListRunRevisions implements run.Store.
func (w *World) ListRunRevisions(_ context.Context, k run.Key, after run.Cursor, limit int) ([]run.Revision, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	newest := func(a, b run.Cursor) int { return cmp.Or(b.Time.Compare(a.Time), strings.Compare(b.ID, a.ID)) }
	var out []run.Revision
	for _, r := range w.revisions {
		own := r.Service == k || k.ID == "" && r.Service.Project == k.Project && r.Service.Location == k.Location
		if own && (after.ID == "" || newest(r.Cursor(), after) > 0) {
			out = append(out, copyOf(r))
		}
	}
	slices.SortFunc(out, func(a, b run.Revision) int { return newest(a.Cursor(), b.Cursor()) })
	if limit > 0 {
		out = out[:min(limit, len(out))]
	}
	return out, nil
}

// PutRun implements run.Store.
func (w *World) PutRun(_ context.Context, c run.Write) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := c.Delete; k != nil {
		delete(w.services, *k)
		w.revisions = slices.DeleteFunc(w.revisions, func(r run.Revision) bool { return r.Service == *k })
	}
	for _, id := range c.DeleteRevisions {
		w.revisions = slices.DeleteFunc(w.revisions, func(r run.Revision) bool { return r.Service == c.Service.Key && r.ID == id })
	}
	if s := c.Service; s != nil {
		if old := w.services[s.Key]; old.Deployment != "" && s.Deployment != "" && old.Deployment != s.Deployment {
			return sunya.Errorf(sunya.Aborted, s.Name(), "being deployed")
		}
		w.services[s.Key] = copyOf(*s)
	}
	if r := c.Revision; r != nil {
		if i := w.find(r.Service, r.ID); i >= 0 {
			w.revisions[i] = copyOf(*r)
		} else {
			w.revisions = append(w.revisions, copyOf(*r))
		}
	}
	if c.Operation != nil {
		w.putOperation(copyOf(*c.Operation))
	}
	if c.Deployment != nil {
		w.pending = append(w.pending, copyOf(*c.Deployment))
	}
	return nil
}

func (w *World) putOperation(op sunya.Operation) {
	if _, ok := w.ops[op.Name]; !ok {
		w.order = append(w.order, op.Name)
	}
	if string(op.Response) == "null" {
		op.Response = nil
	}
	w.ops[op.Name] = op
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *World) endOperation(name string, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	op := w.ops[name]
	op.Done = true
	var e *sunya.Error
	if errors.As(cause, &e) {
		op.Error = &sunya.OperationError{Code: e.Code, Message: e.Public(), Reason: e.Reason}
	}
	w.putOperation(op)
}

// Get implements lro.Operations.
func (w *World) Get(_ context.Context, name string) (*sunya.Operation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	op, ok := w.ops[name]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, name, "no such operation")
	}
	return &op, nil
}

// List implements lro.Operations.
func (w *World) List(_ context.Context, prefix, _ string, _ int) ([]sunya.Operation, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []sunya.Operation
	for _, name := range slices.Backward(w.order) {
		if strings.HasPrefix(name, prefix) {
			out = append(out, w.ops[name])
		}
	}
	return out, "", nil
}

// Wait implements lro.Operations.
func (w *World) Wait(ctx context.Context, name string, timeout time.Duration) (*sunya.Operation, error) {
	late := time.After(timeout)
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		op, err := w.Get(ctx, name)
		if err != nil || op.Done {
			return op, err
		}
		select {
		case <-changed:
		case <-late:
			return op, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
