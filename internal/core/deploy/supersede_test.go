package deploy

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
)

// end is where a deployment and its operation are.
func (w *world) end(id string) (sunya.Step, sunya.Operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deployments[id].Step, w.ops["op-"+id]
}

func TestSupersededDeploymentsEnd(t *testing.T) {
	for _, tt := range []struct {
		what   string
		before time.Duration // that it has run
		id     string
		step   sunya.Step
		end    time.Duration // how long until it has ended, at most
	}{
		{"while it is built", time.Second, "v1", sunya.StepFailed, time.Second},
		{"while it waits for a slot", time.Second, "v3", sunya.StepFailed, time.Second},
		{"after its end", 2 * time.Minute, "v1", sunya.StepDone, time.Second},
		{"when there is none", time.Second, "v9", "", time.Second},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.buildTime = time.Minute
				for i, id := range []string{"v1", "v2", "v3"} { // one more than there are slots
					w.add(id, "s"+id, sunya.StepBuilding)
					time.Sleep(time.Duration(i+1) * time.Millisecond)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := w.runner()
				ran := make(chan error)
				go func() { ran <- r.Run(ctx) }()
				time.Sleep(tt.before)
				begin := time.Now()
				if err := r.Supersede(t.Context(), tt.id); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took > tt.end {
					t.Errorf("it took %v", took)
				}
				got, op := w.end(tt.id)
				if got != tt.step {
					t.Errorf("the deployment is %s, want %s", got, tt.step)
				}
				if tt.step == sunya.StepFailed && (!op.Done || op.Error == nil || op.Error.Code != sunya.Aborted) {
					t.Errorf("operation = %+v", op)
				}
				time.Sleep(time.Hour)
				if got, _ := w.end("v2"); got != sunya.StepDone {
					t.Errorf("another deployment is %s", got)
				}
				if len(r.flights.cancel)+len(r.flights.unwant)+len(r.busy) > 0 {
					t.Errorf("something is left: %+v", r.flights)
				}
				cancel()
				<-ran
			})
		})
	}
}

// Once traffic has begun to move there is no way back.
func TestARoutingDeploymentIsNotSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.add("v1", "s", sunya.StepRouting)
		w.services["s"] = sunya.Service{Name: "s"}
		w.revisions["s/v1"] = sunya.Revision{Name: "s/v1", Service: "s"}
		r := w.runner()
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		r.unwanted("v1")
		go func() { ran <- r.Run(ctx) }()
		if err := r.Supersede(t.Context(), "v1"); err != nil {
			t.Fatal(err)
		}
		if got, _ := w.end("v1"); got != sunya.StepDone || !slices.Contains(w.events, "finish") {
			t.Errorf("the deployment is %s, after %v", got, w.events)
		}
		cancel()
		<-ran
	})
}
