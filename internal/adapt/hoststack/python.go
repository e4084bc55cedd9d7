package hoststack

import (
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

// askPython makes an interpreter describe itself. It runs isolated from the
// environment, so that only the installation answers.
const askPython = `import importlib.util as u, json, os, sys
print(json.dumps({"version": "%d.%d.%d" % sys.version_info[:3], "path": os.path.realpath(sys.executable),
"prefixes": [os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)],
"release": sys.version_info[3], "implementation": sys.implementation.name,
"modules": [m for m in ("venv", "ensurepip", "pip") if u.find_spec(m)]}))`

// answer is what askPython prints.
type answer struct {
	Version        string
	Path           string
	Prefixes       []string
	Release        string
	Implementation string
	Modules        []string
}

var pythonRE = regexp.MustCompile(`^python3\.(?:[7-9]|[1-9][0-9])$`)

func (p places) pythons() []asking {
	var list []asking
	for _, bin := range programs(p.pythonDirs(), pythonRE) {
		list = append(list, asking{bin, describePython})
	}
	return list
}

// pythonDirs lists the folders with interpreters.
func (p places) pythonDirs() []string {
	var globs []string
	if root := p.pyenvRoot(); root != "" {
		globs = append(globs, filepath.Join(root, "versions", "*", "bin"))
	}
	return p.dirs(append(globs, p.managed("python", "bin")...)...)
}

func (p places) pyenvRoot() string {
	if root := p.getenv("PYENV_ROOT"); root != "" || p.home == "" {
		return root
	}
	return filepath.Join(p.home, ".pyenv")
}

// describePython returns what an interpreter says of itself, or nil.
func describePython(ctx context.Context, bin string) *build.Runtime {
	var a answer
	if json.Unmarshal(ask(ctx, bin, "-I", "-B", "-c", askPython), &a) != nil || a.Implementation != "cpython" || a.Release != "final" || len(a.Prefixes) == 0 {
		return nil
	}
	return found(build.Runtime{Language: "python", Version: a.Version, Path: a.Path, Prefixes: prefixes(a), Modules: a.Modules})
}

// prefixes returns the folders of an installation that a sandbox would not see
// by itself.
func prefixes(a answer) []string {
	list := slices.Clone(a.Prefixes)
	if !strings.HasPrefix(a.Path, list[0]+"/") {
		list = append(list, filepath.Dir(a.Path))
	}
	list = slices.DeleteFunc(list, standard)
	slices.Sort(list)
	return slices.Compact(list)
}

// uv returns the uv of the standard directories: one in a home folder stays
// there.
func (p places) uv() []build.Runtime {
	for _, dir := range []string{"usr/local/bin", "usr/bin"} {
		path := filepath.Join(p.root, dir, "uv")
		if isProgram(path) {
			return []build.Runtime{{Language: "uv", Path: path}}
		}
	}
	return nil
}
