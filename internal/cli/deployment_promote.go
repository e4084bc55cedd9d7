package cli

import (
	"context"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
)

// promote sends the traffic to the new version and, as gcloud does, stops the
// one that had all of it, which would otherwise keep its instances for ever.
func (d *deployment) promote(ctx context.Context) error {
	previous, err := d.previous(ctx)
	if err != nil {
		return err
	}
	if err := d.admin.promote(ctx, d.service(), d.opts.version); err != nil {
		return err
	}
	if previous == nil {
		return nil
	}
	d.env.infof("Stopping version %s of service %s", printable(previous.GetId()), printable(d.service()))
	return d.admin.setStatus(ctx, d.service(), previous.GetId(), appenginepb.ServingStatus_STOPPED)
}

// previous is the version to stop, nil for none. Automatic scaling stops by
// itself.
func (d *deployment) previous(ctx context.Context) (*appenginepb.Version, error) {
	if !d.opts.stop {
		return nil, nil
	}
	s, err := d.admin.service(ctx, d.service())
	if err != nil {
		return nil, err
	}
	for id, part := range s.GetSplit().GetAllocations() {
		if part < 1 || id == d.opts.version {
			continue
		}
		v, err := d.admin.version(ctx, d.service(), id)
		if err != nil {
			return nil, err
		}
		if (v.GetBasicScaling() != nil || v.GetManualScaling() != nil) && v.GetServingStatus() == appenginepb.ServingStatus_SERVING {
			return v, nil
		}
	}
	return nil, nil
}
