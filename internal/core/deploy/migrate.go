package deploy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// How traffic migrates: a tenth of it a second, so that the instances of the
// receiving revision grow with it.
const (
	migrateShare = 100 // thousandths
	migratePause = time.Second
)

// migrate moves the traffic of a service to its goal by and by. What has moved
// is recorded in the split itself: a restarted server goes on from there. The
// receiving revisions have an instance before the first request.
func (r *run) migrate(ctx context.Context) error {
	if err := r.prepareGoal(ctx); err != nil {
		return err
	}
	for {
		arrived := false
		err := r.onMigration(ctx, func(now sunya.Traffic) sunya.Traffic {
			now = serving.Toward(now, migrateShare)
			arrived = len(now.Goal) == 0
			return now
		})
		if err != nil || arrived {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(migratePause):
		}
	}
}

// onMigration changes the traffic while it is on its way for this deployment.
func (r *run) onMigration(ctx context.Context, change func(sunya.Traffic) sunya.Traffic) error {
	service := r.d.Revision.Service
	err := r.Catalog.Update(ctx, service, func(svc sunya.Service) (serving.Change, error) {
		if svc.Traffic.GoalOf != r.d.ID {
			return serving.Change{}, sunya.Errorf(sunya.Aborted, service, "another split was set while the traffic was migrated: it stays as it was set")
		}
		svc.Traffic = change(svc.Traffic)
		return serving.Change{PutServices: []sunya.Service{svc}}, nil
	})
	if sunya.CodeOf(err) == sunya.NotFound {
		return sunya.Errorf(sunya.Aborted, service, "the service was deleted while its traffic was migrated")
	}
	return err
}

// prepareGoal starts an instance of every revision of the goal. When one does
// not start, the traffic stays as it is.
func (r *run) prepareGoal(ctx context.Context) error {
	svc, _ := r.Catalog.Service(r.d.Revision.Service)
	if svc.Traffic.GoalOf != r.d.ID {
		return nil // the first change will say it
	}
	for _, t := range svc.Traffic.Goal {
		rev, ok := r.Catalog.Revision(t.Revision)
		if !ok || !rev.HasProgram() {
			continue
		}
		err := r.Prover.Prove(ctx, rev)
		if err == nil {
			continue
		}
		if ctx.Err() == nil {
			r.dropGoal(ctx)
		}
		return fmt.Errorf("start %s: %w", rev.Name, err)
	}
	return nil
}

func (r *run) dropGoal(ctx context.Context) {
	err := r.onMigration(ctx, withoutGoal)
	if err != nil && sunya.CodeOf(err) != sunya.Aborted {
		r.log.Error("forget the goal of a migration", "err", err)
	}
}

func withoutGoal(t sunya.Traffic) sunya.Traffic {
	t.Goal, t.GoalOf = nil, ""
	return t
}

// Recover forgets the goals of services that no deployment works for: a server
// that died between storing the one and the other leaves such a goal, and the
// versions that it names could not be deleted. It must be called before new
// migrations can begin.
func (r *Runner) Recover(ctx context.Context) error {
	pending, err := r.Store.Pending(ctx)
	if err != nil {
		return fmt.Errorf("read pending deployments: %w", err)
	}
	for _, svc := range r.Catalog.Services() {
		alive := slices.ContainsFunc(pending, func(d sunya.Deployment) bool { return d.ID == svc.Traffic.GoalOf })
		if len(svc.Traffic.Goal) == 0 || alive {
			continue
		}
		svc.Traffic = withoutGoal(svc.Traffic)
		if err := r.Catalog.Apply(ctx, serving.Change{PutServices: []sunya.Service{svc}}); err != nil {
			return fmt.Errorf("forget the goal of %s: %w", svc.Name, err)
		}
	}
	return nil
}
