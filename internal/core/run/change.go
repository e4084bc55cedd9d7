package run

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya"
)

// Create makes a service. One of that name is AlreadyExists.
func (a *Admin) Create(ctx context.Context, k Key, f Make, r Request) (Result, error) {
	return a.change(ctx, k, f, r, func(now *Service) error {
		if now != nil {
			return sunya.Errorf(sunya.AlreadyExists, k.Name(), "the service exists already: update it, or delete it first")
		}
		return nil
	})
}

// Update changes a service. Another template makes a new revision; everything
// else is changed in place.
func (a *Admin) Update(ctx context.Context, k Key, f Make, r Request) (Result, error) {
	return a.change(ctx, k, f, r, func(now *Service) error {
		if now == nil && !r.AllowMissing {
			return sunya.Errorf(sunya.NotFound, k.Name(), "service not found")
		}
		return nil
	})
}

func (a *Admin) change(ctx context.Context, k Key, f Make, r Request, allowed func(now *Service) error) (Result, error) {
	if err := k.Check(); err != nil {
		return Result{}, err
	}
	if !r.ValidateOnly {
		err := a.supersede(ctx, k, r.ETag, func(now *Service) (bool, error) { return a.replaces(k, now, f, allowed) })
		if err != nil {
			return Result{}, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now, err := a.stored(ctx, k)
	if err != nil {
		return Result{}, err
	}
	if err := allowed(now); err != nil {
		return Result{}, err
	}
	if err := free(now, r.ETag); err != nil {
		return Result{}, err
	}
	spec, warnings, err := f(now)
	if err != nil {
		return Result{}, err
	}
	spec.Complete(k)
	if err := spec.Check(k); err != nil {
		return Result{}, err
	}
	w, err := a.plan(ctx, k, now, spec, r)
	if err != nil {
		return Result{}, err
	}
	w.Service.Warnings, w.Operation.Warnings = warnings, warnings
	out := Result{Service: w.Service, Operation: w.Operation}
	if r.ValidateOnly {
		w.Operation.Done, w.Operation.EndTime = true, w.Operation.CreateTime
		return out, nil
	}
	if err := a.Store.PutRun(ctx, *w); err != nil {
		return Result{}, err
	}
	if w.Deployment != nil {
		a.Kick()
	}
	return out, nil
}

// supersede ends the deployment of a service if what is asked for now makes it
// pointless. Nothing is locked: the deployment's end has work to do here.
func (a *Admin) supersede(ctx context.Context, k Key, etag string, pointless func(now *Service) (bool, error)) error {
	now, err := a.stored(ctx, k)
	if err != nil || now == nil || now.Deployment == "" {
		return err
	}
	if err := checkETag(now.Name(), etag, now.ETag()); err != nil {
		return err
	}
	end, err := pointless(now)
	if err != nil || !end {
		return err
	}
	return a.Supersede(ctx, now.Deployment)
}

// replaces reports whether a change takes the place of the revision that is
// being deployed: another template does.
func (a *Admin) replaces(k Key, now *Service, f Make, allowed func(*Service) error) (bool, error) {
	if err := allowed(now); err != nil {
		return false, err
	}
	spec, _, err := f(now)
	if err != nil {
		return false, err
	}
	spec.Complete(k)
	if err := spec.Check(k); err != nil {
		return false, err
	}
	return !bytes.Equal(spec.Template.Document, now.Template.Document), nil
}

// free answers whoever wants to change a service that is being changed, or that
// is another one than he knows.
func free(now *Service, etag string) error {
	if now == nil {
		return nil
	}
	if err := checkETag(now.Name(), etag, now.ETag()); err != nil {
		return err
	}
	if now.Deployment != "" {
		return sunya.Errorf(sunya.Aborted, now.Name(), "an operation is already in progress (deployment %s): wait for it and try again", now.Deployment)
	}
	return nil
}

// plan says what is to be written so that the service becomes what spec says.
func (a *Admin) plan(ctx context.Context, k Key, now *Service, spec Spec, r Request) (*Write, error) {
	next := a.next(k, now, spec, r.User)
	w := &Write{Service: next, Operation: a.operation(k, r)}
	if now == nil {
		w.Delete = &k
	}
	if err := checkTags(spec.Traffic, next.Host); err != nil {
		return nil, err
	}
	if needsRevision(now, &spec) {
		if err := a.addRevision(ctx, w, r.User); err != nil {
			return nil, err
		}
	}
	if err := a.checkRevisions(k, w); err != nil {
		return nil, err
	}
	a.settle(now, w)
	return w, nil
}

// next is the service as it is to be, but for its revisions.
func (a *Admin) next(k Key, now *Service, spec Spec, user string) *Service {
	at := a.Now()
	if now == nil {
		return &Service{
			Key: k, Spec: spec, UID: a.NewID(), Generation: 1, Host: a.Catalog.Table().Label(k.ID, k.Name(), k.Project),
			Creator: user, Modifier: user, CreateTime: at, UpdateTime: at,
		}
	}
	next := *now
	next.Spec, next.Modifier, next.UpdateTime = spec, user, at
	next.Generation++
	return &next
}

// needsRevision reports whether a spec asks for another revision than the one
// that was made last. What failed and is asked for again is tried again.
func needsRevision(now *Service, spec *Spec) bool {
	switch {
	case now == nil:
		return true
	case spec.Template.Revision != "" && spec.Template.Revision != now.Created:
		return true
	case !bytes.Equal(spec.Template.Document, now.Template.Document):
		return true
	}
	return now.Created != now.Ready && same(now.Spec, *spec)
}

// same reports whether two specs ask for the same, as they are stored.
func same(a, b Spec) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// addRevision gives a Write the revision that its service asks for, and the
// deployment that makes it.
func (a *Admin) addRevision(ctx context.Context, w *Write, user string) error {
	s := w.Service
	at := s.UpdateTime
	s.Number++
	s.Build = a.DeploymentIDs.Next(at)
	id := s.Template.Revision
	if id == "" {
		id = sunya.RevisionID(s.ID, s.Number, s.Build)
	}
	switch _, err := a.Store.GetRunRevision(ctx, s.Key, id); {
	case w.Delete != nil: // what it may find goes first
	case err == nil:
		return &sunya.Error{Code: sunya.AlreadyExists, Resource: s.RevisionName(id), Field: "service.template.revision", Message: "the revision exists already, and never changes: choose another name, or leave it out"}
	case sunya.CodeOf(err) != sunya.NotFound:
		return err
	}
	s.Created, s.Deployment = id, s.Build
	w.Revision = &Revision{
		Service: s.Key, ID: id, UID: a.NewID(), Generation: s.Generation, Template: s.Template, Build: s.Build,
		Conditions: []Condition{{Type: ConditionReady, State: Unknown, Reason: ReasonWaiting, Message: "Deploying the revision.", Time: at}},
		Creator:    user, CreateTime: at, UpdateTime: at,
	}
	// Its operation has the deployment's id: v2 has no field that says where the
	// log of the deployment is.
	w.Operation.BuildID = s.Build
	w.Operation.Name = sunya.LocationName(s.Project, s.Location) + "/operations/" + s.Build
	w.Deployment = a.deployment(s, w.Operation, id)
	return nil
}

// checkRevisions holds for a split: what it names is there and ready, or comes.
func (a *Admin) checkRevisions(k Key, w *Write) error {
	for i, t := range w.Service.Traffic {
		if t.Latest || w.Revision != nil && t.Revision == w.Revision.ID {
			continue
		}
		if _, ok := a.Catalog.Revision(k.RevisionName(t.Revision)); !ok {
			return sunya.Invalid(fmt.Sprintf("service.traffic[%d].revision", i), "%q is not a revision of the service that is ready", t.Revision)
		}
	}
	return nil
}

// settle says how what is not a revision comes into effect: by the deployment
// that there is, by one that only routes, or, when there is nothing to route to,
// at once.
func (a *Admin) settle(now *Service, w *Write) {
	s := w.Service
	if w.Deployment == nil {
		if now != nil && same(now.Spec, s.Spec) {
			s.Generation, s.UpdateTime = now.Generation, now.UpdateTime
		}
		if _, serves := a.Catalog.Service(s.Name()); serves && s.Generation != now.Generation {
			s.Deployment = a.DeploymentIDs.Next(s.UpdateTime)
			w.Deployment = a.rerouting(s, w.Operation)
		}
	}
	if w.Deployment == nil {
		s.Observed = s.Generation
		w.Operation.Done, w.Operation.EndTime = true, w.Operation.CreateTime
		return
	}
	s.Conditions = pending(s.Conditions, w.Revision != nil, s.UpdateTime)
}

// operation returns a new operation on a service.
func (a *Admin) operation(k Key, r Request) *sunya.Operation {
	return &sunya.Operation{
		Name:       sunya.LocationName(k.Project, k.Location) + "/operations/" + a.NewID(),
		Method:     r.Method,
		Target:     k.Name(),
		User:       r.User,
		CreateTime: a.Now(),
	}
}

// work is the Document of a service's deployments.
type work struct {
	Service Key
}

func (a *Admin) document(k Key) json.RawMessage {
	doc, err := json.Marshal(work{k})
	if err != nil { // three strings
		panic(err)
	}
	return doc
}
