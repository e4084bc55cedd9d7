package deploy

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
)

// migration is a world in which the traffic of s is on its way from s/old to
// s/new.
func migration() *world {
	w := newWorld()
	goal := []sunya.Target{{Revision: "s/new", Permille: 1000}}
	w.services["s"] = sunya.Service{Name: "s", Traffic: sunya.Traffic{
		ShardBy: sunya.ShardByIP, Targets: []sunya.Target{{Revision: "s/old", Permille: 1000}}, Goal: goal, GoalOf: "m",
	}}
	w.revisions["s/old"], w.revisions["s/new"] = sunya.Revision{Name: "s/old"}, sunya.Revision{Name: "s/new"}
	w.deployments["m"] = sunya.Deployment{
		ID: "m", Operation: "op-m", Step: sunya.StepMigrating, CreateTime: time.Now(),
		Revision: sunya.Revision{Service: "s", Product: sunya.AppEngine},
	}
	return w
}

func (w *world) share(revision string) int {
	svc, _ := w.Service("s")
	for _, t := range svc.Traffic.Targets {
		if t.Revision == revision {
			return t.Permille
		}
	}
	return 0
}

func TestTrafficMigratesByAndBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := migration()
		go w.watch(t)
		w.runUntilIdle(t)
		if got := w.share("s/new"); got != 1000 {
			t.Errorf("s/new has %d‰, want all", got)
		}
		if op := w.ops["op-m"]; !op.Done || op.Error != nil {
			t.Errorf("operation = %+v", op)
		}
		if !slices.Equal(w.events, []string{"prove", "finish"}) {
			t.Errorf("events = %v, want a proof before the first request", w.events)
		}
		if _, ok := w.Revision("s/old"); !ok {
			t.Error("the old revision is gone")
		}
	})
}

// watch looks at the split every second, in the middle of a step.
func (w *world) watch(t *testing.T) {
	time.Sleep(500 * time.Millisecond)
	for n := 1; n <= 10; n++ {
		if got := w.share("s/new"); got != n*100 {
			t.Errorf("after %d steps s/new has %d‰", n, got)
		}
		time.Sleep(time.Second)
	}
}

func TestKilledServerContinuesTheMigration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := migration()
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		_ = w.runner().Run(ctx)
		if got := w.share("s/new"); got != 400 {
			t.Fatalf("s/new has %d‰ when the server ends, want 400", got)
		}
		if w.ops["op-m"].Done {
			t.Fatal("the operation ended with the server")
		}
		w.runUntilIdle(t)
		if op := w.ops["op-m"]; w.share("s/new") != 1000 || !op.Done || op.Error != nil {
			t.Errorf("s/new has %d‰, operation %+v", w.share("s/new"), op)
		}
	})
}

// What was left to do when the server died was to say so.
func TestMigrationThatHadArrivedIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := migration()
		w.services["s"] = sunya.Service{Name: "s", Traffic: sunya.Traffic{Targets: []sunya.Target{{Revision: "s/new", Permille: 1000}}, GoalOf: "m"}}
		w.runUntilIdle(t)
		if op := w.ops["op-m"]; !op.Done || op.Error != nil {
			t.Errorf("operation = %+v", op)
		}
	})
}

func TestMigrationThatCannotGoOn(t *testing.T) {
	for _, tt := range []struct {
		rule string
		set  func(w *world)
		code sunya.Code
		want int // thousandths of s/new in the end
	}{
		{"another split is set", func(w *world) {
			svc := w.services["s"]
			svc.Traffic = sunya.Traffic{Targets: []sunya.Target{{Revision: "s/old", Permille: 700}, {Revision: "s/new", Permille: 300}}}
			w.services["s"] = svc
		}, sunya.Aborted, 300},
		{"the service is deleted", func(w *world) { delete(w.services, "s") }, sunya.Aborted, 0},
		{"the version does not start", func(w *world) {
			w.failAt, w.failWith = "prove", &sunya.Error{Code: sunya.Unavailable, Reason: sunya.ReasonRevisionNotReady, Message: "no"}
		}, sunya.Unavailable, 0},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := migration()
				tt.set(w)
				w.runUntilIdle(t)
				op := w.ops["op-m"]
				if !op.Done || op.Error == nil || op.Error.Code != tt.code {
					t.Errorf("operation = %+v, error %+v, want code %d", op, op.Error, tt.code)
				}
				if got := w.share("s/new"); got != tt.want {
					t.Errorf("s/new has %d‰, want %d", got, tt.want)
				}
				if !slices.Contains(w.events, "fail") {
					t.Error("the product was not told")
				}
				if tt.code == sunya.Unavailable && len(w.services["s"].Traffic.Goal) > 0 {
					t.Error("the goal is still there")
				}
			})
		})
	}
}

// Versions of the split that were deployed again take the place of what they
// replace: the traffic still gets where it was to go.
func TestMigrationGoesOnWithWhatReplacesARevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := migration()
		svc := w.services["s"]
		svc.Traffic = svc.Traffic.Replace("s/new", "s/newer")
		w.services["s"], w.revisions["s/newer"] = svc, sunya.Revision{Name: "s/newer"}
		delete(w.revisions, "s/new")
		w.runUntilIdle(t)
		if op := w.ops["op-m"]; !op.Done || op.Error != nil {
			t.Errorf("operation = %+v, error %+v", op, op.Error)
		}
		if got := w.share("s/newer"); got != 1000 || len(w.services["s"].Traffic.Goal) > 0 {
			t.Errorf("s/newer has %d‰ of %+v, want all", got, w.services["s"].Traffic)
		}
	})
}

// A server can die after it has stored the goal and before it has stored the
// deployment.
func TestRecoverForgetsGoalsThatNobodyWorksFor(t *testing.T) {
	w := migration()
	if err := w.runner().Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.services["s"].Traffic; len(got.Goal) == 0 || got.GoalOf != "m" {
		t.Errorf("traffic = %+v: the goal of a pending migration is gone", got)
	}
	delete(w.deployments, "m")
	if err := w.runner().Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.services["s"].Traffic; len(got.Goal) > 0 || got.GoalOf != "" || got.ShardBy != sunya.ShardByIP {
		t.Errorf("traffic = %+v: the goal is still there, or more than it is gone", got)
	}
}

func TestSplitSetDuringAMigrationWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := migration()
		time.AfterFunc(3500*time.Millisecond, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			svc := w.services["s"]
			svc.Traffic = sunya.Traffic{Targets: []sunya.Target{{Revision: "s/old", Permille: 1000}}}
			w.services["s"] = svc
		})
		w.runUntilIdle(t)
		if op := w.ops["op-m"]; op.Error == nil || op.Error.Code != sunya.Aborted {
			t.Errorf("operation error = %+v, want Aborted", op.Error)
		}
		if got := w.share("s/old"); got != 1000 {
			t.Errorf("s/old has %d‰, want all, as it was set", got)
		}
	})
}
