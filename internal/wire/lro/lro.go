// Package lro serves google.longrunning.Operations for all APIs over one
// operation store: the name of an operation tells whose it is.
package lro

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/page"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// Operations is the operation store, as core/operations serves it.
type Operations interface {
	Get(ctx context.Context, name string) (*sunya.Operation, error) // NotFound
	// List returns at most limit operations whose names begin with prefix,
	// beginning after the one named after, and the name to continue after.
	List(ctx context.Context, prefix, after string, limit int) (ops []sunya.Operation, next string, err error)
	// Wait returns the operation once it is done, or as it is after timeout.
	Wait(ctx context.Context, name string, timeout time.Duration) (*sunya.Operation, error)
}

// API says what one API's operations are called and hold.
type API struct {
	// Pattern is what the names look like, as in path.Match:
	// apps/*/operations/*.
	Pattern string
	// Methods begins the full RPC methods of the API's operations, where several
	// APIs have one Pattern: google.cloud.run.v2. Empty: all.
	Methods string
	// Resource, when not nil, returns what is both metadata and response: the
	// resource itself (Cloud Run).
	Resource func(ctx context.Context, op *sunya.Operation) (proto.Message, error)
	// Metadata returns Operation.metadata.
	Metadata func(op *sunya.Operation) proto.Message
	// Response returns Operation.response of an operation that is done and has
	// not failed. Nil stands for google.protobuf.Empty.
	Response func(ctx context.Context, op *sunya.Operation) (proto.Message, error)
}

// Server is the google.longrunning.Operations service.
type Server struct {
	longrunningpb.UnimplementedOperationsServer
	ops  Operations
	apis []API
}

// New returns a Server for the operations of apis.
func New(ops Operations, apis ...API) *Server { return &Server{ops: ops, apis: apis} }

// Register adds the service to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) { longrunningpb.RegisterOperationsServer(r, s) }

// Limits of one call.
const (
	defaultPage = 100
	maxPage     = 1000
	maxWait     = 10 * time.Minute
)

// GetOperation implements longrunningpb.OperationsServer.
func (s *Server) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	if err := s.check(req.GetName()); err != nil {
		return nil, err
	}
	op, err := s.ops.Get(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return s.encode(ctx, op)
}

// WaitOperation implements longrunningpb.OperationsServer. It answers after ten
// minutes at the latest, done or not.
func (s *Server) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	if err := s.check(req.GetName()); err != nil {
		return nil, err
	}
	timeout := maxWait
	if d := req.GetTimeout(); d != nil {
		timeout = min(d.AsDuration(), maxWait)
	}
	if timeout <= 0 {
		return s.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: req.GetName()})
	}
	op, err := s.ops.Wait(ctx, req.GetName(), timeout)
	if err != nil {
		return nil, err
	}
	return s.encode(ctx, op)
}

// ListOperations implements longrunningpb.OperationsServer.
func (s *Server) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	prefix := listed(req.GetName())
	if err := s.check(prefix + "x"); err != nil {
		return nil, err
	}
	if req.GetFilter() != "" {
		return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "filter", Message: "filters on operations are not supported yet: leave it out and choose from the whole list"}
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), "operations", prefix)
	if err != nil {
		return nil, err
	}
	ops, next, err := s.ops.List(ctx, prefix, after, size)
	if err != nil {
		return nil, err
	}
	out := &longrunningpb.ListOperationsResponse{NextPageToken: page.Token(next, "operations", prefix)}
	for i := range ops {
		op, err := s.encode(ctx, &ops[i])
		if err != nil {
			return nil, err
		}
		out.Operations = append(out.Operations, op)
	}
	return out, nil
}

// listed begins the names of the operations of a parent. Those that have none are
// listed under their collection's own name.
func listed(parent string) string {
	if parent == "" || parent == "operations" {
		return "operations/"
	}
	return parent + "/operations/"
}

// CancelOperation implements longrunningpb.OperationsServer.
func (s *Server) CancelOperation(_ context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	return nil, sunya.Errorf(sunya.Unimplemented, req.GetName(), "operations cannot be cancelled yet: it ends by itself, at its timeout at the latest")
}

// DeleteOperation implements longrunningpb.OperationsServer.
func (s *Server) DeleteOperation(_ context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	return nil, sunya.Errorf(sunya.Unimplemented, req.GetName(), "operations cannot be deleted: they are forgotten in time")
}

// check reports whether a name can be that of an operation.
func (s *Server) check(name string) error {
	if slices.ContainsFunc(s.apis, func(a API) bool { return a.named(name) }) {
		return nil
	}
	patterns := make([]string, len(s.apis))
	for i := range s.apis {
		patterns[i] = s.apis[i].Pattern
	}
	slices.Sort(patterns)
	return sunya.Invalid("name", "%q is not the name of an operation: names look like %s", name, strings.Join(slices.Compact(patterns), ", "))
}

func (a *API) named(name string) bool {
	ok, err := path.Match(a.Pattern, name)
	return ok && err == nil
}

// encode turns an operation into the message of the API that it belongs to.
func (s *Server) encode(ctx context.Context, op *sunya.Operation) (*longrunningpb.Operation, error) {
	for i := range s.apis {
		if s.apis[i].named(op.Name) && strings.HasPrefix(op.Method, s.apis[i].Methods) {
			return s.apis[i].Encode(ctx, op)
		}
	}
	return nil, fmt.Errorf("operation %s is of no API: %s", op.Name, op.Method)
}

// Encode turns an operation into the API's message.
func (a *API) Encode(ctx context.Context, op *sunya.Operation) (*longrunningpb.Operation, error) {
	if a.Resource != nil {
		msg, err := a.Resource(ctx, op)
		if err != nil {
			return nil, err
		}
		return Of(op, msg)
	}
	out := &longrunningpb.Operation{Name: op.Name, Done: op.Done}
	meta, err := anypb.New(a.Metadata(op))
	if err != nil {
		return nil, err
	}
	out.Metadata = meta
	switch {
	case !op.Done:
	case op.Error != nil:
		out.Result = &longrunningpb.Operation_Error{Error: status.FromOperation(op.Error)}
	default:
		resp, err := a.response(ctx, op)
		if err != nil {
			return nil, err
		}
		out.Result = &longrunningpb.Operation_Response{Response: resp}
	}
	return out, nil
}

// Of turns an operation into a message with a resource as its metadata and, once
// it is done well, as its response.
func Of(op *sunya.Operation, resource proto.Message) (*longrunningpb.Operation, error) {
	packed, err := anypb.New(resource)
	if err != nil {
		return nil, err
	}
	out := &longrunningpb.Operation{Name: op.Name, Done: op.Done, Metadata: packed}
	switch {
	case !op.Done:
	case op.Error != nil:
		out.Result = &longrunningpb.Operation_Error{Error: status.FromOperation(op.Error)}
	default:
		out.Result = &longrunningpb.Operation_Response{Response: packed}
	}
	return out, nil
}

func (a *API) response(ctx context.Context, op *sunya.Operation) (*anypb.Any, error) {
	msg, err := a.Response(ctx, op)
	if err != nil {
		return nil, err
	}
	if msg == nil {
		msg = &emptypb.Empty{}
	}
	return anypb.New(msg)
}
