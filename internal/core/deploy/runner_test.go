package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// world is every part of a Runner, in memory.
type world struct {
	mu          sync.Mutex
	deployments map[string]sunya.Deployment
	ops         map[string]sunya.Operation
	services    map[string]sunya.Service
	revisions   map[string]sunya.Revision
	events      []string
	failAt      string        // name of the call that fails
	failTimes   int           // so often; 0: always
	failWith    error         // and how
	onEnd       func()        // when a deployment is done or failed
	buildTime   time.Duration // virtual
	building    map[string]int
	sameService bool // two builds of one service were seen at once
}

func newWorld() *world {
	return &world{
		deployments: map[string]sunya.Deployment{},
		ops:         map[string]sunya.Operation{},
		services:    map[string]sunya.Service{},
		revisions:   map[string]sunya.Revision{},
		building:    map[string]int{},
	}
}

func (w *world) did(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, what)
	if what != w.failAt {
		return nil
	}
	if w.failTimes--; w.failTimes == 0 {
		w.failAt = ""
	}
	return w.failWith
}

func (w *world) Pending(context.Context) ([]sunya.Deployment, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []sunya.Deployment
	for _, d := range w.deployments {
		if d.Step != sunya.StepDone && d.Step != sunya.StepFailed {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b sunya.Deployment) int { return a.CreateTime.Compare(b.CreateTime) })
	return out, nil
}

func (w *world) GetDeployment(_ context.Context, id string) (*sunya.Deployment, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.deployments[id]
	if !ok {
		return nil, sunya.Errorf(sunya.NotFound, id, "no such deployment")
	}
	return &d, nil
}

func (w *world) PutDeployment(_ context.Context, d *sunya.Deployment) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deployments[d.ID] = *d
	if w.onEnd != nil && (d.Step == sunya.StepDone || d.Step == sunya.StepFailed) {
		w.onEnd()
	}
	return nil
}

func (w *world) Update(_ context.Context, name string, change func(*sunya.Operation)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	op := w.ops[name]
	change(&op)
	w.ops[name] = op
	return nil
}

func (w *world) Apply(_ context.Context, c serving.Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range c.PutServices {
		w.services[s.Name] = s
	}
	for _, r := range c.PutRevisions {
		w.revisions[r.Name] = r
	}
	for _, n := range c.DeleteRevisions {
		delete(w.revisions, n)
	}
	for _, n := range c.DeleteServices {
		delete(w.services, n)
	}
	return nil
}

// catalog is the world as a Catalog.
type catalog struct{ *world }

func (w catalog) Update(ctx context.Context, service string, f func(sunya.Service) (serving.Change, error)) error {
	svc, ok := w.Service(service)
	if !ok {
		return sunya.Errorf(sunya.NotFound, service, "no service")
	}
	ch, err := f(svc)
	if err != nil {
		return err
	}
	return w.Apply(ctx, ch)
}

func (w *world) Service(name string) (sunya.Service, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.services[name]
	return s, ok
}

func (w *world) Services() []sunya.Service {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.services))
}

func (w *world) Revision(name string) (*sunya.Revision, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.revisions[name]
	return &r, ok
}

func (w *world) Build(ctx context.Context, r build.Request) (*build.Result, error) {
	w.enter(r.Service, 1)
	defer w.enter(r.Service, -1)
	select {
	case <-time.After(w.buildTime):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &build.Result{Command: []string{"serve"}, Warnings: []string{"old python"}}, w.did("build")
}

func (w *world) enter(service string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.building[service] += n
	w.sameService = w.sameService || w.building[service] > 1
}

func (w *world) Materialise(context.Context, sunya.Source, string) error { return w.did("materialise") }
func (w *world) Create(string) (string, error)                           { return "dir", w.did("create") }
func (w *world) Remove(string) error                                     { return w.did("remove") }
func (w *world) Prove(context.Context, *sunya.Revision) error            { return w.did("prove") }
func (w *world) Finish(context.Context, *sunya.Deployment) error         { return w.did("finish") }
func (w *world) Fail(context.Context, *sunya.Deployment, error) error    { return w.did("fail") }

type journal struct{}

func (journal) Write(p []byte) (int, error)         { return len(p), nil }
func (journal) Close() error                        { return nil }
func (journal) Stage(string, string, time.Duration) {}

func (w *world) runner() *Runner {
	return New(Parts{
		Store: w, Operations: w, Catalog: catalog{w}, Builder: w, Images: w, Sources: w, Workspace: w, Prover: w,
		Journal:  func(*sunya.Deployment) Journal { return journal{} },
		Products: map[sunya.Product]Hooks{sunya.AppEngine: w},
		Now:      time.Now,
		Log:      slog.New(slog.DiscardHandler),
	})
}

// add stores a deployment of service/version at a step.
func (w *world) add(id, service string, at sunya.Step) {
	w.deployments[id] = sunya.Deployment{
		ID: id, Operation: "op-" + id, Step: at,
		Revision:   sunya.Revision{Name: service + "/" + id, ID: id, Service: service, Product: sunya.AppEngine},
		Traffic:    &sunya.Traffic{Targets: []sunya.Target{{Revision: service + "/" + id, Permille: 1000}}},
		CreateTime: time.Now(),
	}
}

// runUntilIdle runs the Runner for an hour of virtual time.
func (w *world) runUntilIdle(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	r := w.runner()
	go func() { done <- r.Run(ctx) }()
	time.Sleep(time.Hour)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v, want context.Canceled", err)
	}
}

func TestDeploymentReachesDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add("v1", "s", sunya.StepBuilding)
		w.runUntilIdle(t)
		if got := w.deployments["v1"].Step; got != sunya.StepDone {
			t.Errorf("step = %s, want done", got)
		}
		op := w.ops["op-v1"]
		if !op.Done || op.Error != nil || len(op.Warnings) != 1 {
			t.Errorf("operation = %+v, want done with the builder's warning", op)
		}
		if got := w.services["s"].Traffic.Targets; len(got) != 1 || got[0].Revision != "s/v1" {
			t.Errorf("traffic = %v, want all to s/v1", got)
		}
		if got := w.revisions["s/v1"].Command; !slices.Equal(got, []string{"serve"}) {
			t.Errorf("command = %v, want the builder's", got)
		}
	})
}

func TestRestartContinuesAtTheRecordedStep(t *testing.T) {
	for step, want := range map[sunya.Step][]string{
		sunya.StepBuilding: {"create", "materialise", "build", "remove", "prove", "finish"},
		sunya.StepStarting: {"prove", "finish"},
		sunya.StepRouting:  {"finish"},
	} {
		t.Run(string(step), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.services["s"] = sunya.Service{Name: "s"}
				w.add("v1", "s", step)
				w.runUntilIdle(t)
				if !slices.Equal(w.events, want) {
					t.Errorf("events = %v, want %v", w.events, want)
				}
			})
		})
	}
}

func TestFailureLeavesTheOldRevisionAndSaysWhy(t *testing.T) {
	for _, at := range []string{"create", "materialise", "build", "prove"} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.services["s"] = sunya.Service{Name: "s", Traffic: sunya.Traffic{Targets: []sunya.Target{{Revision: "s/old", Permille: 1000}}}}
				w.revisions["s/old"] = sunya.Revision{Name: "s/old"}
				w.failAt = at
				w.failWith = fmt.Errorf("deep: %w", &sunya.Error{Code: sunya.FailedPrecondition, Reason: "WHY", Message: "because"})
				w.add("v1", "s", sunya.StepBuilding)
				w.runUntilIdle(t)
				op := w.ops["op-v1"]
				if op.Error == nil || op.Error.Reason != "WHY" || op.Error.Code != sunya.FailedPrecondition {
					t.Errorf("operation error = %+v", op.Error)
				}
				if got := w.services["s"].Traffic.Targets; len(got) != 1 || got[0].Revision != "s/old" {
					t.Errorf("traffic = %v, want all to s/old", got)
				}
				if _, ok := w.revisions["s/v1"]; ok {
					t.Error("the failed revision is still there")
				}
				if w.deployments["v1"].Step != sunya.StepFailed {
					t.Errorf("step = %s, want failed", w.deployments["v1"].Step)
				}
			})
		})
	}
}

// What cannot be recorded is no fault of the deployment, and it is not tried
// without a pause.
func TestWhatCannotBeRecordedIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		rule   string
		set    func(w *world)
		events []string
		step   sunya.Step
	}{
		{"the end", func(w *world) { w.failAt = "finish" }, []string{"finish", "finish", "finish"}, sunya.StepDone},
		{"a failure", func(w *world) {
			w.failAt = "fail"
			w.services = map[string]sunya.Service{} // so that there is nothing to route to
		}, []string{"fail", "fail", "fail"}, sunya.StepFailed},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.services["s"] = sunya.Service{Name: "s"}
				w.add("v1", "s", sunya.StepRouting)
				w.failTimes, w.failWith = 2, errors.New("disk full")
				c.set(w)
				begin := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				w.onEnd = func() { cancel() }
				_ = w.runner().Run(ctx)
				if took := time.Since(begin); took != 2*rescan {
					t.Errorf("two more attempts in %v, want one every %v", took, rescan)
				}
				if got := w.deployments["v1"].Step; got != c.step || !slices.Equal(w.events, c.events) {
					t.Errorf("step %s after %v, want %s after %v", got, w.events, c.step, c.events)
				}
				if op := w.ops["op-v1"]; !op.Done || (op.Error != nil) != (c.step == sunya.StepFailed) {
					t.Errorf("operation = %+v", op)
				}
			})
		})
	}
}

func TestFirstDeploymentThatFailsLeavesNoService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.failAt, w.failWith = "prove", errors.New("boom")
		w.add("v1", "s", sunya.StepBuilding)
		w.runUntilIdle(t)
		if len(w.services) != 0 || len(w.revisions) != 0 {
			t.Errorf("left behind: %v %v", w.services, w.revisions)
		}
		if got := w.ops["op-v1"].Error; got == nil || got.Code != sunya.Internal {
			t.Errorf("operation error = %+v, want Internal", got)
		}
	})
}

func TestDeploymentsOfOneServiceKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.buildTime = time.Second
		for i := range 5 {
			w.add(fmt.Sprintf("v%d", i), "s", sunya.StepBuilding)
			w.add(fmt.Sprintf("w%d", i), "other", sunya.StepBuilding)
			time.Sleep(time.Millisecond)
		}
		w.runUntilIdle(t)
		if w.sameService {
			t.Error("two deployments of one service ran at once")
		}
		for id, d := range w.deployments {
			if d.Step != sunya.StepDone {
				t.Errorf("%s: step = %s, want done", id, d.Step)
			}
		}
	})
}

func TestReplacedRevisionKeepsItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.services["s"] = sunya.Service{Name: "s", Traffic: sunya.Traffic{Targets: []sunya.Target{
			{Revision: "s/a", Permille: 300}, {Revision: "s/b", Permille: 700},
		}}}
		w.revisions["s/a"], w.revisions["s/b"] = sunya.Revision{Name: "s/a"}, sunya.Revision{Name: "s/b"}
		w.add("a2", "s", sunya.StepBuilding)
		d := w.deployments["a2"]
		d.Replaces = "s/a"
		w.deployments["a2"] = d
		w.runUntilIdle(t)
		want := []sunya.Target{{Revision: "s/a2", Permille: 300}, {Revision: "s/b", Permille: 700}}
		if got := w.services["s"].Traffic.Targets; !slices.Equal(got, want) {
			t.Errorf("targets = %v, want %v", got, want)
		}
		if _, ok := w.revisions["s/a"]; ok {
			t.Error("the replaced revision is still there")
		}
	})
}

func TestShutdownLeavesTheDeploymentPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.buildTime = 2 * time.Hour
		w.add("v1", "s", sunya.StepBuilding)
		w.runUntilIdle(t)
		if got := w.deployments["v1"].Step; got != sunya.StepBuilding {
			t.Errorf("step = %s, want building", got)
		}
		if w.ops["op-v1"].Done {
			t.Error("the operation ended with the server")
		}
	})
}
