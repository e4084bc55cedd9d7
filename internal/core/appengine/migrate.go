package appengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// MigrateSplit moves a service's traffic to another split by and by. The
// operation is done when all of it has moved. Versions that get more than they
// have must take warm-up requests and scale automatically
// (UpdateServiceRequest.migrate_traffic). A split that is set meanwhile wins.
func (a *Admin) MigrateSplit(ctx context.Context, project, id string, change SplitChange, user string) (*sunya.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next, err := a.planSplit(ctx, project, id, change)
	if err != nil {
		return nil, err
	}
	gain, err := next.gaining()
	if err != nil {
		return nil, err
	}
	op := a.operation(project, "Services.UpdateService", ServiceName(project, id), user)
	if len(gain) == 0 {
		return a.finished(ctx, op)
	}
	return op, a.beginMigration(ctx, next, gain[0].Version, op)
}

// gaining returns the versions that are to get more traffic than they have, if
// they can take it gradually.
func (s newSplit) gaining() ([]target, error) {
	if s.shardBy == "" {
		return nil, sunya.Invalid("service.split.shardBy", "is missing: a gradual migration needs IP, COOKIE or RANDOM")
	}
	var gain []target
	for _, t := range s.versions {
		i := slices.IndexFunc(s.now.Targets, func(o sunya.Target) bool { return o.Revision == t.Revision })
		if i >= 0 && s.now.Targets[i].Permille >= t.permille {
			continue
		}
		if !t.automatic() {
			return nil, cannotMigrate(t.Version, "it has no automatic scaling")
		}
		if !t.WarmUp {
			return nil, cannotMigrate(t.Version, "warm-up requests are not enabled for it (inbound_services: [warmup] in app.yaml)")
		}
		gain = append(gain, t)
	}
	return gain, nil
}

func cannotMigrate(v *Version, why string) error {
	return &sunya.Error{Code: sunya.FailedPrecondition, Resource: v.Name(), Field: "migrateTraffic", Message: "traffic cannot be migrated gradually to this version, because " + why + ": set the split without migrating"}
}

// beginMigration stores the goal first: a deployment whose goal is not that of
// the service any more has been overtaken. The version that gains is marked, so
// that nobody deploys or changes it meanwhile.
func (a *Admin) beginMigration(ctx context.Context, next newSplit, v *Version, op *sunya.Operation) error {
	if v.Deployment != "" {
		return inProgress(v)
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", v.Name(), err)
	}
	now, service := a.Now(), ServiceName(v.Project, v.Service)
	d := &sunya.Deployment{
		ID:         a.DeploymentIDs.Next(now),
		Operation:  op.Name,
		Step:       sunya.StepMigrating,
		Revision:   sunya.Revision{Service: service, Project: v.Project, Product: sunya.AppEngine},
		Traffic:    &sunya.Traffic{ShardBy: next.shardBy, Goal: next.shares()},
		Document:   doc,
		CreateTime: now,
	}
	if err := a.setGoal(ctx, service, next.shardBy, next.shares()); err != nil {
		return err
	}
	marked := *v
	marked.Deployment = d.ID
	if err := a.Store.BeginDeploy(ctx, &marked, op, d); err != nil {
		return errors.Join(err, a.setGoal(ctx, service, next.now.ShardBy, next.now.Goal))
	}
	a.Kick()
	return nil
}

func (a *Admin) setGoal(ctx context.Context, service string, by sunya.ShardBy, goal []sunya.Target) error {
	return a.Catalog.Update(ctx, service, func(svc sunya.Service) (serving.Change, error) {
		svc.Traffic.ShardBy, svc.Traffic.Goal = by, goal
		return serving.Change{PutServices: []sunya.Service{svc}}, nil
	})
}
