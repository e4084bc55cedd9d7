package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// TestNames holds the root's table against google.rpc.Code's own names.
func TestNames(t *testing.T) {
	for n, name := range code.Code_name {
		c := sunya.Code(n)
		if c.String() != name {
			t.Errorf("Code(%d) = %s, want %s", n, c, name)
		}
		if http := c.HTTP(); (n == 0) != (http == 200) || n != 0 && http < 400 {
			t.Errorf("%s has HTTP status %d", c, http)
		}
	}
}

func TestFromError(t *testing.T) {
	cause := errors.New("dial unix /secret: refused")
	for _, c := range []struct {
		name string
		err  error
		code codes.Code
		text string
	}{
		{"field", sunya.Invalid("version.id", "is odd"), codes.InvalidArgument, "version.id: is odd"},
		{"wrapped", fmt.Errorf("outer: %w", sunya.Errorf(sunya.NotFound, "apps/x", "not found")), codes.NotFound, "apps/x: not found"},
		{"cause is kept back", &sunya.Error{Code: sunya.Unavailable, Message: "try again", Err: cause}, codes.Unavailable, "try again"},
		{"our own fault says nothing", &sunya.Error{Code: sunya.Internal, Message: "secret", Err: cause}, codes.Internal, "internal error: see the server's log"},
		{"plain error says nothing", cause, codes.Internal, "internal error: see the server's log"},
		{"cancelled", fmt.Errorf("read: %w", context.Canceled), codes.Canceled, "the request was cancelled"},
		{"deadline", context.DeadlineExceeded, codes.DeadlineExceeded, "the request's deadline passed"},
		{"gRPC's own", gstatus.Error(codes.Unauthenticated, "who?"), codes.Unauthenticated, "who?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := status.FromError(c.err)
			if codes.Code(st.GetCode()) != c.code || st.GetMessage() != c.text {
				t.Errorf("got %v %q, want %v %q", codes.Code(st.GetCode()), st.GetMessage(), c.code, c.text)
			}
		})
	}
}

func TestDetails(t *testing.T) {
	st := gstatus.FromProto(status.FromError(&sunya.Error{
		Code: sunya.FailedPrecondition, Resource: "apps/x", Field: "f", Reason: "BUILD_FAILED", Message: "no",
	}))
	var info *errdetails.ErrorInfo
	var bad *errdetails.BadRequest
	var res *errdetails.ResourceInfo
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.BadRequest:
			bad = d
		case *errdetails.ResourceInfo:
			res = d
		}
	}
	if info.GetReason() != "BUILD_FAILED" || info.GetDomain() != "sunya.dev" || info.GetMetadata()["resource"] != "apps/x" {
		t.Errorf("ErrorInfo = %v", info)
	}
	if bad.GetFieldViolations()[0].GetField() != "f" || res.GetResourceName() != "apps/x" {
		t.Errorf("BadRequest = %v, ResourceInfo = %v", bad, res)
	}
}

func TestEnvelope(t *testing.T) {
	http, doc := status.Envelope(status.FromError(sunya.Errorf(sunya.NotFound, "apps/x", "not found")))
	var e struct {
		Error struct {
			Code            int
			Message, Status string
			Details         []map[string]any
		}
	}
	if err := json.Unmarshal(doc, &e); err != nil {
		t.Fatal(err)
	}
	if http != 404 || e.Error.Code != 404 || e.Error.Status != "NOT_FOUND" || e.Error.Message != "apps/x: not found" ||
		e.Error.Details[0]["@type"] != "type.googleapis.com/google.rpc.ErrorInfo" {
		t.Errorf("envelope = %d %s", http, doc)
	}
}

func TestLongMessageIsCut(t *testing.T) {
	st := status.FromError(sunya.Invalid("f", "%s", strings.Repeat("é", 5000)))
	if n := len(st.GetMessage()); n > 2010 || !utf8.ValidString(st.GetMessage()) {
		t.Errorf("message has %d bytes", n)
	}
}

func TestInterceptorsLogOwnFaultsOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func() error
		code codes.Code
		logs int
	}{
		{"fine", func() error { return nil }, codes.OK, 0},
		{"client's fault", func() error { return sunya.Invalid("f", "odd") }, codes.InvalidArgument, 0},
		{"our fault", func() error { return errors.New("disk") }, codes.Internal, 1},
		{"panic", func() error { panic("nil map") }, codes.Internal, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			log := slog.New(slog.NewTextHandler(&out, nil))
			_, err := status.Unary(log)(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/s/m"}, func(context.Context, any) (any, error) { return nil, c.do() })
			if gstatus.Code(err) != c.code || strings.Count(out.String(), "level=ERROR") != c.logs {
				t.Errorf("unary: %v, log %q", err, out.String())
			}
			out.Reset()
			err = status.Stream(log)(nil, stream{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: "/s/m"}, func(any, grpc.ServerStream) error { return c.do() })
			if gstatus.Code(err) != c.code || strings.Count(out.String(), "level=ERROR") != c.logs {
				t.Errorf("stream: %v, log %q", err, out.String())
			}
		})
	}
}

type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s stream) Context() context.Context { return s.ctx }
