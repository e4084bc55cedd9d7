package status

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya"
)

// Unary is the edge of every unary call: errors become statuses, a panic
// becomes INTERNAL, and what is Sunya's own fault is logged once.
func Unary(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if p := recover(); p != nil {
				resp, err = nil, panicked(ctx, log, info.FullMethod, p)
			}
		}()
		resp, err = next(ctx, req)
		return resp, convert(ctx, log, info.FullMethod, err)
	}
}

// Stream is Unary for streams.
func Stream(log *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = panicked(ss.Context(), log, info.FullMethod, p)
			}
		}()
		return convert(ss.Context(), log, info.FullMethod, next(srv, ss))
	}
}

func convert(ctx context.Context, log *slog.Logger, method string, err error) error {
	if err == nil {
		return nil
	}
	st := FromError(err)
	if sunya.Code(st.GetCode()).HTTP() == 500 {
		log.ErrorContext(ctx, "call failed", "method", method, "err", err)
	}
	return gstatus.ErrorProto(st)
}

func panicked(ctx context.Context, log *slog.Logger, method string, p any) error {
	log.ErrorContext(ctx, "call panicked", "method", method, "err", fmt.Sprint(p), "stack", string(debug.Stack()))
	return gstatus.ErrorProto(&spb.Status{Code: int32(codes.Internal), Message: internalMessage})
}
