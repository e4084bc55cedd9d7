package serving_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// TestUpdatesOfOneServiceLoseNothing: what two change at once is changed one
// after the other.
func TestUpdatesOfOneServiceLoseNothing(t *testing.T) {
	c := newCatalog(t, &instancetest.Store{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				err := c.Update(t.Context(), service, func(now sunya.Service) (serving.Change, error) {
					share := 0
					for _, target := range now.Traffic.Targets {
						if strings.HasSuffix(target.Revision, "/v2") {
							share = target.Permille
						}
					}
					now.Traffic = serving.Divide(now.Traffic, []sunya.Target{target("v1", 999-share), target("v2", share+1)})
					return serving.Change{PutServices: []sunya.Service{now}}, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	now, _ := c.Service(service)
	if want := []sunya.Target{target("v1", 200), target("v2", 800)}; !slices.Equal(now.Traffic.Targets, want) {
		t.Errorf("targets = %v, want %v", now.Traffic.Targets, want)
	}
}

func TestUpdateThatFailsChangesNothing(t *testing.T) {
	c := newCatalog(t, &instancetest.Store{})
	boom := errors.New("boom")
	before, _ := c.Service(service)
	err := c.Update(t.Context(), service, func(sunya.Service) (serving.Change, error) { return serving.Change{}, boom })
	if after, _ := c.Service(service); !errors.Is(err, boom) || after.Generation != before.Generation {
		t.Errorf("err = %v, generation %d", err, after.Generation)
	}
	err = c.Update(t.Context(), "nobody", func(sunya.Service) (serving.Change, error) { return serving.Change{}, nil })
	if sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("an unknown service: %v, want NotFound", err)
	}
}

// TestStoppedRevisionsAreNotReached: they keep hosts and shares, their
// instances end, and they come back as they were.
func TestStoppedRevisionsAreNotReached(t *testing.T) {
	c := newCatalog(t, &instancetest.Store{})
	var seen []string
	c.Watch(func(rev *sunya.Revision, how serving.Reach) {
		seen = append(seen, rev.ID+" "+[]string{"unreachable", "by host", "by traffic"}[how])
	})
	stopped := func(names ...string) {
		t.Helper()
		err := c.Update(t.Context(), service, func(now sunya.Service) (serving.Change, error) {
			now.Traffic.Stopped = names
			return serving.Change{PutServices: []sunya.Service{now}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stopped(service+"/v1", service+"/v2")
	slices.Sort(seen)
	if want := []string{"demo-v1 unreachable", "demo-v2 unreachable"}; !slices.Equal(seen, want) {
		t.Errorf("told %v, want %v", seen, want)
	}
	r, ok := c.Table().Lookup("demo")
	if !ok || !r.Stopped(r.Shares[0].Revision) {
		t.Errorf("route = %+v, %v", r, ok)
	}
	seen = nil
	stopped(service + "/v2")
	if want := []string{"demo-v1 by traffic"}; !slices.Equal(seen, want) {
		t.Errorf("told %v, want %v", seen, want)
	}
}

func TestGoalIsKept(t *testing.T) {
	c := newCatalog(t, &instancetest.Store{})
	set := func(goal ...sunya.Target) error {
		return c.Update(t.Context(), service, func(now sunya.Service) (serving.Change, error) {
			now.Traffic.Goal = goal
			return serving.Change{PutServices: []sunya.Service{now}}, nil
		})
	}
	if err := set(target("v2", 900)); sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Errorf("a goal of 900‰: %v, want InvalidArgument", err)
	}
	if err := set(target("v9", 1000)); sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Errorf("a goal that is no revision: %v, want InvalidArgument", err)
	}
	if err := set(target("v2", 1000)); err != nil {
		t.Fatal(err)
	}
	err := c.Apply(t.Context(), serving.Change{DeleteRevisions: []string{service + "/v2"}})
	if sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("delete the goal: %v, want FailedPrecondition", err)
	}
}
