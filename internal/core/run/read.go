package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/sunya-cloud/sunya"
)

// Service returns one service.
func (a *Admin) Service(ctx context.Context, k Key) (*Service, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	s, err := a.stored(ctx, k)
	if err == nil && s == nil {
		err = sunya.Errorf(sunya.NotFound, k.Name(), "service not found")
	}
	return s, err
}

// Services returns the services of a location, "-" for all, in order, at most
// limit, beginning after LOCATION/ID.
func (a *Admin) Services(ctx context.Context, project, location, after string, limit int) ([]Service, error) {
	if location == "-" {
		location = ""
	} else if err := sunya.CheckLocation(project, location); err != nil {
		return nil, err
	}
	all, err := a.Store.ListRunServices(ctx, project, location, after, limit)
	return slices.DeleteFunc(all, func(s Service) bool { return a.ended(&s) }), err
}

// stored returns a service, or nil when there is none.
func (a *Admin) stored(ctx context.Context, k Key) (*Service, error) {
	s, err := a.Store.GetRunService(ctx, k)
	if sunya.CodeOf(err) == sunya.NotFound || err == nil && a.ended(s) {
		return nil, nil
	}
	return s, err
}

// ended reports whether a service is the rest of one whose deletion a crash has
// cut short: it was ready, and the core knows nothing of it.
func (a *Admin) ended(s *Service) bool {
	_, serves := a.Catalog.Service(s.Name())
	return s.Ready != "" && !serves
}

// Revision returns one revision by its short name.
func (a *Admin) Revision(ctx context.Context, k Key, id string) (*Revision, error) {
	if _, err := a.Service(ctx, k); err != nil {
		return nil, err
	}
	r, err := a.Store.GetRunRevision(ctx, k, id)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil, sunya.Errorf(sunya.NotFound, k.RevisionName(id), "revision not found")
	}
	return r, err
}

// Cursor is where the revision is in a list.
func (r *Revision) Cursor() Cursor { return Cursor{r.CreateTime, r.ID} }

// Revisions returns the revisions of a service, "-" for all of its location, the
// newest first, at most limit, beginning after the one at after.
func (a *Admin) Revisions(ctx context.Context, k Key, after Cursor, limit int) ([]Revision, error) {
	if k.ID == "-" {
		k.ID = ""
		if err := sunya.CheckLocation(k.Project, k.Location); err != nil {
			return nil, err
		}
	} else if _, err := a.Service(ctx, k); err != nil {
		return nil, err
	}
	return a.Store.ListRunRevisions(ctx, k, after, limit)
}

// ETag changes with every change of what is asked for.
func (s *Service) ETag() string { return etag(s.UID, strconv.FormatInt(s.Generation, 10)) }

// ETag changes with the revision's conditions.
func (r *Revision) ETag() string { return etag(r.UID, string(stateOf(r.Conditions))) }

// etag is quoted, as HTTP has it.
func etag(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:10]) + `"`
}

// checkETag is Aborted when somebody has changed what was read.
func checkETag(name, asked, now string) error {
	if asked != "" && asked != now {
		return sunya.Errorf(sunya.Aborted, name, "it has changed since it was read (etag %s): read it again, and change that", asked)
	}
	return nil
}
