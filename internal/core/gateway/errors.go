package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/sunya-cloud/sunya"
)

// statusClientGone is what the log says of a request whose client did not wait
// for the answer (nginx's convention).
const statusClientGone = 499

var errTimeout = errors.New("the request took longer than its timeout")

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
type badGateway struct{ err error }

func (e *badGateway) Error() string { return "no proper response: " + e.err.Error() }
func (e *badGateway) Unwrap() error { return e.err }

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
	)
	switch {
	case errors.As(err, &f):
		return answer{status: f.status, text: f.message}
	case errors.As(err, &host):
		return answer{http.StatusNotFound, fmt.Sprintf("No service has the host %q.", host.host),
			"Deploy one: sunya app deploy DIR. What is there: sunya app services."}
	case errors.Is(err, errTimeout) || errors.Is(err, context.DeadlineExceeded):
		return answer{http.StatusGatewayTimeout, "The request took longer than the service allows.", ""}
	case errors.Is(err, context.Canceled):
		return answer{status: statusClientGone, text: "the client went away"}
	case errors.As(err, &bad):
		return answer{http.StatusBadGateway, "The service did not give a proper response.", logHint}
	}
	return answerForCode(sunya.CodeOf(err))
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
