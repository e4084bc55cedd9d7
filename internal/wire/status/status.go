// Package status turns errors into what clients of gRPC and REST see: a
// google.rpc.Status with details, and never the cause.
package status

import (
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sunya-cloud/sunya"
)

// domain is the ErrorInfo.domain of Sunya's own reasons.
const domain = "sunya.dev"

// internalMessage is all that a client learns about an error of Sunya's own.
const internalMessage = "internal error: see the server's log"

// maxMessage keeps an error within what clients accept as HTTP/2 headers
// (8 KiB by default in gRPC's C core, percent-encoded).
const maxMessage = 2000

// FromError returns what a client sees of err. An error that is neither a
// sunya.Error, a gRPC status nor a context error is INTERNAL, without its text.
func FromError(err error) *spb.Status {
	if err == nil {
		return &spb.Status{}
	}
	var e *sunya.Error
	if errors.As(err, &e) {
		return fromSunya(e)
	}
	if st, ok := gstatus.FromError(err); ok && st.Code() != codes.Unknown {
		return st.Proto()
	}
	switch code := sunya.CodeOf(err); code {
	case sunya.Canceled:
		return &spb.Status{Code: int32(code), Message: "the request was cancelled"}
	case sunya.DeadlineExceeded:
		return &spb.Status{Code: int32(code), Message: "the request's deadline passed"}
	}
	return &spb.Status{Code: int32(codes.Internal), Message: internalMessage}
}

func fromSunya(e *sunya.Error) *spb.Status {
	if e.Code == sunya.Internal || e.Code == sunya.Unknown || e.Code == sunya.OK {
		return &spb.Status{Code: int32(codes.Internal), Message: internalMessage}
	}
	return &spb.Status{
		Code:    int32(e.Code),
		Message: shorten(e.Public()),
		Details: pack(details(e)...),
	}
}

// details are the machine-readable parts of an error. Clients of Google's
// libraries read ErrorInfo, so every error has one.
func details(e *sunya.Error) []proto.Message {
	reason := e.Reason
	if reason == "" {
		reason = e.Code.String()
	}
	info := &errdetails.ErrorInfo{Reason: reason, Domain: domain}
	out := []proto.Message{info}
	if e.Resource != "" {
		info.Metadata = map[string]string{"resource": e.Resource}
		out = append(out, &errdetails.ResourceInfo{ResourceName: e.Resource, Description: shorten(e.Message)})
	}
	if e.Field != "" {
		out = append(out, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: e.Field, Description: shorten(e.Message)},
		}})
	}
	return out
}

// FromOperation returns how an operation failed, with the last lines of its
// log as DebugInfo.
func FromOperation(e *sunya.OperationError) *spb.Status {
	reason := e.Reason
	if reason == "" {
		reason = e.Code.String()
	}
	parts := []proto.Message{&errdetails.ErrorInfo{Reason: reason, Domain: domain}}
	if len(e.Logs) > 0 {
		parts = append(parts, &errdetails.DebugInfo{StackEntries: e.Logs, Detail: "the last lines of the log"})
	}
	return &spb.Status{Code: int32(e.Code), Message: e.Message, Details: pack(parts...)}
}

// pack drops what cannot be encoded: an error loses a detail rather than
// becoming another error.
func pack(messages ...proto.Message) []*anypb.Any {
	var out []*anypb.Any
	for _, m := range messages {
		if a, err := anypb.New(m); err == nil {
			out = append(out, a)
		}
	}
	return out
}

func shorten(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not inside a UTF-8 sequence
		cut--
	}
	return s[:cut] + "…"
}
