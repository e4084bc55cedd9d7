package registryv2

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// document is how the specification shows errors.
type document struct {
	Errors []shown `json:"errors"`
}

type shown struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// codes are those of the specification for what has no reason of its own.
var codes = map[sunya.Code]string{
	sunya.Unauthenticated:   "UNAUTHORIZED",
	sunya.PermissionDenied:  "DENIED",
	sunya.NotFound:          "NAME_UNKNOWN",
	sunya.Unimplemented:     registry.Unsupported,
	sunya.ResourceExhausted: registry.SizeInvalid,
}

// fail answers with an error. What is the server's own fault is logged, and not
// shown.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var left *goneError
	if errors.As(err, &left) || r.Context().Err() != nil {
		return // nobody is there to read it
	}
	var e *sunya.Error
	if !errors.As(err, &e) || e.Code == sunya.Internal {
		h.Log.ErrorContext(r.Context(), "registry request", "method", r.Method, "path", r.URL.Path, "err", err)
		e = sunya.Errorf(sunya.Internal, "", "internal error: see the server's log")
	}
	write(w, r, statusOf(e), e)
}

func write(w http.ResponseWriter, r *http.Request, status int, e *sunya.Error) {
	code := e.Reason
	if code == "" {
		code = codes[e.Code]
	}
	if code == "" {
		code = "UNKNOWN"
	}
	body, err := json.Marshal(document{[]shown{{code, e.Public()}}})
	if err != nil {
		body = nil // cannot be: two strings
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n')) // nobody is left to tell
	}
}

// statusOf is the HTTP status of an error, where the specification wants
// another than Google's.
func statusOf(e *sunya.Error) int {
	switch {
	case e.Code == sunya.OutOfRange:
		return http.StatusRequestedRangeNotSatisfiable
	case e.Code == sunya.ResourceExhausted && e.Reason == registry.SizeInvalid:
		return http.StatusRequestEntityTooLarge
	case e.Code == sunya.ResourceExhausted:
		return http.StatusInsufficientStorage
	case e.Reason == registry.Unsupported:
		return http.StatusMethodNotAllowed
	case e.Reason == registry.ManifestInvalid:
		return http.StatusBadRequest
	}
	return e.Code.HTTP()
}

// because returns an error with a reason of the specification.
func because(code sunya.Code, reason, format string, args ...any) error {
	return &sunya.Error{Code: code, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func denied(format string, args ...any) error {
	return because(sunya.PermissionDenied, "DENIED", format, args...)
}

func wrongMethod(r *http.Request) error {
	return because(sunya.Unimplemented, registry.Unsupported, "%s is not a method of %.300s", r.Method, r.URL.Path)
}

// goneError is that a client does not take its answer any more.
type goneError struct{ error }

func gone(err error) error {
	if err == nil {
		return nil
	}
	return &goneError{err}
}
