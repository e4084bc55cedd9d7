package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// dependencies is the layer of the virtual environment. Its key is everything
// that decides its content, and the project: a cache that one project's code
// could write into must not feed another's.
func (b *pythonBuild) dependencies(ctx context.Context) (sunya.Layer, error) {
	ins := b.chooseInstaller()
	k, err := b.dependencyKey(ins)
	if err != nil {
		return sunya.Layer{}, err
	}
	install := func(ctx context.Context, dir string) error { return b.install(ctx, ins, dir) }
	if b.nothingToInstall() {
		b.Printf("No dependencies to install")
		l, _, err := b.Layer(ctx, k, venvDir, func(dir string) error { return install(ctx, dir) })
		return l, err
	}
	return b.installed(ctx, k, venvDir, install)
}

func (b *pythonBuild) dependencyKey(ins installer) (string, error) {
	files := map[string]string{}
	for _, name := range b.plan.Manifests {
		data, err := os.ReadFile(filepath.Join(b.Dir, filepath.FromSlash(name)))
		if err != nil {
			return "", fmt.Errorf("read manifest: %w", err)
		}
		files[name] = string(data)
	}
	tree := ""
	if b.plan.WholeTree {
		var err error
		if tree, err = b.sourceSum(); err != nil {
			return "", err
		}
	}
	return key([]any{"python deps 1", b.Project, b.plan.Manager, b.plan.Extra, files, tree,
		b.rt.Fingerprint, ins.class, b.cacheEnv(), venvDir})
}

// install makes the virtual environment in dir.
func (b *pythonBuild) install(ctx context.Context, ins installer, dir string) error {
	if b.nothingToInstall() {
		return b.emptyVenv(dir)
	}
	tools, err := b.tools(ctx, &ins)
	if err != nil {
		return err
	}
	b.Printf("Installing dependencies from %s with %s", manifestName(b.plan.Manager), ins.class)
	mounts := append(tools,
		sandbox.Mount{Source: dir, Target: venvDir, Writable: true},
		sandbox.Mount{Source: b.Dir, Target: Workspace, Writable: true},
		b.Cache())
	err = b.Run(ctx, Step{
		Name:   "Installing dependencies",
		Args:   []string{"/bin/sh", "-c", b.script(ins)},
		Env:    b.Env(b.installEnv()),
		Dir:    Workspace,
		Mounts: b.Mounts(b.rt, mounts...),
	})
	var step *errStep
	if errors.As(err, &step) && !step.exit.OOMKilled {
		return failed(b.Last(), "%s", installCause(b.Telling(), b.plan))
	}
	return err
}

func manifestName(m detect.Manager) string {
	if m == detect.NoManager {
		return "the platform's own list"
	}
	return string(m)
}

// installEnv is what installers are told. Files are copied out of the cache,
// never linked: a layer is nobody's but its own.
func (b *pythonBuild) installEnv() map[string]string {
	env := map[string]string{
		"PATH":                    toolPath,
		"VIRTUAL_ENV":             venvDir,
		"SUNYA_PYTHON":            b.rt.Path,
		"NO_COLOR":                "1",
		"PYTHONDONTWRITEBYTECODE": "1",
		"PYTHONUNBUFFERED":        "1",
	}
	maps.Copy(env, uvEnv)
	maps.Copy(env, pipEnv)
	maps.Copy(env, poetryEnv)
	return env
}
