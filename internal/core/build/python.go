package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// Python builds python37 to python315 as Google's buildpacks do: dependencies
// in a virtual environment of their own, the source beside it, gunicorn where
// nothing else serves.
type Python struct{}

var _ Language = Python{}

// Name implements Language.
func (Python) Name() string { return python }

// Check implements Language.
func (Python) Check(m Machine, spec sunya.BuildSpec) error {
	w, err := parsePython(m, spec)
	if err != nil {
		return err
	}
	_, _, err = choosePython(m, w, detect.Range{})
	return err
}

// venvDir is the virtual environment, at build and at run time.
const venvDir = LayersDir + "/python"

// pythonBuild is one build of a Python program.
type pythonBuild struct {
	*Job
	plan    *detect.PythonPlan
	rt      Runtime
	sum     string // of the whole source
	warning []string
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
		Image: sunya.Image{
			Stack: sunya.HostStack, Layers: []sunya.Layer{deps, app},
			HostPaths: b.rt.Prefixes, Fingerprint: b.rt.Fingerprint, Runtime: "Python " + b.rt.Version,
		},
		Command: b.plan.Command, Env: pythonEnv(), Dir: Workspace,
		Warnings: b.warning,
	}, nil
}

// prepare reads the source and chooses the interpreter; it runs nothing.
func (b *pythonBuild) prepare() error {
	w, err := parsePython(b.Machine, b.Spec)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(b.Dir)
	if err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	defer root.Close()
	if b.plan, err = detect.Python(root.FS(), b.Spec, w.version); err != nil {
		return asFailed(err)
	}
	rt, warning, err := choosePython(b.Machine, w, b.plan.Requires)
	if err != nil {
		return err
	}
	b.rt = rt
	b.warn(b.plan.Warnings...)
	if warning != "" {
		b.warn(warning)
	}
	b.Printf("Python %s (%s)", rt.Version, rt.Path)
	b.sum, err = treeSum(b.Dir)
	return err
}

func (b *pythonBuild) warn(lines ...string) {
	for _, l := range lines {
		b.warning = append(b.warning, l)
		b.Printf("Warning: %s", l)
	}
}

// asFailed gives an error about the source its build type.
func asFailed(err error) error {
	var e *sunya.Error
	if errors.As(err, &e) && e.Reason == sunya.ReasonBuildFailed {
		return &Error{Err: e}
	}
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

// cacheEnv is the part of the environment that decides what gets installed.
// Proxies and certificates only decide how it is fetched.
func (b *pythonBuild) cacheEnv() map[string]string {
	env := map[string]string{}
	for k, v := range b.client {
		if !transportVariable(k) {
			env[k] = v
		}
	}
	for k, v := range b.Spec.Env {
		env[k] = v
	}
	delete(env, "GOOGLE_ENTRYPOINT")
	return env
}

func transportVariable(name string) bool {
	name = strings.ToUpper(name)
	for _, part := range []string{"PROXY", "CERT", "CA_BUNDLE", "SSL", "TIMEOUT", "RETRIES"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
