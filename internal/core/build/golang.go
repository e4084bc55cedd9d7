package build

import (
	"context"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// Go builds go111 to go127 as Google's buildpacks do: go build of the main
// package, the source beside the binary. What it leaves needs no runtime.
type Go struct{}

var _ FunctionLanguage = Go{}

// gos is every Go that has a runtime id at Google.
var gos = family{
	language: "go", title: "Go",
	oldest: detect.Version{Major: 1, Minor: 11, Patch: -1}, newest: detect.Version{Major: 1, Minor: 27, Patch: -1},
	pins: []string{"GOOGLE_GO_VERSION", "GOOGLE_RUNTIME_VERSION"},
	need: "Go 1.11 or newer", install: "https://go.dev/dl/, or Debian: apt install golang-go",
}

// Name implements Language.
func (Go) Name() string { return gos.language }

// Runtimes implements Language.
func (Go) Runtimes(m Machine) string { return gos.runtimes(m) }

// Check implements Language. Which Go compiles is decided at build time: the
// go command can fetch another one.
func (Go) Check(m Machine, spec sunya.BuildSpec) error {
	if _, err := gos.parse(m, spec); err != nil {
		return err
	}
	_, err := gos.candidates(m)
	return err
}

const (
	goDir  = LayersDir + "/go"
	goMain = goDir + "/bin/main" // "main" is the name at Google; user's lines find it on PATH
)

// goBuild is one build of a Go program.
type goBuild struct {
	*Job
	plan *detect.GoPlan
	rt   Runtime
	tool []sunya.Layer // the fetched tool chain, if rt is one
}

// Build implements Language.
func (Go) Build(ctx context.Context, j *Job) (*Result, error) {
	b := &goBuild{Job: j}
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	app, err := b.source(ctx)
	if err != nil {
		return nil, err
	}
	bin, err := b.binary(ctx)
	if err != nil {
		return nil, err
	}
	command := b.plan.Command
	if command == nil {
		command = []string{goMain}
	}
	return &Result{
		// Neither directories of the machine nor a fingerprint: the binary stands
		// alone, and stays right when the machine's Go changes.
		Image:   sunya.Image{Stack: sunya.HostStack, Layers: []sunya.Layer{app, bin}, Runtime: "Go " + b.rt.Version},
		Command: command, Dir: Workspace,
		Env: append([]sunya.EnvVar{
			{Name: "PATH", Value: goDir + "/bin:/usr/local/bin:/usr/bin:/bin"},
			{Name: "LANG", Value: "C.UTF-8"},
		}, b.functionEnv()...),
	}, nil
}

// source is the layer of the source's files, which the program may read: pages,
// templates. It is empty where the user wants it so.
func (b *goBuild) source(ctx context.Context) (sunya.Layer, error) {
	clear, err := b.clears()
	if err != nil {
		return sunya.Layer{}, err
	}
	switch {
	case !clear && b.plan.Function != nil:
		return b.application(ctx, []any{"function"}, "taken", moveFunction)
	case !clear:
		return b.application(ctx, nil, "taken", nil)
	}
	return b.application(ctx, []any{"cleared"}, "cleared", func(_ context.Context, dir string) error { return clearSource(dir) })
}

// prepare reads the source and finds the Go that compiles it.
func (b *goBuild) prepare(ctx context.Context) error {
	plan, err := planOf(b.Job, detect.Go)
	if err != nil {
		return err
	}
	b.plan = plan
	if err := b.choose(ctx); err != nil {
		return err
	}
	b.Printf("Go %s (%s)", b.rt.Version, b.rt.Path)
	if b.plan.Found {
		b.Printf("Building %s, the only main package of the source", b.plan.Package)
	}
	if b.plan.Ignored {
		b.Warn("the vendor folder is ignored: go.mod needs a line go 1.14 or newer for it")
	}
	return nil
}
