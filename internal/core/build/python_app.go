package build

import (
	"context"
	_ "embed"
	"errors"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// compilePy compiles a source tree and checks the entry files.
//
//go:embed compile.py
var compilePy string

// badEntry is compile.py's exit status for an entry file with an error.
const badEntry = 65

// application is the layer of the source with its compiled code. Unchanged
// source on an unchanged interpreter is the layer of before: nothing runs.
func (b *pythonBuild) application(ctx context.Context) (sunya.Layer, error) {
	parts := []any{"python 2", b.rt.Fingerprint, b.plan.Entry, b.checks(), compilePy}
	return b.Job.application(ctx, parts, "compiled and checked", b.compile)
}

func (b *pythonBuild) compile(ctx context.Context, dir string) error {
	err := b.Run(ctx, Step{
		Name:   "Checking the source",
		Args:   append([]string{b.rt.Path, "-I", "-S", "-B", "-c", compilePy, Workspace, b.checks()}, b.plan.Entry...),
		Env:    b.Env(map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin"}),
		Dir:    Workspace,
		Mounts: b.Mounts(b.rt, sandbox.Mount{Source: dir, Target: Workspace, Writable: true}),
	})
	var step *errStep
	if errors.As(err, &step) && step.exit.Code == badEntry {
		return failed(b.Last(), "%s", entryCause(b.Last()))
	}
	return err
}

// checks says what of the entry files is checked besides their syntax: that they
// have the function, and the imports where nothing but gunicorn gets installed,
// so that it is certain what is missing.
func (b *pythonBuild) checks() string {
	switch {
	case b.plan.Function != "":
		return "function:" + b.plan.Function
	case b.plan.Manager == detect.NoManager && b.plan.Default:
		return "imports"
	}
	return ""
}

// entryCause is the sentence in compile.py's output: the line that it begins
// with "error: ".
func entryCause(lines []string) string {
	for _, l := range lines {
		if cause, ok := strings.CutPrefix(l, "error: "); ok {
			return cause
		}
	}
	return "the source has a syntax error: see the build log"
}
