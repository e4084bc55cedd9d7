package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// leaveTimeout bounds the cleaning up.
const leaveTimeout = 15 * time.Second

// leave gives somebody else's server back as it was found: the traffic goes
// where it went before, and the session's version is deleted. A service that
// this session made stays: the server would be without it otherwise.
func (s *devSession) leave(ctx context.Context) error {
	if s.server.process != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	var all error
	for _, svc := range s.services {
		if err := svc.leave(ctx); err != nil {
			all = errors.Join(all, fmt.Errorf("give the traffic of %s back: %w", svc.name, err))
		}
	}
	return all
}

func (d *devService) leave(ctx context.Context) error {
	version := d.session.opts.version
	if !d.loop.State().Good {
		return nil
	}
	if _, had := d.before[version]; had || len(d.before) == 0 {
		d.say("version %s stays and serves; sunya app versions list --service %s", version, d.name)
		return nil
	}
	a := d.session.admin
	op, err := a.services.UpdateService(ctx, &appenginepb.UpdateServiceRequest{
		Name:       a.serviceName(d.name),
		Service:    &appenginepb.Service{Split: &appenginepb.TrafficSplit{Allocations: maps.Clone(d.before)}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"split"}},
	})
	if err != nil {
		return err
	}
	if _, err := a.wait(ctx, op.Name(), nil); err != nil {
		return err
	}
	gone, err := a.versions.DeleteVersion(ctx, &appenginepb.DeleteVersionRequest{Name: a.versionName(d.name, version)})
	if err != nil {
		return err
	}
	if _, err := a.wait(ctx, gone.Name(), nil); err != nil {
		return err
	}
	d.say("the traffic is back where it was; version %s is deleted", version)
	return nil
}
