package build

import (
	"context"
	"maps"
	"path"
	"slices"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Node builds nodejs10 to nodejs26 as Google's buildpacks do: the packages by
// the manager whose lock file is there, the scripts that are meant for the
// build, and what npm start comes to.
type Node struct{}

var _ FunctionLanguage = Node{}

const nodejs = "nodejs"

// nodes is Node.js, all major versions that have a runtime id at Google.
var nodes = family{
	language: nodejs, title: "Node.js",
	oldest: detect.Version{Major: 10, Minor: -1, Patch: -1}, newest: detect.Version{Major: 26, Minor: -1, Patch: -1},
	pins: []string{"GOOGLE_NODEJS_VERSION", "GOOGLE_RUNTIME_VERSION"},
	need: "Node.js 10 or newer", install: "Debian: apt install nodejs npm",
}

// Name implements Language.
func (Node) Name() string { return nodejs }

// Runtimes implements Language.
func (Node) Runtimes(m Machine) string { return nodes.runtimes(m) }

// Check implements Language. A version that is not here may be fetched, or
// replaced: any Node.js will do until the source has been read.
func (Node) Check(m Machine, spec sunya.BuildSpec) error {
	if _, err := nodes.parse(m, spec); err != nil {
		return err
	}
	_, err := nodes.candidates(m)
	return err
}

// modulesDir is where the packages of a program are, in its own source.
const modulesDir = Workspace + "/node_modules"

// nodeBuild is one build of a Node.js program.
type nodeBuild struct {
	*Job
	plan *detect.NodePlan
	rt   Runtime
	own  []sunya.Layer // of a Node.js that was fetched

	typed bool // the function's file registers a typed one
}

// Build implements Language.
func (Node) Build(ctx context.Context, j *Job) (*Result, error) {
	b := &nodeBuild{Job: j}
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	layers, err := b.layers(ctx)
	if err != nil {
		return nil, err
	}
	target, err := b.target(layers[0])
	if err != nil {
		return nil, err
	}
	framework, err := b.framework(ctx)
	if err != nil {
		return nil, err
	}
	img := nodes.image(b.rt, slices.Concat(b.own, framework, layers)...)
	if len(b.own) > 0 {
		img.Fingerprint = "" // it stands on nothing of this machine
	}
	return &Result{Image: img, Command: []string{b.plan.Shell, "-c", b.heapLine() + b.plan.Line}, Env: append(b.env(layers), b.functionEnv(target)...), Dir: Workspace}, nil
}

// prepare reads the source and chooses the runtime.
func (b *nodeBuild) prepare(ctx context.Context) error {
	w, err := nodes.parse(b.Machine, b.Spec)
	if err != nil {
		return err
	}
	if b.plan, err = planOf(b.Job, detect.Node); err != nil {
		return err
	}
	b.Warn(b.plan.Warnings...)
	return b.runtime(ctx, w)
}

// heapLine keeps the heap below the instance's memory, at 80 % as Google does:
// V8 sees the machine's and would grow until the limit kills it. An option of
// the user's own comes behind it, and wins.
func (b *nodeBuild) heapLine() string {
	memory := "GAE_MEMORY_MB"
	if b.plan.Function != "" {
		memory = memoryVar
	}
	return `[ -z "$` + memory + `" ] || export NODE_OPTIONS="--max-old-space-size=$((` + memory + ` * 8 / 10)) $NODE_OPTIONS"` + "\n"
}

// env is what a Node.js program of ours runs with.
func (b *nodeBuild) env(layers []sunya.Layer) []sunya.EnvVar {
	env := map[string]string{"PATH": modulesDir + "/.bin:" + b.path(), "NODE_ENV": "production", "LANG": "C.UTF-8"}
	maps.Copy(env, b.compileEnv(layers))
	maps.Copy(env, b.plan.Env)
	if b.plan.PnP {
		env["NODE_OPTIONS"] = "--require " + Workspace + "/.pnp.cjs"
	}
	if v := b.Spec.Env["NODE_ENV"]; v != "" {
		env["NODE_ENV"] = v
	}
	return sortedEnv(env)
}

// sortedEnv lists variables in the order of their names.
func sortedEnv(env map[string]string) []sunya.EnvVar {
	var list []sunya.EnvVar
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, sunya.EnvVar{Name: name, Value: env[name]})
	}
	return list
}

// path begins with the runtime's own folder.
func (b *nodeBuild) path() string {
	const system = "/usr/local/bin:/usr/bin:/bin"
	if dir := path.Dir(b.rt.Path); dir != "/usr/bin" {
		return dir + ":" + system
	}
	return system
}

// runtimeMounts shows a Node.js that was fetched.
func (b *nodeBuild) runtimeMounts() ([]sandbox.Mount, error) {
	var ms []sandbox.Mount
	for _, l := range b.own {
		m, err := b.LayerMount(l)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}
