package build

import (
	"context"
	"errors"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// installer is the kind of tool that fills a virtual environment.
type installer struct {
	class string // "uv" or "pip"
	tool  string // what runs above it: "poetry", "pipenv" or nothing
}

const (
	uv  = "uv"
	pip = "pip"

	toolPath = venvDir + "/bin:" + LayersDir + "/uv/bin:" + LayersDir + "/tool/bin:/usr/local/bin:/usr/bin:/bin"
)

// uvSince is the oldest minor version of Python that uv supports.
const uvSince = 8

// The settings of the installers, the same for every build.
var (
	uvEnv = map[string]string{
		"UV_CACHE_DIR": cacheMount + "/uv", "UV_LINK_MODE": "copy", "UV_COMPILE_BYTECODE": "1",
		"PYC_INVALIDATION_MODE": "UNCHECKED_HASH", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never",
		"UV_PROJECT_ENVIRONMENT": venvDir, "UV_PYTHON": venvDir + "/bin/python",
	}
	pipEnv = map[string]string{
		"PIP_CACHE_DIR": cacheMount + "/pip", "PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
		"PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off", "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_COMPILE": "1",
	}
	poetryEnv = map[string]string{
		"POETRY_CACHE_DIR": cacheMount + "/poetry", "POETRY_VIRTUALENVS_CREATE": "false", "POETRY_NO_INTERACTION": "1",
		"PIPENV_CACHE_DIR": cacheMount + "/pipenv", "PIPENV_VERBOSITY": "-1", "PIPENV_NOSPIN": "1", "PIPENV_YES": "1",
	}
)

// chooseInstaller is uv unless the user or the interpreter's age says pip.
func (b *pythonBuild) chooseInstaller() installer {
	ins := installer{class: uv}
	v, err := detect.ParseVersion(b.rt.Version)
	if b.Spec.Env["GOOGLE_PYTHON_PACKAGE_MANAGER"] == pip || err != nil || v.Minor < uvSince {
		ins.class = pip
	}
	switch b.plan.Manager {
	case detect.PoetryLock:
		ins.tool = "poetry"
	case detect.Pipfile:
		ins.tool = "pipenv"
	}
	return ins
}

// tools returns the mounts of the tools that an installer needs, each a layer
// of its own. Where uv cannot be had, the installer becomes pip.
func (b *pythonBuild) tools(ctx context.Context, ins *installer) ([]sandbox.Mount, error) {
	var mounts []sandbox.Mount
	if ins.class == uv {
		m, err := b.uv(ctx)
		var step *errStep
		if errors.As(err, &step) {
			b.Printf("uv cannot be had here: using pip")
			ins.class = pip
		} else if err != nil {
			return nil, err
		}
		mounts = append(mounts, m...)
	}
	if ins.tool == "" {
		return mounts, nil
	}
	m, err := b.tool(ctx, *ins, mounts)
	return append(mounts, m...), err
}

// uv returns the mount of uv, or none when the machine has it in its standard
// directories.
func (b *pythonBuild) uv(ctx context.Context) ([]sandbox.Mount, error) {
	if len(b.Machine.of(uv)) > 0 {
		return nil, nil
	}
	host, err := b.withPip()
	if err != nil {
		return nil, err
	}
	script := `set -e
"$SUNYA_PYTHON" -m pip install --quiet --target /layers/uv uv
test -x /layers/uv/bin/uv`
	if !host.Has(pip) {
		script = `set -e
"$SUNYA_PYTHON" -m venv /build/venv
/build/venv/bin/python -m pip install --quiet --target /layers/uv uv
test -x /layers/uv/bin/uv`
	}
	return b.pythonTool(ctx, host, "uv", LayersDir+"/uv", script, nil)
}

// tool returns the mount of poetry or pipenv, in a virtual environment of its
// own on the interpreter of the build.
func (b *pythonBuild) tool(ctx context.Context, ins installer, with []sandbox.Mount) ([]sandbox.Mount, error) {
	script := `set -e
uv venv --quiet --no-project --allow-existing --python "$SUNYA_PYTHON" /layers/tool
VIRTUAL_ENV=/layers/tool UV_PYTHON=/layers/tool/bin/python uv pip install --quiet ` + ins.tool
	if ins.class == pip {
		script = `set -e
"$SUNYA_PYTHON" -m venv /layers/tool
/layers/tool/bin/python -m pip install --quiet ` + ins.tool
	}
	return b.pythonTool(ctx, b.rt, ins.tool, LayersDir+"/tool", script, with)
}

// pythonTool returns the mount of a tool that Python installs.
func (b *pythonBuild) pythonTool(ctx context.Context, host Runtime, name, target, script string, with []sandbox.Mount) ([]sandbox.Mount, error) {
	env := b.installEnv()
	env["SUNYA_PYTHON"] = host.Path
	env["PIP_RETRIES"] = "1" // where uv cannot be had, say so soon
	env["UV_CACHE_DIR"], env["PIP_CACHE_DIR"] = buildMount+"/tmp/uv", buildMount+"/tmp/pip"
	delete(env, "VIRTUAL_ENV")
	m, err := b.toolMount(ctx, tool{name: name, target: target, script: script, rt: host, env: env, with: with})
	if err != nil {
		return nil, err
	}
	return []sandbox.Mount{m}, nil
}

// withPip returns an interpreter that can install packages: the build's own,
// else the newest.
func (b *pythonBuild) withPip() (Runtime, error) {
	can := func(r Runtime) bool { return r.Has(pip) || r.Has("ensurepip") }
	if v, err := detect.ParseVersion(b.rt.Version); err == nil && v.Minor >= uvSince && can(b.rt) {
		return b.rt, nil
	}
	cs, err := pythons.candidates(b.Machine)
	for _, c := range cs {
		if can(c.rt) {
			return c.rt, nil
		}
	}
	if err == nil {
		err = failed(nil, "no Python of this machine has pip or ensurepip: install one (Debian: apt install python3-pip python3-venv)")
	}
	return Runtime{}, err
}

// script is the shell script that fills the virtual environment.
func (b *pythonBuild) script(ins installer) string {
	lines := []string{"set -e"}
	install := "uv pip install"
	if ins.class == uv {
		lines = append(lines, `UV_PYTHON= uv venv --quiet --no-project --allow-existing --python "$SUNYA_PYTHON" `+venvDir)
	} else {
		lines = append(lines, pipVenv(b.rt))
		install = pipInstall(b.rt)
	}
	lines = append(lines, b.managerLines(ins, install)...)
	if ins.class == pip || ins.tool != "" {
		lines = append(lines, venvDir+"/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash "+venvDir+"/lib || true")
	}
	return strings.Join(lines, "\n")
}

func pipVenv(rt Runtime) string {
	if rt.Has("ensurepip") {
		return `"$SUNYA_PYTHON" -m venv ` + venvDir
	}
	return `"$SUNYA_PYTHON" -m venv --without-pip ` + venvDir
}

func pipInstall(rt Runtime) string {
	if rt.Has("ensurepip") {
		return venvDir + "/bin/python -m pip install"
	}
	return `"$SUNYA_PYTHON" -m pip --python ` + venvDir + `/bin/python install`
}

// managerLines installs what the manifest says, and the platform's additions
// in the same resolution where the manifest can be added to.
func (b *pythonBuild) managerLines(ins installer, install string) []string {
	extra := strings.Join(b.plan.Extra, " ")
	var lines []string
	switch b.plan.Manager {
	case detect.NoManager:
	case detect.Requirements:
		if !b.plan.Hashes {
			return []string{strings.TrimSpace(install + " -r requirements.txt " + extra)}
		}
		lines = append(lines, install+" -r requirements.txt")
	case detect.PyLock:
		lines = append(lines, install+" -r pylock.toml")
	case detect.UVLock:
		lines = append(lines, "uv sync --frozen --no-dev --no-editable --inexact")
	case detect.PyProject:
		what := "-r pyproject.toml"
		if b.plan.Packaged || ins.class == pip {
			what = "."
		}
		return []string{strings.TrimSpace(install + " " + what + " " + extra)}
	case detect.PoetryLock:
		lines = append(lines, "poetry install --only main --no-root --no-ansi")
	case detect.Pipfile:
		lines = append(lines, pipenvLine(b.plan.Locked))
	}
	if extra != "" {
		lines = append(lines, install+" "+extra)
	}
	return lines
}

func pipenvLine(locked bool) string {
	if locked {
		return "pipenv sync"
	}
	return "pipenv install --skip-lock"
}
