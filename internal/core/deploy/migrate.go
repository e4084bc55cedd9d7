package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// onMigration changes the traffic while its goal is still that of this
// deployment, or its split already.
func (r *run) onMigration(ctx context.Context, change func(sunya.Traffic) sunya.Traffic) error {
	want, service := r.d.Traffic.Goal, r.d.Revision.Service
	err := r.Catalog.Update(ctx, service, func(svc sunya.Service) (serving.Change, error) {
		now := svc.Traffic
		there := len(now.Goal) == 0 && slices.Equal(sorted(now.Targets), sorted(want))
		if !there && !slices.Equal(now.Goal, want) {
			return serving.Change{}, sunya.Errorf(sunya.Aborted, service, "another split was set while the traffic was migrated: it stays as it was set")
		}
		svc.Traffic = change(now)
		return serving.Change{PutServices: []sunya.Service{svc}}, nil
	})
	if sunya.CodeOf(err) == sunya.NotFound {
		return sunya.Errorf(sunya.Aborted, service, "the service was deleted while its traffic was migrated")
	}
	return err
}

func sorted(targets []sunya.Target) []sunya.Target {
	return slices.SortedFunc(slices.Values(targets), func(a, b sunya.Target) int {
		return strings.Compare(a.Revision, b.Revision)
	})
}

// prepareGoal starts an instance of every revision of the goal. When one does
// not start, the traffic stays as it is.
func (r *run) prepareGoal(ctx context.Context) error {
	for _, t := range r.d.Traffic.Goal {
		rev, ok := r.Catalog.Revision(t.Revision)
		if !ok {
			return sunya.Errorf(sunya.Aborted, t.Revision, "the version was replaced before its traffic was migrated")
		}
		if !rev.HasProgram() {
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
	err := r.onMigration(ctx, func(now sunya.Traffic) sunya.Traffic {
		now.Goal = nil
		return now
	})
	if err != nil && sunya.CodeOf(err) != sunya.Aborted {
		r.log.Error("forget the goal of a migration", "err", err)
	}
}
