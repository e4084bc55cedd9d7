package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/deploy"
	"github.com/sunya-cloud/sunya/internal/core/operations"
)

// Operations is the contract of operations.Store.
func Operations(t *testing.T, open func(testing.TB) operations.Store) {
	for _, tt := range []struct {
		rule string
		test func(*testing.T, operations.Store)
	}{
		{"PutThenGet", operationRoundTrip},
		{"ListsNewestFirst", operationList},
		{"UpdatesAreAtomic", operationUpdates},
	} {
		t.Run(tt.rule, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func operationRoundTrip(t *testing.T, s operations.Store) {
	_, err := s.GetOperation(t.Context(), "none")
	wantCode(t, err, sunya.NotFound)
	op := sunya.Operation{Name: "apps/p/operations/1", Method: "m", Target: "t", User: "u", Stage: "Building",
		Warnings: []string{"w"}, BuildID: "b", CreateTime: at(1)}
	must(t, s.PutOperation(t.Context(), &op))
	got, err := s.GetOperation(t.Context(), op.Name)
	must(t, err)
	wantSame(t, got, &op)
	if got.Response != nil {
		t.Errorf("response %q of nothing", got.Response)
	}
	op.Done, op.EndTime, op.Response = true, at(2), json.RawMessage(`{"a":1}`)
	op.Error = &sunya.OperationError{Code: sunya.FailedPrecondition, Message: "m", Reason: sunya.ReasonBuildFailed, Logs: []string{"l"}}
	must(t, s.PutOperation(t.Context(), &op))
	got, err = s.GetOperation(t.Context(), op.Name)
	must(t, err)
	wantSame(t, got, &op)
}

func operationList(t *testing.T, s operations.Store) {
	for i, n := range []string{"a/1", "b/1", "a/2", "a/3", "a/30"} {
		must(t, s.PutOperation(t.Context(), &sunya.Operation{Name: n, CreateTime: at(i / 2)})) // some at the same time
	}
	var got []string
	for after := ""; ; {
		page, err := s.ListOperations(t.Context(), "a/", after, 2)
		must(t, err)
		for _, op := range page {
			got = append(got, op.Name)
		}
		if len(page) < 2 {
			break
		}
		after = page[1].Name
	}
	wantSame(t, got, []string{"a/30", "a/3", "a/2", "a/1"})
	_, err := s.ListOperations(t.Context(), "a/", "a/none", 2)
	wantCode(t, err, sunya.NotFound)
}

func operationUpdates(t *testing.T, s operations.Store) {
	wantCode(t, s.UpdateOperation(t.Context(), "none", func(*sunya.Operation) {}), sunya.NotFound)
	must(t, s.PutOperation(t.Context(), &sunya.Operation{Name: "op"}))
	const n = 50
	errs := together(t.Context(), n, func(ctx context.Context, i int) error {
		return s.UpdateOperation(ctx, "op", func(op *sunya.Operation) { op.Warnings = append(op.Warnings, name("w%d", i)) })
	})
	must(t, errors.Join(errs...))
	op, err := s.GetOperation(t.Context(), "op")
	must(t, err)
	if len(op.Warnings) != n {
		t.Errorf("%d of %d updates are left", len(op.Warnings), n)
	}
}

// Deployments is the contract of deploy.Store.
func Deployments(t *testing.T, open func(testing.TB) deploy.Store) {
	t.Run("PutThenGet", func(t *testing.T) { deploymentRoundTrip(t, open(t)) })
	t.Run("PendingOldestFirst", func(t *testing.T) { deploymentPending(t, open(t)) })
}

func deployment(id string, n int) sunya.Deployment {
	traffic := split("r")
	return sunya.Deployment{ID: id, Operation: "op", Step: sunya.StepBuilding,
		Source:   sunya.Source{Files: []sunya.SourceFile{{Path: "main.py", Bucket: "b", Object: "o", SHA1: "00", Mode: 0o755}}},
		Build:    sunya.BuildSpec{Runtime: "python311", Env: map[string]string{"A": "b"}, Timeout: 5},
		Revision: revision(service("a"), id), Traffic: &traffic, Replaces: "old",
		Hosts: []sunya.Host{{Label: "a", Service: "s"}}, Document: json.RawMessage(`{"x":[1]}`), CreateTime: at(n)}
}

func deploymentRoundTrip(t *testing.T, s deploy.Store) {
	_, err := s.GetDeployment(t.Context(), "none")
	wantCode(t, err, sunya.NotFound)
	d := deployment("d", 1)
	must(t, s.PutDeployment(t.Context(), &d))
	got, err := s.GetDeployment(t.Context(), "d")
	must(t, err)
	wantSame(t, got, &d)
	bare := sunya.Deployment{ID: "bare", Step: sunya.StepBuilding}
	must(t, s.PutDeployment(t.Context(), &bare))
	got, err = s.GetDeployment(t.Context(), "bare")
	must(t, err)
	if got.Document != nil || got.Traffic != nil {
		t.Errorf("nothing became document %q and traffic %v", got.Document, got.Traffic)
	}
}

func deploymentPending(t *testing.T, s deploy.Store) {
	for i, step := range []sunya.Step{sunya.StepRouting, sunya.StepDone, sunya.StepBuilding, sunya.StepFailed, sunya.StepStarting} {
		d := deployment(name("d%d", i), 10-i)
		d.Step = step
		must(t, s.PutDeployment(t.Context(), &d))
	}
	ended := deployment("d2", 8)
	ended.Step = sunya.StepDone
	must(t, s.PutDeployment(t.Context(), &ended))
	pending, err := s.Pending(t.Context())
	must(t, err)
	var got []string
	for _, d := range pending {
		got = append(got, d.ID)
	}
	wantSame(t, got, []string{"d4", "d0"})
}
