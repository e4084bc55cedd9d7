package build

import (
	"context"
	"io/fs"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// Python builds python37 to python315 as Google's buildpacks do: dependencies
// in a virtual environment of their own, the source beside it, gunicorn where
// nothing else serves.
type Python struct{}

var _ FunctionLanguage = Python{}

const python = "python"

// pythons is Python 3, all minor versions that have a runtime id at Google.
var pythons = family{
	language: python, title: "Python",
	oldest: detect.Version{Major: 3, Minor: 7, Patch: -1}, newest: detect.Version{Major: 3, Minor: 15, Patch: -1},
	pins:   []string{"GOOGLE_PYTHON_VERSION", "GOOGLE_RUNTIME_VERSION"},
	usable: func(r Runtime) bool { return r.Has("venv") },
	need:   "Python 3.7 or newer with the venv module", install: "Debian: apt install python3 python3-venv",
}

// Name implements Language.
func (Python) Name() string { return python }

// Runtimes implements Language.
func (Python) Runtimes(m Machine) string { return pythons.runtimes(m) }

// Check implements Language.
func (Python) Check(m Machine, spec sunya.BuildSpec) error { return pythons.check(m, spec) }

// FunctionRuntimes implements FunctionLanguage.
func (Python) FunctionRuntimes() []string { return pythons.known(nil) }

// venvDir is the virtual environment, at build and at run time.
const venvDir = LayersDir + "/python"

// pythonBuild is one build of a Python program.
type pythonBuild struct {
	*Job
	plan *detect.PythonPlan
	rt   Runtime
}

// Build implements Language.
func (Python) Build(ctx context.Context, j *Job) (*Result, error) {
	b := &pythonBuild{Job: j}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	app, err := b.application(ctx)
	if err != nil {
		return nil, err
	}
	deps, err := b.dependencies(ctx)
	if err != nil {
		return nil, err
	}
	return &Result{
		Image:   pythons.image(b.rt, deps, app),
		Command: b.plan.Command, Env: append(pythonEnv(), functionEnv(b.Spec.Function, b.plan.Function, b.plan.Signature)...), Dir: Workspace,
	}, nil
}

// prepare reads the source and chooses the interpreter; it runs nothing.
func (b *pythonBuild) prepare() error {
	w, err := pythons.parse(b.Machine, b.Spec)
	if err != nil {
		return err
	}
	b.plan, err = planOf(b.Job, func(fsys fs.FS, spec sunya.BuildSpec) (*detect.PythonPlan, error) {
		return detect.Python(fsys, spec, w.version)
	})
	if err != nil {
		return err
	}
	b.Warn(b.plan.Warnings...)
	b.rt, err = b.use(pythons, w, b.plan.Requires)
	return err
}

// pythonEnv is what every Python program of ours runs with.
func pythonEnv() []sunya.EnvVar {
	return []sunya.EnvVar{
		{Name: "PATH", Value: venvDir + "/bin:/usr/local/bin:/usr/bin:/bin"},
		{Name: "VIRTUAL_ENV", Value: venvDir},
		{Name: "PYTHONUNBUFFERED", Value: "1"},
		{Name: "PYTHONDONTWRITEBYTECODE", Value: "1"}, // everything is compiled already, and read-only
		{Name: "LANG", Value: "C.UTF-8"},
	}
}
