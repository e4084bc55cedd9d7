package pubsubv1

import (
	"context"
	"strings"
	"sync/atomic"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/scope"
)

// FromInside are the options of a server that instances reach: every name in a
// request, projects/P/…, has to be of the project that the context is limited to
// (package scope); nobody who is not limited is let through.
func FromInside() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := checkInside(ctx, req); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			s := &insideStream{ServerStream: stream}
			err := next(srv, s)
			if refused := s.refused.Load(); refused != nil {
				return *refused
			}
			return err
		}),
	}
}

// insideStream checks every request of a stream.
type insideStream struct {
	grpc.ServerStream
	refused atomic.Pointer[error] // what the service may have taken for the end of the stream
}

// RecvMsg implements grpc.ServerStream.
func (s *insideStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	err := checkInside(s.Context(), m)
	if err != nil {
		s.refused.Store(&err)
	}
	return err
}

// checkInside is PermissionDenied for a name of another project, and for whoever
// has none.
func checkInside(ctx context.Context, req any) error {
	m, ok := req.(proto.Message)
	if _, limited := scope.Of(ctx); !ok || !limited {
		return sunya.Errorf(sunya.PermissionDenied, "", "it is not known who asks")
	}
	return checkNames(ctx, m.ProtoReflect())
}

// checkNames looks at all strings of a message that are names: those that begin
// with projects/. What users write is not: messages, and maps, which are labels
// and attributes.
func checkNames(ctx context.Context, m protoreflect.Message) (err error) {
	switch v := m.Interface().(type) {
	case *pb.PubsubMessage:
		return nil
	case *pb.PushConfig:
		// The server would call it with its own reach, and as any account.
		if v.GetPushEndpoint() != "" {
			return &sunya.Error{Code: sunya.PermissionDenied, Field: "push_config.push_endpoint", Message: "instances do not make subscriptions that push: pull, or make it from outside"}
		}
	}
	one := func(fd protoreflect.FieldDescriptor, v protoreflect.Value) error {
		switch fd.Kind() {
		case protoreflect.MessageKind, protoreflect.GroupKind:
			return checkNames(ctx, v.Message())
		case protoreflect.StringKind:
			return checkName(ctx, v.String())
		}
		return nil
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
		case fd.IsList():
			for i := 0; i < v.List().Len() && err == nil; i++ {
				err = one(fd, v.List().Get(i))
			}
		default:
			err = one(fd, v)
		}
		return err == nil
	})
	return err
}

func checkName(ctx context.Context, name string) error {
	rest, ok := strings.CutPrefix(name, "projects/")
	if !ok {
		return nil
	}
	project, _, _ := strings.Cut(rest, "/")
	return scope.Check(ctx, project, name)
}
