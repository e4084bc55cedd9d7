package gateway

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/http1"
)

// The codes of gRPC that a gateway answers with.
const (
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// grpcCode is the code for a status: as clients map it themselves (gRPC, "HTTP
// to gRPC Status Code Mapping"), except where more is known here.
func grpcCode(status int) int {
	switch status {
	case http.StatusBadRequest, http.StatusInternalServerError:
		return grpcInternal
	case http.StatusUnauthorized:
		return grpcUnauthenticated
	case http.StatusForbidden:
		return grpcPermissionDenied
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return grpcUnimplemented
	case http.StatusRequestEntityTooLarge:
		return grpcResourceExhausted
	case http.StatusGatewayTimeout:
		return grpcDeadlineExceeded
	}
	return grpcUnavailable // and clients try again
}

// grpcStatus answers a gRPC call in its own form, so that its client shows the
// reason and not just a status of HTTP.
func (x *exchange) grpcStatus(a answer) reply {
	message := sentence(a.text)
	if a.hint != "" {
		message += " " + a.hint
	}
	return reply{status: http.StatusOK, header: http1.Header{
		{Name: "Content-Type", Value: "application/grpc"},
		{Name: "Grpc-Status", Value: strconv.Itoa(grpcCode(a.status))},
		{Name: "Grpc-Message", Value: grpcMessage(message + " Request: " + x.id)},
	}}
}

// grpcEnd ends a gRPC response that has begun with a status, for a client that
// still listens.
func (x *standard) grpcEnd(status int, why string) {
	h := x.w.Header()
	h.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(grpcCode(status)))
	h.Set(http.TrailerPrefix+"Grpc-Message", grpcMessage(why+" Request: "+x.id))
}

// grpcMessage escapes a message (gRPC over HTTP/2, Status-Message).
func grpcMessage(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// overdue reports whether the deadline that the caller of gRPC gave its call
// has passed. A program that keeps it resets its stream then, and may do so
// before the caller, whose clock runs by itself, has left.
func (x *standard) overdue() bool {
	if !x.grpc() {
		return false
	}
	allowed, ok := grpcTimeout(x.r.Header.Get("Grpc-Timeout"))
	return ok && x.g.Now().Sub(x.begin) >= allowed
}

// grpcTimeout reads a field Grpc-Timeout: at most eight digits and a unit (gRPC
// over HTTP/2, Timeout).
func grpcTimeout(s string) (time.Duration, bool) {
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	unit, ok := units[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if !ok || err != nil {
		return 0, false
	}
	if n > uint64(math.MaxInt64/unit) {
		return math.MaxInt64, true
	}
	return time.Duration(n) * unit, true
}
