// Package status turns errors into what clients see: the only place where a
// sunya.Code becomes a gRPC code, an HTTP status and a name.
package status

import (
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/sunya-cloud/sunya"
)

// row is what one code of google.rpc.Code looks like outside.
type row struct {
	name string // google.rpc.Code's spelling
	http int    // google/rpc/code.proto, "HTTP Mapping"
}

// table is indexed by code.
func table() [17]row {
	return [...]row{
		codes.OK:                 {"OK", http.StatusOK},
		codes.Canceled:           {"CANCELLED", 499},
		codes.Unknown:            {"UNKNOWN", http.StatusInternalServerError},
		codes.InvalidArgument:    {"INVALID_ARGUMENT", http.StatusBadRequest},
		codes.DeadlineExceeded:   {"DEADLINE_EXCEEDED", http.StatusGatewayTimeout},
		codes.NotFound:           {"NOT_FOUND", http.StatusNotFound},
		codes.AlreadyExists:      {"ALREADY_EXISTS", http.StatusConflict},
		codes.PermissionDenied:   {"PERMISSION_DENIED", http.StatusForbidden},
		codes.ResourceExhausted:  {"RESOURCE_EXHAUSTED", http.StatusTooManyRequests},
		codes.FailedPrecondition: {"FAILED_PRECONDITION", http.StatusBadRequest},
		codes.Aborted:            {"ABORTED", http.StatusConflict},
		codes.OutOfRange:         {"OUT_OF_RANGE", http.StatusBadRequest},
		codes.Unimplemented:      {"UNIMPLEMENTED", http.StatusNotImplemented},
		codes.Internal:           {"INTERNAL", http.StatusInternalServerError},
		codes.Unavailable:        {"UNAVAILABLE", http.StatusServiceUnavailable},
		codes.DataLoss:           {"DATA_LOSS", http.StatusInternalServerError},
		codes.Unauthenticated:    {"UNAUTHENTICATED", http.StatusUnauthorized},
	}
}

func rowOf(c codes.Code) row {
	t := table()
	if int(c) >= len(t) {
		return t[codes.Unknown]
	}
	return t[c]
}

// GRPC returns the gRPC code of a sunya.Code: they are numbered alike.
func GRPC(c sunya.Code) codes.Code { return codes.Code(c) }

// Name returns google.rpc.Code's name: NOT_FOUND.
func Name(c codes.Code) string { return rowOf(c).name }

// HTTP returns the HTTP status of a code.
func HTTP(c codes.Code) int { return rowOf(c).http }

// FromHTTP returns the code for an answer that has an HTTP status only: a path
// that is not routed, a method that is not allowed.
func FromHTTP(status int) codes.Code {
	switch status {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return codes.NotFound
	case http.StatusConflict:
		return codes.Aborted
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusNotImplemented:
		return codes.Unimplemented
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusGatewayTimeout:
		return codes.DeadlineExceeded
	}
	if status >= 400 && status < 500 {
		return codes.InvalidArgument
	}
	return codes.Internal
}
