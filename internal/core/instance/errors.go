package instance

import (
	"errors"

	"github.com/sunya-cloud/sunya"
)

// StartError is why an instance did not get ready. It unwraps to a
// *sunya.Error with Code Unavailable and Reason REVISION_NOT_READY.
type StartError struct {
	err   *sunya.Error
	lines []string
}

// Error implements error.
func (e *StartError) Error() string { return e.err.Error() }

// Unwrap returns the *sunya.Error.
func (e *StartError) Unwrap() error { return e.err }

// LogLines returns the last lines that the program printed.
func (e *StartError) LogLines() []string { return e.lines }

// failed logs a failed start and returns its error.
func (m *Manager) failed(rev *sunya.Revision, id string, cause error, lines []string) *StartError {
	e := &StartError{lines: lines, err: &sunya.Error{
		Code:     sunya.Unavailable,
		Resource: rev.Name,
		Reason:   sunya.ReasonRevisionNotReady,
		Message:  "the instance did not become ready: " + message(cause),
	}}
	m.logFailure(rev, id, e)
	return e
}

// message is what of an error a client may see: an Error hides its cause.
func message(err error) string {
	var e *sunya.Error
	if errors.As(err, &e) {
		return e.Public()
	}
	return err.Error()
}
