package build

import (
	"errors"

	"github.com/sunya-cloud/sunya"
)

// Error is a build that the user's source made fail. Its chain holds the
// sunya.Error that clients see.
type Error struct {
	Lines []string // the last lines of the output, at most 50
	Err   *sunya.Error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the sunya.Error.
func (e *Error) Unwrap() error { return e.Err }

// failed returns the error for source that cannot be built.
func failed(lines []string, format string, args ...any) *Error {
	err := sunya.Errorf(sunya.FailedPrecondition, "", format, args...)
	err.Reason = sunya.ReasonBuildFailed
	return &Error{Lines: lines, Err: err}
}

// LogLines returns Lines: what a client is shown beside the message.
func (e *Error) LogLines() []string { return e.Lines }

// asFailed gives an error about the source its build type.
func asFailed(err error) error {
	var e *sunya.Error
	if errors.As(err, &e) && e.Reason == sunya.ReasonBuildFailed {
		return &Error{Err: e}
	}
	return err
}
