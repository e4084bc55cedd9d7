package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/api/googleapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya"
)

// TestExitCodes goes through the table of documented codes row by row.
func TestExitCodes(t *testing.T) {
	ended := func(reason string, code sunya.Code) error {
		return &operationFailed{code: code, reason: reason, message: "x"}
	}
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"done", nil, 0},
		{"failed, no better code", errors.New("x"), 1},
		{"internal error of the server", status.Error(codes.Internal, "x"), 1},
		{"usage", usagef("x"), 2},
		{"bad value", sunya.Invalid("f", "x"), 2},
		{"bad value, says the server", status.Error(codes.InvalidArgument, "x"), 2},
		{"not there yet", status.Error(codes.Unimplemented, "x"), 2},
		{"not found", status.Error(codes.NotFound, "x"), 3},
		{"not found over REST", &googleapi.Error{Code: 404}, 3},
		{"not authenticated", status.Error(codes.Unauthenticated, "x"), 4},
		{"not allowed", status.Error(codes.PermissionDenied, "x"), 4},
		{"not allowed over REST", &googleapi.Error{Code: 403}, 4},
		{"exists", status.Error(codes.AlreadyExists, "x"), 5},
		{"precondition", status.Error(codes.FailedPrecondition, "x"), 5},
		{"precondition over REST", &googleapi.Error{Code: 412}, 5},
		{"work that failed by itself", ended("", sunya.FailedPrecondition), 5},
		{"build failed", &failure{err: ended(sunya.ReasonBuildFailed, sunya.FailedPrecondition), code: exitBuildFailed}, 6},
		{"not ready", &failure{err: ended(sunya.ReasonRevisionNotReady, sunya.FailedPrecondition), code: exitNotReady}, 7},
		{"timed out", status.Error(codes.DeadlineExceeded, "x"), 8},
		{"timed out here", fmt.Errorf("x: %w", context.DeadlineExceeded), 8},
		{"unreachable", &unreachable{"http://x", errors.New("refused")}, 9},
		{"went away", status.Error(codes.Unavailable, "x"), 9},
		{"doctor", &failure{err: errors.New("x"), code: exitDoctor}, 10},
		{"Ctrl-C", Signal{2}, 130},
		{"terminated", fmt.Errorf("x: %w", Signal{15}), 143},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := exitCode(tt.err); got != tt.want {
				t.Errorf("exit code = %d, want %d", got, tt.want)
			}
		})
	}
}

// TestExitCodesOfCommands sees the codes come out of whole commands.
func TestExitCodesOfCommands(t *testing.T) {
	f := newFake(t)
	execute(t, f, "app", "deploy", hello(t), "--version", "v1").expect(t, 0)
	tests := []struct {
		name string
		args []string
		code int
		want string // in stderr
	}{
		{"unknown flag", []string{"status", "--nonsense"}, 2, "unknown flag: --nonsense"},
		{"unknown command", []string{"statsu"}, 2, `there is no command "sunya statsu"; nearest: status`},
		{"unknown command of a group", []string{"app", "version"}, 2, "nearest: versions"},
		{"unknown command, far from all", []string{"xyzzy"}, 2, "there is no command \"sunya xyzzy\"\n"},
		{"a command of gcloud's", []string{"app", "runtimes", "list"}, 2, "sunya doctor lists the runtimes"},
		{"bad format", []string{"status", "--format", "xml"}, 2, `--format: "xml" is not allowed`},
		{"bad server", []string{"status", "--server", "ftp://x"}, 2, `--server: "ftp://x" is not an address`},
		{"bad project", []string{"status", "--project", "No!"}, 2, `"No!" is not a project id`},
		{"too many arguments", []string{"status", "x"}, 2, `unexpected argument "x"`},
		{"missing argument", []string{"app", "services", "describe"}, 2, "the name of a service is missing"},
		{"bad time", []string{"logs", "--since", "yesterday"}, 2, "--since: \"yesterday\" is not a time"},
		{"bad severity", []string{"logs", "--severity", "LOUD"}, 2, "--severity"},
		{"bad filter, says the server", []string{"logs", "--filter", "("}, 2, "filter: expected a comparison"},
		{"no such service", []string{"app", "services", "describe", "nope"}, 3, "apps/sunya/services/nope: not found"},
		{"no such version", []string{"app", "versions", "describe", "nope"}, 3, "Try: sunya app versions list"},
		{"delete what serves", []string{"app", "versions", "delete", "v1", "--yes"}, 5, "gets traffic"},
		{"delete without asking", []string{"app", "versions", "delete", "v1"}, 2, "--yes"},
		{"unknown template", []string{"init", "cobol-app"}, 2, `there is no template "cobol-app"; there is: go-function, node-function, python-app, python-function`},
		{"unknown shell", []string{"completion", "tcsh"}, 2, "tcsh"},
		{"unknown shell of env", []string{"env", "--shell", "tcsh"}, 2, "tcsh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := execute(t, f, tt.args...).expect(t, tt.code)
			if !strings.Contains(r.stderr.String(), tt.want) {
				t.Errorf("stderr = %s, want %q", r.stderr, tt.want)
			}
			if !strings.HasPrefix(r.stderr.String(), "ERROR: (sunya") {
				t.Errorf("stderr does not begin with the command: %s", r.stderr)
			}
			if r.stdout.String() != "" {
				t.Errorf("stdout = %q", r.stdout)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := "http://" + l.Addr().String()
	l.Close()
	for _, args := range [][]string{
		{"status"}, {"logs"}, {"open"}, {"app", "deploy", hello(t)}, {"app", "services", "list"}, {"app", "versions", "list"},
	} {
		r := execute(t, nil, append(args, "--server", addr)...).expect(t, exitUnreachable)
		if !strings.Contains(r.stderr.String(), "Try: sunya up") {
			t.Errorf("%v: stderr = %s", args, r.stderr)
		}
	}
}

func TestNotASunyaServer(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"another API": http.NotFound,
		"a web page":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
	} {
		srv := httptest.NewServer(answer)
		r := execute(t, nil, "status", "--server", srv.URL).expect(t, exitUnreachable)
		if !strings.Contains(r.stderr.String(), "something else does") {
			t.Errorf("%s: stderr = %s", name, r.stderr)
		}
		srv.Close()
	}
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":{"code":401,"message":"a token is needed","status":"UNAUTHENTICATED"}}`)
	}))
	defer denied.Close()
	refused := execute(t, nil, "status", "--server", denied.URL).expect(t, exitDenied)
	if !strings.Contains(refused.stderr.String(), "a token is needed") || !strings.Contains(refused.stderr.String(), "Try: set SUNYA_TOKEN") {
		t.Errorf("stderr = %s", refused.stderr)
	}
}

func TestServerAddressWithPath(t *testing.T) {
	f := newFake(t)
	r := execute(t, f, "status", "--server", f.url+"/path").expect(t, exitUsage)
	if !strings.Contains(r.stderr.String(), "more than scheme, host and port") {
		t.Errorf("stderr = %s", r.stderr)
	}
}

func TestSignalBeforeAnything(t *testing.T) {
	f := newFake(t)
	for n, want := range map[int]int{2: 130, 15: 143} {
		r := prepare(t, f, "status")
		if code := Main(cancelled(n), r.env); code != want {
			t.Errorf("signal %d: exit %d, want %d", n, code, want)
		}
	}
}
