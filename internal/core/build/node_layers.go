package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// layers are the source and, where nothing in the source takes part in their
// install, the packages as a layer of their own that is mounted into it. What
// build scripts have run over is one layer: they may write anywhere.
func (b *nodeBuild) layers(ctx context.Context) ([]sunya.Layer, error) {
	var deps []sunya.Layer
	if b.cacheable() {
		l, err := b.dependencies(ctx)
		if err != nil {
			return nil, err
		}
		deps = append(deps, l)
	}
	app, err := b.application(ctx, deps)
	if err != nil {
		return nil, err
	}
	if len(b.plan.Scripts) > 0 {
		return []sunya.Layer{app}, nil
	}
	return append([]sunya.Layer{app}, deps...), nil
}

// cacheable reports whether the packages follow from the manifests alone.
func (b *nodeBuild) cacheable() bool {
	return b.plan.Manager != detect.NoNode && !b.plan.WholeTree && !b.plan.Vendored
}

// dependencies is the layer of node_modules. Its key is everything that
// decides its content, and the project.
func (b *nodeBuild) dependencies(ctx context.Context) (sunya.Layer, error) {
	files := map[string]string{}
	for _, name := range b.plan.Manifests {
		data, err := os.ReadFile(filepath.Join(b.Dir, name))
		if err != nil {
			return sunya.Layer{}, fmt.Errorf("read manifest: %w", err)
		}
		files[name] = string(data)
	}
	k, err := key([]any{"node deps 2", b.keepsCompiled(), b.Project, b.plan.Manager, b.plan.Version, b.plan.Dev, files, b.rt.Fingerprint, b.cacheEnv()})
	if err != nil {
		return sunya.Layer{}, err
	}
	return b.installed(ctx, k, modulesDir, b.installAlone)
}

// installAlone installs beside nothing but the manifests: no code of the
// source is there that could make a difference.
func (b *nodeBuild) installAlone(ctx context.Context, modules string) error {
	dir, err := os.MkdirTemp(b.scratch, "manifests-")
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Join(dir, "node_modules"), 0o755)); err != nil {
		return err
	}
	for _, name := range b.plan.Manifests {
		data, err := os.ReadFile(filepath.Join(b.Dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	workspace := []sandbox.Mount{{Source: dir, Target: Workspace, Writable: true}, {Source: modules, Target: modulesDir, Writable: true}}
	if err := b.install(ctx, workspace...); err != nil {
		return err
	}
	return b.warm(ctx, workspace...)
}

// install runs the package manager.
func (b *nodeBuild) install(ctx context.Context, workspace ...sandbox.Mount) error {
	b.Printf("Installing dependencies with %s", b.plan.Manager)
	err := b.step(ctx, "Installing dependencies", b.installLines(), map[string]string{"NODE_ENV": b.installMode()}, workspace...)
	if isStep(err) && !outOfMemory(err) {
		return failed(b.Last(), "%s", nodeInstallCause(b.Telling(), b.plan))
	}
	return err
}

// installMode is what NODE_ENV says to package managers: whether development
// packages are wanted.
func (b *nodeBuild) installMode() string {
	if v := b.Spec.Env["NODE_ENV"]; v != "" {
		return v
	}
	if b.plan.Dev {
		return "development"
	}
	return "production"
}

// application is the layer of the source.
func (b *nodeBuild) application(ctx context.Context, deps []sunya.Layer) (sunya.Layer, error) {
	parts := []any{"node 1", b.rt.Fingerprint, b.plan}
	did := "checked"
	if len(b.plan.Scripts) > 0 || b.plan.WholeTree || b.plan.Vendored {
		parts = append(parts, b.cacheEnv(), deps)
		did = "built and checked"
	}
	return b.Job.application(ctx, parts, did, func(ctx context.Context, dir string) error {
		if err := b.modules(ctx, dir, deps); err != nil {
			return err
		}
		if err := b.runScripts(ctx, dir); err != nil {
			return err
		}
		return b.checkEntry(ctx, dir)
	})
}

// modules puts what belongs there into node_modules of a copied source: a
// place for the layer of packages, or the packages themselves.
func (b *nodeBuild) modules(ctx context.Context, dir string, deps []sunya.Layer) error {
	modules := filepath.Join(dir, "node_modules")
	workspace := sandbox.Mount{Source: dir, Target: Workspace, Writable: true}
	if b.plan.Vendored {
		return b.step(ctx, "Building the packages of the source", []string{"npm rebuild"}, nil, workspace)
	}
	if err := tree.Remove(modules); err != nil {
		return err
	}
	switch {
	case b.plan.Manager == detect.NoNode:
		b.Printf("No dependencies to install")
		return nil
	case b.plan.WholeTree:
		b.Printf("The source takes part in the install (%s): it is done again for every change", b.plan.Why)
		return b.install(ctx, workspace)
	}
	if err := os.Mkdir(modules, 0o755); err != nil || len(b.plan.Scripts) == 0 {
		return err
	}
	from, err := b.LayerMount(deps[0])
	if err != nil {
		return err
	}
	return copyTree(from.Source, modules)
}

// runScripts runs the scripts that are meant for the build and removes the
// development packages that they needed.
func (b *nodeBuild) runScripts(ctx context.Context, dir string) error {
	workspace := sandbox.Mount{Source: dir, Target: Workspace, Writable: true}
	for _, name := range b.plan.Scripts {
		b.Printf("Running the script %s", name)
		err := b.step(ctx, "The script "+name, []string{b.runner() + ` run "$SUNYA_SCRIPT"`}, map[string]string{"SUNYA_SCRIPT": name}, workspace)
		if isStep(err) && !outOfMemory(err) {
			return failed(b.Last(), "%s", scriptCause(name, b.Telling(), b.plan.Default))
		}
		if err != nil {
			return err
		}
	}
	if !b.plan.Prune || len(b.plan.Scripts) == 0 {
		return nil
	}
	lines := b.pruneLines()
	if len(lines) == 0 {
		b.Warn("development packages stay in the image: this yarn cannot remove them")
		return nil
	}
	return b.step(ctx, "Removing development packages", lines, map[string]string{"NODE_ENV": "production"}, workspace)
}

// step runs lines of shell in the source with Node.js and the package manager.
func (b *nodeBuild) step(ctx context.Context, name string, lines []string, own map[string]string, workspace ...sandbox.Mount) error {
	host, err := b.withNPM()
	if err != nil {
		return err
	}
	mounts, err := b.runtimeMounts()
	if err != nil {
		return err
	}
	manager, err := b.managerMount(ctx, host)
	if err != nil {
		return err
	}
	mounts = append(append(mounts, manager...), workspace...)
	if host.Path != b.rt.Path {
		for _, p := range host.Prefixes {
			mounts = append(mounts, sandbox.Mount{Source: p, Target: p})
		}
	}
	env := b.managerEnv()
	env["PATH"] = managerDir + "/bin:" + b.path() + ":" + filepath.Dir(host.Path)
	maps.Copy(env, own)
	return b.Run(ctx, Step{Name: name, Args: []string{"/bin/sh", "-c", "set -e\n" + strings.Join(lines, "\n")},
		Env: b.Env(env), Dir: Workspace, Mounts: b.Mounts(b.rt, append(mounts, b.Cache())...)})
}

func outOfMemory(err error) bool {
	var step *errStep
	return errors.As(err, &step) && step.exit.OOMKilled
}

// checkEntry has node read the files that the program is started with, so that
// a syntax error is a failed build and not a failed start.
func (b *nodeBuild) checkEntry(ctx context.Context, dir string) error {
	var entry []string
	for _, name := range b.plan.Entry {
		switch filepath.Ext(name) {
		case ".js", ".cjs", ".mjs":
			fi, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name)))
			switch simple := strings.HasPrefix(b.plan.Line, "exec "); {
			case err == nil && fi.Mode().IsRegular():
				entry = append(entry, name)
			case errors.Is(err, os.ErrNotExist) && simple: // several commands may make it
				return failed(nil, "the %s is started with %s, which is not in the source%s", b.noun(), name, b.afterScripts())
			}
		}
	}
	if len(entry) == 0 {
		return nil
	}
	mounts, err := b.runtimeMounts()
	if err != nil {
		return err
	}
	err = b.Run(ctx, Step{
		Name: "Checking the source",
		Args: append([]string{"/bin/sh", "-c", `for f; do "$SUNYA_NODE" --check "$f" || exit; done`, "check"}, entry...),
		Env:  b.Env(map[string]string{"PATH": b.path(), "SUNYA_NODE": b.rt.Path}),
		Dir:  Workspace, Mounts: b.Mounts(b.rt, append(mounts, sandbox.Mount{Source: dir, Target: Workspace})...),
	})
	if isStep(err) {
		return failed(b.Last(), "%s", checkCause(b.Last()))
	}
	return err
}

func (b *nodeBuild) noun() string {
	if b.plan.Function != "" {
		return "function"
	}
	return "program"
}

func (b *nodeBuild) afterScripts() string {
	if len(b.plan.Scripts) == 0 {
		return ""
	}
	return " and was not made by the script " + strings.Join(b.plan.Scripts, " or ")
}
