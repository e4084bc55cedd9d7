package appengine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/sunya-cloud/sunya"
)

// Finish makes the version what its deployment has made. It may be called
// again after a crash.
func (a *Admin) Finish(ctx context.Context, d *sunya.Deployment) error {
	v, err := decode(d)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	v.Revision, v.Deployment = cmp.Or(d.Revision.Name, v.Revision), ""
	return a.Store.PutVersion(ctx, v)
}

// Fail leaves the version as it was before the deployment: gone, or serving
// what it served. It may be called again after a crash.
func (a *Admin) Fail(ctx context.Context, d *sunya.Deployment, _ error) error {
	next, err := decode(d)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	v, err := a.stored(ctx, next.Key)
	if err != nil || v == nil || v.Deployment != d.ID {
		return err
	}
	if v.Revision == "" {
		return a.Store.DeleteVersion(ctx, v.Key)
	}
	v.Deployment = ""
	return a.Store.PutVersion(ctx, v)
}

// decode reads the version that begin has put into a deployment.
func decode(d *sunya.Deployment) (*Version, error) {
	var v Version
	if err := json.Unmarshal(d.Document, &v); err != nil {
		return nil, fmt.Errorf("decode deployment %s: %w", d.ID, err)
	}
	return &v, nil
}
