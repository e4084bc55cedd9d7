package sunya

import (
	"context"
	"errors"
	"fmt"
)

// Error is an error that crosses an API: what went wrong, with which resource
// or field, and what to do about it.
type Error struct {
	Code     Code
	Resource string // resource name, or empty
	Field    string // request field in the API's spelling, or empty
	Reason   string // stable UPPER_SNAKE identifier for scripts (BUILD_FAILED), or empty
	Message  string // one sentence, lower case, naming value and remedy
	Err      error  // cause, may be nil; never shown to a client
}

// Error implements error: with the cause, for logs.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Public()
	}
	return e.Public() + ": " + e.Err.Error()
}

// Public returns what a client may read: everything but the cause.
func (e *Error) Public() string {
	msg := e.Message
	if e.Field != "" {
		msg = e.Field + ": " + msg
	}
	if e.Resource != "" {
		msg = e.Resource + ": " + msg
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error about a resource.
func Errorf(code Code, resource, format string, args ...any) *Error {
	return &Error{Code: code, Resource: resource, Message: fmt.Sprintf(format, args...)}
}

// Invalid returns an InvalidArgument about one field of a request.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: InvalidArgument, Field: field, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the Code of the first Error in err's chain; a context error
// has its own code, nil is OK, and everything else is Unknown.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	}
	return Unknown
}

// InField puts the name of a request's field in front of an error about its
// value.
func InField(field string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return Invalid(field, "%v", err)
	}
	out := *e
	out.Field, out.Resource = field, ""
	return &out
}
