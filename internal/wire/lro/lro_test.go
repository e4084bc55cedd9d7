package lro_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine/appenginetest"
	"github.com/sunya-cloud/sunya/internal/wire/lro"
)

// waits is a store that remembers how long it was asked to wait.
type waits struct {
	*appenginetest.World
	timeout time.Duration
}

func (w *waits) Wait(ctx context.Context, name string, timeout time.Duration) (*sunya.Operation, error) {
	w.timeout = timeout
	return w.World.Wait(ctx, name, timeout)
}

func newServer(t *testing.T, ops ...sunya.Operation) (*lro.Server, *waits) {
	t.Helper()
	w := &waits{World: appenginetest.New()}
	for i := range ops {
		if err := w.Put(t.Context(), &ops[i]); err != nil {
			t.Fatal(err)
		}
	}
	return lro.New(w, lro.API{
		Pattern:  "apps/*/operations/*",
		Metadata: func(op *sunya.Operation) proto.Message { return wrapperspb.String(op.Stage) },
		Response: func(_ context.Context, op *sunya.Operation) (proto.Message, error) {
			if op.Target == "" {
				return nil, nil
			}
			return wrapperspb.String(op.Target), nil
		},
	}), w
}

func TestGetOperation(t *testing.T) {
	s, _ := newServer(t,
		sunya.Operation{Name: "apps/p/operations/running", Stage: "Building"},
		sunya.Operation{Name: "apps/p/operations/done", Done: true, Target: "x"},
		sunya.Operation{Name: "apps/p/operations/empty", Done: true},
		sunya.Operation{Name: "apps/p/operations/failed", Done: true, Error: &sunya.OperationError{
			Code: sunya.FailedPrecondition, Message: "no such package", Reason: sunya.ReasonBuildFailed, Logs: []string{"a", "b"},
		}},
	)
	get := func(id string) *longrunningpb.Operation {
		t.Helper()
		op, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "apps/p/operations/" + id})
		if err != nil {
			t.Fatal(err)
		}
		return op
	}
	if op := get("running"); op.GetDone() || op.GetResult() != nil {
		t.Errorf("running = %v", op)
	}
	var stage wrapperspb.StringValue
	if err := get("running").GetMetadata().UnmarshalTo(&stage); err != nil || stage.GetValue() != "Building" {
		t.Errorf("metadata = %v, %v", &stage, err)
	}
	var target wrapperspb.StringValue
	if err := get("done").GetResponse().UnmarshalTo(&target); err != nil || target.GetValue() != "x" {
		t.Errorf("response = %v, %v", &target, err)
	}
	if err := get("empty").GetResponse().UnmarshalTo(&emptypb.Empty{}); err != nil {
		t.Error(err)
	}
	st := get("failed").GetError()
	var info errdetails.ErrorInfo
	var debug errdetails.DebugInfo
	if st.GetCode() != 9 || st.GetDetails()[0].UnmarshalTo(&info) != nil || info.GetReason() != "BUILD_FAILED" ||
		st.GetDetails()[1].UnmarshalTo(&debug) != nil || len(debug.GetStackEntries()) != 2 {
		t.Errorf("error = %v", st)
	}
}

func TestOperationNames(t *testing.T) {
	s, _ := newServer(t)
	for name, want := range map[string]sunya.Code{
		"apps/p/operations/nope":                sunya.NotFound,
		"operations/nope":                       sunya.InvalidArgument,
		"apps/p/operations/a/b":                 sunya.InvalidArgument,
		"projects/p/locations/l/operations/nop": sunya.InvalidArgument,
		"":                                      sunya.InvalidArgument,
		"apps/[/operations/x":                   sunya.NotFound,
	} {
		_, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: name})
		if sunya.CodeOf(err) != want {
			t.Errorf("Get(%q): %v, want %d", name, err, want)
		}
	}
}

func TestListOperationsPages(t *testing.T) {
	var ops []sunya.Operation
	for i := range 5 {
		ops = append(ops, sunya.Operation{Name: fmt.Sprintf("apps/p/operations/%d", i)})
	}
	s, _ := newServer(t, append(ops, sunya.Operation{Name: "apps/pp/operations/other"})...)
	req := &longrunningpb.ListOperationsRequest{Name: "apps/p", PageSize: 2}
	seen := map[string]bool{}
	for pages := 0; pages < 5; pages++ {
		resp, err := s.ListOperations(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range resp.GetOperations() {
			seen[op.GetName()] = true
		}
		req.PageToken = resp.GetNextPageToken()
		if req.PageToken == "" {
			break
		}
	}
	if len(seen) != 5 || seen["apps/pp/operations/other"] {
		t.Errorf("seen = %v", seen)
	}
	for _, bad := range []*longrunningpb.ListOperationsRequest{
		{Name: "apps/p", PageSize: -1}, {Name: "apps/p", PageToken: "x"}, {Name: "apps"},
	} {
		if _, err := s.ListOperations(t.Context(), bad); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("List(%v): %v", bad, err)
		}
	}
	if _, err := s.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Name: "apps/p", Filter: "done:true"}); sunya.CodeOf(err) != sunya.Unimplemented {
		t.Errorf("filter: %v", err)
	}
}

func TestWaitOperationIsBounded(t *testing.T) {
	name := "apps/p/operations/x"
	for _, c := range []struct {
		name  string
		asked *durationpb.Duration
		want  time.Duration
	}{
		{"nothing asked", nil, 10 * time.Minute},
		{"short", durationpb.New(time.Second), time.Second},
		{"too long", durationpb.New(time.Hour), 10 * time.Minute},
		{"not at all", durationpb.New(0), 0},
		{"negative", durationpb.New(-time.Second), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, w := newServer(t, sunya.Operation{Name: name})
			op, err := s.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: name, Timeout: c.asked})
			if err != nil || op.GetName() != name || w.timeout != c.want {
				t.Errorf("op %v, err %v, waited %v, want %v", op, err, w.timeout, c.want)
			}
		})
	}
}

func TestCancelAndDeleteSayWhatIsMissing(t *testing.T) {
	s, _ := newServer(t)
	_, err := s.CancelOperation(t.Context(), &longrunningpb.CancelOperationRequest{Name: "apps/p/operations/x"})
	_, err2 := s.DeleteOperation(t.Context(), &longrunningpb.DeleteOperationRequest{Name: "apps/p/operations/x"})
	if sunya.CodeOf(err) != sunya.Unimplemented || sunya.CodeOf(err2) != sunya.Unimplemented {
		t.Errorf("%v, %v", err, err2)
	}
}
