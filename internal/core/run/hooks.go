package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// Route says how a service's split, hosts and policy come into effect, with the
// deployment's revision if it has one. It may be asked again after a crash.
func (a *Admin) Route(ctx context.Context, d *sunya.Deployment, now sunya.Service) (serving.Change, error) {
	s, err := a.deployed(ctx, d)
	if err != nil {
		return serving.Change{}, err
	}
	served := resolve(s.Traffic, s.ready(d))
	now.Traffic = serving.Divide(now.Traffic, s.shares(served))
	now.Traffic.Goal, now.Traffic.GoalOf = nil, ""
	now.Access, now.Ingress, now.Scaling = s.access(), s.Ingress.Core(), s.Scaling.core()
	out := serving.Change{PutServices: []sunya.Service{now}, PutHosts: s.hosts(served)}
	keep := map[string]bool{}
	for _, h := range out.PutHosts {
		keep[h.Label] = true
	}
	for _, h := range a.Catalog.Table().Hosts(s.Name()) {
		if !keep[h.Label] {
			out.DeleteHosts = append(out.DeleteHosts, h.Label)
		}
	}
	return out, nil
}

// deployed is the service that a deployment is about.
func (a *Admin) deployed(ctx context.Context, d *sunya.Deployment) (*Service, error) {
	var w work
	if err := json.Unmarshal(d.Document, &w); err != nil {
		return nil, fmt.Errorf("decode deployment %s: %w", d.ID, err)
	}
	s, err := a.Store.GetRunService(ctx, w.Service)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ready is the newest revision that is ready once a deployment is through.
func (s *Service) ready(d *sunya.Deployment) string {
	if d.Revision.Name != "" {
		return s.short(d.Revision.Name)
	}
	return s.Ready
}

// Finish makes the service what its deployment has made. It may be called again
// after a crash.
func (a *Admin) Finish(ctx context.Context, d *sunya.Deployment) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.deployed(ctx, d)
	if err != nil || s.Deployment != d.ID {
		return err
	}
	w := Write{Service: s}
	if d.Revision.Name != "" {
		if w.Revision, err = a.finished(ctx, s, d); err != nil {
			return err
		}
		if w.DeleteRevisions, err = a.prune(ctx, s); err != nil {
			return err
		}
	}
	s.Served = resolve(s.Traffic, s.Ready)
	s.Deployment, s.Observed = "", s.Generation
	s.Conditions = s.conditions(a.Now())
	return a.Store.PutRun(ctx, w)
}

// finished is the revision that a deployment has made, and tells its service.
func (a *Admin) finished(ctx context.Context, s *Service, d *sunya.Deployment) (*Revision, error) {
	id := s.short(d.Revision.Name)
	rev, err := a.Store.GetRunRevision(ctx, s.Key, id)
	if err != nil {
		return nil, err
	}
	rev.Digests = map[string]string{}
	for _, c := range append([]sunya.Container{d.Revision.Container}, d.Revision.Sidecars...) {
		if c.Image.Digest != "" {
			rev.Digests[c.ContainerName] = c.Image.Digest
		}
	}
	rev.UpdateTime = a.Now()
	rev.Conditions = readyRevision(rev.UpdateTime)
	s.Ready = id
	return rev, nil
}

// Fail leaves what served as it was, with what went wrong. It may be called
// again after a crash.
func (a *Admin) Fail(ctx context.Context, d *sunya.Deployment, cause error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.deployed(ctx, d)
	if err != nil || s.Deployment != d.ID {
		return err
	}
	now := a.Now()
	w := Write{Service: s}
	s.Deployment, s.Observed = "", s.Generation
	if d.Revision.Name == "" {
		s.Conditions = failedRoutes(cause, now)
		return a.Store.PutRun(ctx, w)
	}
	if w.Revision, err = a.Store.GetRunRevision(ctx, s.Key, s.short(d.Revision.Name)); err != nil {
		return err
	}
	w.Revision.UpdateTime = now
	w.Revision.Conditions = failedRevision(cause, now)
	s.Conditions = failedService(s, w.Revision, now)
	return a.Store.PutRun(ctx, w)
}

// prune deletes the oldest revisions that do not serve, beyond as many as a
// service may have. It returns their names, to be forgotten with the rest.
func (a *Admin) prune(ctx context.Context, s *Service) ([]string, error) {
	if s.Number <= maxRevisions {
		return nil, nil
	}
	all, err := a.Store.ListRunRevisions(ctx, s.Key, Cursor{}, 0)
	if err != nil || len(all) <= maxRevisions {
		return nil, err
	}
	served := resolve(s.Traffic, s.Ready)
	var out []string
	var change serving.Change
	for _, r := range all[maxRevisions:] {
		if uses(served, r.ID) || r.ID == s.Created || r.ID == s.Ready {
			continue
		}
		out = append(out, r.ID)
		if _, ok := a.Catalog.Revision(r.Name()); ok {
			change.DeleteRevisions = append(change.DeleteRevisions, r.Name())
		}
	}
	return out, a.Catalog.Apply(ctx, change)
}

// public is what of an error its user may read, beside the service or revision
// that it is about.
func public(err error) string {
	var e *sunya.Error
	if errors.As(err, &e) {
		plain := *e
		plain.Resource = ""
		return plain.Public()
	}
	return "internal error: see the server's log"
}

// reason is why a revision is not ready, in the API's words.
func reason(err error) Reason {
	var e *sunya.Error
	if errors.As(err, &e) && e.Reason == sunya.ReasonRevisionNotReady {
		return ReasonHealthCheck
	}
	switch sunya.CodeOf(err) {
	case sunya.NotFound:
		return ReasonContainerMissing
	case sunya.PermissionDenied, sunya.Unauthenticated:
		return ReasonUnauthorized
	case sunya.DeadlineExceeded:
		return ReasonDeadline
	case sunya.Internal, sunya.Unknown:
		return ReasonInternal
	}
	return ReasonRevisionFailed
}

// condition is one that does not hold.
func condition(kind string, state State, why Reason, message string, at time.Time) Condition {
	return Condition{Type: kind, State: state, Reason: why, Message: message, Time: at}
}
