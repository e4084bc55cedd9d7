package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya"
)

// The exit codes that scripts may rely on.
const (
	exitOK           = 0
	exitFailed       = 1 // no better code
	exitUsage        = 2 // unknown flag, bad value
	exitNotFound     = 3
	exitDenied       = 4 // not authenticated or not allowed
	exitConflict     = 5 // exists, etag, precondition
	exitBuildFailed  = 6
	exitNotReady     = 7 // the deployed revision did not become healthy
	exitTimeout      = 8 // gave up waiting; the operation continues
	exitUnreachable  = 9
	exitDoctor       = 10 // doctor found a blocking problem
	exitSignalOffset = 128
)

// usageError is a command line that cannot be understood.
type usageError struct{ msg string }

func (e usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// unreachable is a server that does not answer.
type unreachable struct {
	server string
	err    error
}

func (e *unreachable) Error() string {
	return fmt.Sprintf("no Sunya server answers at %s: %v", e.server, e.err)
}

func (e *unreachable) Unwrap() error { return e.err }

// failure is a failed stage of long work, with what explains it.
type failure struct {
	stage  string
	err    error
	logs   []string // the last lines of the log that explains it
	try    string   // a command to run next
	anchor string   // in docs/cli.md
	code   int      // exit code; 0: by err
}

func (e *failure) Error() string {
	if e.stage == "" {
		return message(e.err)
	}
	return fmt.Sprintf("%s failed: %s", e.stage, message(e.err))
}

func (e *failure) Unwrap() error { return e.err }

// silent is an end that needs no words: Ctrl-C while following a log.
type silent struct{ code int }

func (e silent) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode returns the code that tells scripts what happened.
func exitCode(err error) int {
	var (
		sig   Signal
		fail  *failure
		usage usageError
		gone  *unreachable
		quiet silent
		ended *operationFailed
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &fail) && fail.code != 0:
		return fail.code
	case errors.As(err, &sig):
		return exitSignalOffset + sig.Number
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &gone):
		return exitUnreachable
	case errors.As(err, &quiet):
		return quiet.code
	case errors.As(err, &ended) && codeOf(err) == sunya.Unavailable:
		return exitFailed // the server answers: it is somebody else who does not
	}
	return exitOf(codeOf(err))
}

// exitOf maps an API's answer.
func exitOf(code sunya.Code) int {
	switch code {
	case sunya.InvalidArgument, sunya.OutOfRange, sunya.Unimplemented:
		return exitUsage
	case sunya.NotFound:
		return exitNotFound
	case sunya.PermissionDenied, sunya.Unauthenticated:
		return exitDenied
	case sunya.AlreadyExists, sunya.FailedPrecondition, sunya.Aborted:
		return exitConflict
	case sunya.DeadlineExceeded:
		return exitTimeout
	case sunya.Unavailable:
		return exitUnreachable
	}
	return exitFailed
}

// codeOf finds the code in an error of this program, of gRPC or of REST.
func codeOf(err error) sunya.Code {
	var own *sunya.Error
	if errors.As(err, &own) {
		return own.Code
	}
	var rest *googleapi.Error
	if errors.As(err, &rest) {
		return sunya.CodeOfHTTP(rest.Code)
	}
	if st, ok := status.FromError(err); ok && st.Code() != codes.Unknown {
		return sunya.Code(st.Code())
	}
	var broken *url.Error
	switch {
	case errors.Is(err, context.Canceled):
		return sunya.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return sunya.DeadlineExceeded
	case errors.As(err, &broken):
		return sunya.Unavailable
	}
	return sunya.Unknown
}

// message is an error in words, without the wrapping of client libraries.
func message(err error) string {
	var fail *failure
	if errors.As(err, &fail) {
		return fail.Error()
	}
	var rest *googleapi.Error
	if errors.As(err, &rest) && rest.Message != "" {
		return rest.Message
	}
	if st, ok := status.FromError(err); ok && st.Message() != "" && st.Code() != codes.Unknown {
		return st.Message()
	}
	var broken *url.Error
	if errors.As(err, &broken) {
		// What was being asked is of use to programmers only.
		return strings.Replace(err.Error(), broken.Error(), "the connection to the server broke: "+broken.Err.Error(), 1)
	}
	return err.Error()
}

// remedy is the command that is likely to help, or empty when the user ended
// the work.
func remedy(env *Env, command string, err error) string {
	var (
		sig   Signal
		fail  *failure
		usage usageError
		gone  *unreachable
	)
	switch {
	case errors.As(err, &fail) && fail.try != "":
		return fail.try
	case errors.As(err, &sig):
		return ""
	case errors.As(err, &gone):
		return "sunya up   (or name another server with --server or SUNYA_SERVER)"
	case errors.As(err, &usage):
		return helpCommand(command)
	}
	return remedyOf(env, command, err)
}

func remedyOf(env *Env, command string, err error) string {
	switch codeOf(err) {
	case sunya.Unauthenticated, sunya.PermissionDenied:
		return "set SUNYA_TOKEN to a token of this server"
	case sunya.NotFound:
		return listCommand(command, err) + " --project " + cmp.Or(env.flags.Project, defaultProject)
	case sunya.AlreadyExists, sunya.FailedPrecondition, sunya.Aborted:
		if strings.HasPrefix(command, "sunya.run") || strings.HasPrefix(command, "sunya.functions") || strings.HasPrefix(command, "sunya.pubsub") || strings.HasPrefix(command, "sunya.storage") {
			return listCommand(command, err) + " --project " + cmp.Or(env.flags.Project, defaultProject)
		}
		return "sunya app versions list --project " + cmp.Or(env.flags.Project, defaultProject)
	case sunya.DeadlineExceeded, sunya.Unavailable:
		return "sunya status"
	case sunya.InvalidArgument, sunya.OutOfRange, sunya.Unimplemented:
		return helpCommand(command)
	}
	return "sunya doctor"
}

// listCommand shows what there is where something was not found.
func listCommand(command string, err error) string {
	switch {
	case strings.HasPrefix(command, "sunya.app.instances"):
		return "sunya app instances list"
	case strings.HasPrefix(command, "sunya.functions"):
		return "sunya functions list"
	case strings.HasPrefix(command, "sunya.images"):
		return "sunya images list"
	case strings.HasPrefix(command, "sunya.builds"):
		return "sunya builds list"
	case strings.HasPrefix(command, "sunya.run.revisions"):
		return "sunya run revisions list"
	case strings.HasPrefix(command, "sunya.run.jobs.executions"):
		return "sunya run jobs executions list"
	case strings.HasPrefix(command, "sunya.run.jobs"):
		return "sunya run jobs list"
	case strings.HasPrefix(command, "sunya.run"):
		return "sunya run services list"
	case strings.HasPrefix(command, "sunya.pubsub.snapshots"), strings.Contains(err.Error(), "/snapshots/"):
		return "sunya pubsub snapshots list"
	case strings.HasPrefix(command, "sunya.pubsub.topics"), strings.Contains(err.Error(), "/topics/"):
		return "sunya pubsub topics list"
	case strings.HasPrefix(command, "sunya.pubsub"):
		return "sunya pubsub subscriptions list"
	case strings.HasPrefix(command, "sunya.storage.buckets"), strings.HasPrefix(command, "sunya.storage.mb"), strings.HasPrefix(command, "sunya.storage.rb"):
		return "sunya storage buckets list"
	case strings.HasPrefix(command, "sunya.storage"):
		return "sunya storage ls"
	case strings.HasPrefix(command, "sunya.app.versions"), strings.Contains(err.Error(), "/versions/"):
		return "sunya app versions list"
	case strings.HasPrefix(command, "sunya.app.operations"):
		return "sunya app operations list"
	}
	return "sunya app services list"
}
