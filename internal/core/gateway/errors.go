package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// statusClientGone is what the log says of a request whose client did not wait
// for the answer (nginx's convention).
const statusClientGone = 499

var (
	errTimeout = errors.New("the request took longer than its timeout")
	errOverdue = errors.New("the call took longer than its caller allowed")
)

// clientFault is an error with a status that the client is told.
type clientFault struct {
	status  int
	message string
}

func (f *clientFault) Error() string { return f.message }

func fault(status int, format string, args ...any) error {
	return &clientFault{status: status, message: fmt.Sprintf(format, args...)}
}

// unknownHost is a host that no service has.
type unknownHost struct{ host string }

func (e *unknownHost) Error() string { return "no service has the host " + e.host }

// badGateway is an instance that did not answer properly.
type badGateway struct {
	err  error
	hint string // what may be the matter; empty: unknown
}

func (e *badGateway) Error() string { return "no proper response: " + e.err.Error() }
func (e *badGateway) Unwrap() error { return e.err }

func broken(err error) bool {
	var bad *badGateway
	return errors.As(err, &bad)
}

// protocolHint recognises a program that speaks another HTTP than its revision
// says, by what net/http says of it.
func protocolHint(rev *sunya.Revision, err error) string {
	switch said := err.Error(); {
	case rev.Protocol == sunya.H2C && strings.Contains(said, "frame too large"):
		return "Its program answers with HTTP/1.1, but it was deployed with HTTP/2 end to end."
	case rev.Protocol == sunya.H2C && strings.Contains(said, "client conn could not be established"):
		return "Its program does not begin as HTTP/2 does, with which it was deployed end to end." // how this shows where it hangs up first
	case rev.Protocol == sunya.HTTP1 && strings.Contains(said, `malformed HTTP response "\x00`):
		return "Its program answers with HTTP/2, but it was deployed for HTTP/1.1: deploy it with HTTP/2 end to end (--use-http2)."
	case rev.Protocol == sunya.HTTP1 && strings.Contains(said, "readLoopPeekFailLocked: %!w(<nil>)"):
		return "Its program speaks before it is asked, as HTTP/2 does: deploy it with HTTP/2 end to end (--use-http2) if that is what it speaks."
	}
	return ""
}

// outside is a request from where a service takes none.
type outside struct {
	host    string
	ingress sunya.Ingress
}

func (e *outside) Error() string {
	return fmt.Sprintf("the ingress is %s, and the request came from outside", e.ingress)
}

// clientGone is a response that could not be written.
type clientGone struct{ err error }

func (e *clientGone) Error() string { return "the client went away: " + e.err.Error() }
func (e *clientGone) Unwrap() error { return e.err }

func isClientGone(err error) bool {
	var gone *clientGone
	return errors.As(err, &gone)
}

// answer is what a client is told of an error.
type answer struct {
	status int
	text   string // what happened, for whoever asked
	hint   string // what to do
}

// answerFor is the only table from errors to statuses of the gateway.
func answerFor(err error) answer {
	var (
		f    *clientFault
		host *unknownHost
		bad  *badGateway
		out  *outside
	)
	switch {
	case errors.As(err, &f):
		return answer{status: f.status, text: f.message}
	case errors.As(err, &host):
		return noService(host.host)
	case errors.As(err, &out):
		return noService(out.host) // as Google answers
	case errors.Is(err, errOverdue):
		return answer{http.StatusGatewayTimeout, "The call took longer than its caller allowed.", ""}
	case errors.Is(err, errTimeout) || errors.Is(err, context.DeadlineExceeded):
		return answer{http.StatusGatewayTimeout, "The request took longer than the service allows.", ""}
	case errors.Is(err, context.Canceled):
		return answer{status: statusClientGone, text: "the client went away"}
	case errors.As(err, &bad):
		return answer{http.StatusBadGateway, "The service did not give a proper response.", cmp.Or(bad.hint, logHint)}
	}
	return answerForCode(sunya.CodeOf(err))
}

func noService(host string) answer {
	return answer{http.StatusNotFound, fmt.Sprintf("No service has the host %q.", host),
		"Deploy one: sunya deploy DIR. What is there: sunya status."}
}

const logHint = "The reason is in its log: sunya logs."

func answerForCode(code sunya.Code) answer {
	switch code {
	case sunya.ResourceExhausted:
		return answer{http.StatusTooManyRequests, "All instances of the service are busy.", "Try again in a moment."}
	case sunya.Unavailable:
		return answer{http.StatusServiceUnavailable, "The service is not available: no instance of it is ready.", logHint}
	}
	return answer{http.StatusInternalServerError, "Something went wrong in the platform.", "The server's own log has the reason."}
}
