package cli

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya"
)

const (
	pollFirst = 50 * time.Millisecond
	pollMax   = 250 * time.Millisecond
	// patience is how long a server may be away, restarting, before waiting
	// for its work ends.
	patience = 30 * time.Second
)

// operationFailed is long work that ended badly, with what its server says.
type operationFailed struct {
	code    sunya.Code
	message string
	reason  string
	logs    []string
}

func (e *operationFailed) Error() string { return e.message }

// Unwrap gives the error its code.
func (e *operationFailed) Unwrap() error {
	return &sunya.Error{Code: e.code, Reason: e.reason, Message: e.message}
}

// wait polls long work until it ends. progress, when not nil, sees each state.
func (a *admin) wait(ctx context.Context, name string, progress func(*appenginepb.OperationMetadataV1)) (*longrunningpb.Operation, error) {
	return waitFor(ctx, name, a.operation, func(op *longrunningpb.Operation) {
		if progress != nil {
			progress(metadataOf(op))
		}
	})
}

// waitFor asks for long work until it ends; seen gets each state.
func waitFor(ctx context.Context, name string, ask func(context.Context, string) (*longrunningpb.Operation, error), seen func(*longrunningpb.Operation)) (*longrunningpb.Operation, error) {
	pause := pollFirst
	for {
		op, err := poll(ctx, name, ask)
		if err != nil {
			return nil, err
		}
		seen(op)
		if op.GetDone() {
			return op, failureOf(op.GetError())
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(pause*5/4, pollMax)
	}
}

// poll asks once; while the server restarts, the client library asks again.
func poll(ctx context.Context, name string, ask func(context.Context, string) (*longrunningpb.Operation, error)) (*longrunningpb.Operation, error) {
	once, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	op, err := ask(once, name)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("wait for %s: %w", name, err)
	}
	if err != nil {
		return nil, context.Cause(ctx)
	}
	return op, nil
}

// sleep waits, or returns the cause for which ctx ended first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// metadataOf returns what is known about running work, never nil.
func metadataOf(op *longrunningpb.Operation) *appenginepb.OperationMetadataV1 {
	meta := &appenginepb.OperationMetadataV1{}
	if op.GetMetadata() != nil {
		// Another type of metadata has nothing to show.
		_ = op.GetMetadata().UnmarshalTo(meta)
	}
	return meta
}

// failureOf turns an operation's error into one of this program.
func failureOf(st *spb.Status) error {
	if st == nil {
		return nil
	}
	e := &operationFailed{code: sunya.Code(st.GetCode()), message: st.GetMessage()}
	for _, d := range status.FromProto(st).Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			e.reason = d.GetReason()
		case *errdetails.DebugInfo:
			e.logs = append(e.logs, d.GetStackEntries()...)
		}
	}
	return e
}
