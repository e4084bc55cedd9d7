package run

import (
	"context"

	"github.com/sunya-cloud/sunya"
)

var errNotYet = sunya.Errorf(sunya.Unimplemented, "", "not there yet")

// Service returns one service.
func (a *Admin) Service(ctx context.Context, k Key) (*Service, error) { return nil, errNotYet }

// Services returns the services of a location, "-" for all, in order, at most
// limit, beginning after LOCATION/ID.
func (a *Admin) Services(ctx context.Context, project, location, after string, limit int) ([]Service, error) {
	return nil, errNotYet
}

// Create makes a service. One of that name is AlreadyExists.
func (a *Admin) Create(ctx context.Context, k Key, f Make, r Request) (Result, error) {
	return Result{}, errNotYet
}

// Update changes a service. Another template makes a new revision; everything
// else is changed in place.
func (a *Admin) Update(ctx context.Context, k Key, f Make, r Request) (Result, error) {
	return Result{}, errNotYet
}

// Delete deletes a service with its revisions. The operation is done when it
// returns.
func (a *Admin) Delete(ctx context.Context, k Key, r Request) (Result, error) {
	return Result{}, errNotYet
}

// SetInvokers says who may call a service, by members of IAM policies. etag,
// when not empty, must be that of what was there: else Aborted.
func (a *Admin) SetInvokers(ctx context.Context, k Key, members []string, etag string) (*Service, error) {
	return nil, errNotYet
}

// Revision returns one revision by its short name.
func (a *Admin) Revision(ctx context.Context, k Key, id string) (*Revision, error) {
	return nil, errNotYet
}

// Revisions returns the revisions of a service, the newest first, at most limit,
// beginning after the one named after.
func (a *Admin) Revisions(ctx context.Context, k Key, after string, limit int) ([]Revision, error) {
	return nil, errNotYet
}

// DeleteRevision deletes a revision that has no traffic and no tag. The
// operation is done when it returns.
func (a *Admin) DeleteRevision(ctx context.Context, k Key, id string, r Request) (*Revision, *sunya.Operation, error) {
	return nil, nil, errNotYet
}
