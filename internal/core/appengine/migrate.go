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
		// The shares are those of now: what is left to do takes no time.
		if err := a.setSplit(ctx, next, ServiceName(project, id)); err != nil {
			return nil, err
		}
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

// beginMigration stores the goal first: a deployment that is not the one of the
// service's goal any more has been overtaken. A server that dies before it has
// stored the deployment forgets the goal at the next start (deploy.Recover).
// The version that gains is marked, so that nobody deploys or changes it
// meanwhile.
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
		Document:   doc,
		CreateTime: now,
	}
	if err := a.setGoal(ctx, service, sunya.Traffic{ShardBy: next.shardBy, Goal: next.shares(), GoalOf: d.ID}); err != nil {
		return err
	}
	marked := *v
	marked.Deployment = d.ID
	if err := a.Store.BeginDeploy(ctx, &marked, op, d); err != nil {
		return errors.Join(err, a.setGoal(context.WithoutCancel(ctx), service, sunya.Traffic{ShardBy: next.now.ShardBy}))
	}
	a.Kick()
	return nil
}

// setGoal takes over how the traffic of want is sharded, and where it is to go.
func (a *Admin) setGoal(ctx context.Context, service string, want sunya.Traffic) error {
	return a.Catalog.Update(ctx, service, func(svc sunya.Service) (serving.Change, error) {
		svc.Traffic.ShardBy, svc.Traffic.Goal, svc.Traffic.GoalOf = want.ShardBy, want.Goal, want.GoalOf
		return serving.Change{PutServices: []sunya.Service{svc}}, nil
	})
}
