package build_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func TestStepsThatFail(t *testing.T) {
	tests := []struct {
		rule string
		kind string
		exit sandbox.Exit
		out  string
		want string
	}{
		{"syntax error", "compile", sandbox.Exit{Code: 65}, "error: main.py:3: SyntaxError: '(' was never closed\n    print(\n         ^\n", "main.py:3: SyntaxError: '(' was never closed"},
		{"unknown package", "install", sandbox.Exit{Code: 1}, "ERROR: No matching distribution found for flask\n", "no package `flask` found: check requirements.txt line 1"},
		{"out of memory", "install", sandbox.Exit{Code: 137, Signal: 9, OOMKilled: true}, "", "installing dependencies needed more than the 2 GiB"},
		{"compile crash", "compile", sandbox.Exit{Code: 139}, "", "checking the source failed with exit status 139"},
	}
	for _, tt := range tests {
		b := newBench(t, func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
			if kindOf(s) != tt.kind {
				return works(ctx, s, out)
			}
			io.WriteString(out, tt.out)
			return tt.exit
		})
		_, err := b.build(t)
		var e *build.Error
		if !errors.As(err, &e) || sunya.CodeOf(err) != sunya.FailedPrecondition || e.Err.Message != tt.want && !strings.HasPrefix(e.Err.Message, tt.want) {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if got := strings.Join(e.Lines, "\n"); got != strings.TrimSuffix(tt.out, "\n") {
			t.Errorf("%s: lines %q", tt.rule, got)
		}
	}
}

func TestWithoutUV(t *testing.T) {
	b := newBench(t, func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
		if kindOf(s) == "tool" {
			return sandbox.Exit{Code: 1}
		}
		return works(ctx, s, out)
	})
	if _, err := b.build(t); err != nil {
		t.Fatal(err)
	}
	script := b.engine.starts[2].Args[2]
	if !strings.Contains(script, "-m pip --python /layers/python/bin/python install -r requirements.txt gunicorn") {
		t.Errorf("script:\n%s", script)
	}
}

func TestPackageManagerByVariable(t *testing.T) {
	b := newBench(t, works)
	if _, err := b.build(t, func(r *build.Request) { r.Spec.Env = map[string]string{"GOOGLE_PYTHON_PACKAGE_MANAGER": "pip"} }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"compile", "install"}, b.kinds()); diff != "" {
		t.Error(diff)
	}
}

func TestBuildTimeout(t *testing.T) {
	b := newBench(t, func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
		<-ctx.Done()
		return sandbox.Exit{Code: 143, Signal: 15}
	})
	_, err := b.build(t, func(r *build.Request) { r.Spec.Timeout = time.Millisecond })
	if sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), "took longer than 1ms") {
		t.Errorf("err = %v", err)
	}
}

func TestCancelledBuildIsNotTheUsersFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newBench(t, func(stop context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
		cancel()
		<-stop.Done()
		return sandbox.Exit{Code: 143, Signal: 15}
	})
	_, err := b.Build(ctx, build.Request{ID: "b", Project: "sunya", Dir: b.src, Spec: sunya.BuildSpec{Runtime: "python311"}})
	if sunya.CodeOf(err) != sunya.Canceled {
		t.Errorf("err = %v", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	b := newBench(t, func(ctx context.Context, s sandbox.Spec, out io.Writer) sandbox.Exit {
		if kindOf(s) != "install" {
			return works(ctx, s, out)
		}
		line := strings.Repeat("x", 1<<20) // one line, longer than any is kept
		for range 3 {
			io.WriteString(out, line)
		}
		io.WriteString(out, "\n\xff\xfe broken\n")
		for range 20_000 {
			io.WriteString(out, strings.Repeat("y", 1023)+"\n")
		}
		return sandbox.Exit{Code: 1}
	})
	_, err := b.build(t)
	var e *build.Error
	if !errors.As(err, &e) || len(e.Lines) != 50 || len(e.Lines[0]) != 1023 {
		t.Fatalf("err = %v", err)
	}
	if n := b.log.Len(); n > 9<<20 {
		t.Errorf("%d bytes logged", n)
	}
	if !strings.Contains(b.log.String(), "? broken") || !strings.Contains(b.log.String(), "rest is not kept") {
		t.Error("the log does not say what it lacks")
	}
}

func TestUnknownRuntimes(t *testing.T) {
	b := newBench(t, works)
	for runtime, code := range map[string]sunya.Code{"dotnet8": sunya.Unimplemented, "pyhton311": sunya.InvalidArgument, "python": sunya.InvalidArgument, "": sunya.InvalidArgument} {
		err := b.Check(sunya.BuildSpec{Runtime: runtime})
		if sunya.CodeOf(err) != code || !strings.Contains(err.Error(), "this machine has Python 3.11.7") {
			t.Errorf("%q: %v", runtime, err)
		}
		_, err = b.build(t, func(r *build.Request) { r.Spec.Runtime = runtime })
		if sunya.CodeOf(err) != code {
			t.Errorf("build %q: %v", runtime, err)
		}
	}
}
