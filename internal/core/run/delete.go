package run

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Delete deletes a service with its revisions. The operation is done when it
// returns; its response is the Service that was.
func (a *Admin) Delete(ctx context.Context, k Key, r Request) (Result, error) {
	if !r.ValidateOnly {
		if err := a.supersede(ctx, k, r.ETag, func(*Service) (bool, error) { return true, nil }); err != nil {
			return Result{}, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.Service(ctx, k)
	if err != nil {
		return Result{}, err
	}
	if err := free(s, r.ETag); err != nil {
		return Result{}, err
	}
	s.DeleteTime = a.Now()
	op, err := done(a.operation(k, r), s)
	if err != nil || r.ValidateOnly {
		return Result{Service: s, Operation: op}, err
	}
	if _, ok := a.Catalog.Service(k.Name()); ok {
		if err := a.Catalog.Apply(ctx, serving.Change{DeleteServices: []string{k.Name()}}); err != nil {
			return Result{}, err
		}
	}
	return Result{Service: s, Operation: op}, a.Store.PutRun(ctx, Write{Delete: &k, Operation: op})
}

// DeleteRevision deletes a revision that has no traffic and no tag and is not the
// newest. The operation is done when it returns; its response is the Revision
// that was.
func (a *Admin) DeleteRevision(ctx context.Context, k Key, id string, r Request) (*Revision, *sunya.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.Service(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	rev, err := a.Revision(ctx, k, id)
	if err != nil {
		return nil, nil, err
	}
	if err := deletable(s, rev, r.ETag); err != nil {
		return nil, nil, err
	}
	op := a.operation(k, r)
	op.Target = rev.Name()
	if op, err = done(op, rev); err != nil || r.ValidateOnly {
		return rev, op, err
	}
	if _, ok := a.Catalog.Revision(rev.Name()); ok {
		if err := a.Catalog.Apply(ctx, serving.Change{DeleteRevisions: []string{rev.Name()}}); err != nil {
			return nil, nil, err
		}
	}
	return rev, op, a.Store.PutRun(ctx, Write{Service: s, DeleteRevisions: []string{id}, Operation: op})
}

func deletable(s *Service, rev *Revision, etag string) error {
	if err := free(s, ""); err != nil {
		return err
	}
	if err := checkETag(rev.Name(), etag, rev.ETag()); err != nil {
		return err
	}
	switch {
	case uses(s.Served, rev.ID) || uses(s.Traffic, rev.ID):
		return sunya.Errorf(sunya.FailedPrecondition, rev.Name(), "it has traffic or a tag: move the traffic to another revision first")
	case rev.ID == s.Created:
		return sunya.Errorf(sunya.FailedPrecondition, rev.Name(), "it is the newest revision of the service: deploy another one first, or delete the service")
	case rev.ID == s.Ready:
		return sunya.Errorf(sunya.FailedPrecondition, rev.Name(), "it is the newest revision that is ready: deploy another one first")
	}
	return nil
}

// done ends an operation whose response is what was deleted.
func done(op *sunya.Operation, deleted any) (*sunya.Operation, error) {
	response, err := json.Marshal(deleted)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", op.Target, err)
	}
	op.Done, op.EndTime, op.Response = true, op.CreateTime, response
	return op, nil
}
