package hoststack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

// askPython makes an interpreter describe itself. It runs isolated from the
// environment, so that only the installation answers.
const askPython = `import importlib.util as u, json, os, sys
print(json.dumps({"version": "%d.%d.%d" % sys.version_info[:3], "path": os.path.realpath(sys.executable),
"prefixes": [os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)],
"release": sys.version_info[3], "implementation": sys.implementation.name,
"modules": [m for m in ("venv", "ensurepip", "pip") if u.find_spec(m)]}))`

const (
	askLimit    = 5 * time.Second // for one interpreter to answer
	askParallel = 4
)

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

// pythons asks every interpreter there is. One that does not answer is not
// usable and not listed.
func (p places) pythons(ctx context.Context) ([]build.Runtime, error) {
	bins := p.pythonBinaries()
	found := make([]*build.Runtime, len(bins))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(askParallel)
	for i, bin := range bins {
		g.Go(func() error {
			if r := describe(gctx, bin); r != nil && !slices.ContainsFunc(r.Prefixes, p.tooWide) {
				found[i] = r
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var list []build.Runtime
	for _, r := range found {
		if r != nil && !slices.ContainsFunc(list, func(o build.Runtime) bool { return o.Path == r.Path }) {
			list = append(list, *r)
		}
	}
	return list, nil
}

// pythonBinaries returns the real interpreters, links resolved, each once. A
// shim is a script and costs 80 ms to run: it is left out, what it stands for
// is found where its manager keeps it.
func (p places) pythonBinaries() []string {
	var bins []string
	for _, dir := range p.pythonDirs() {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if !pythonRE.MatchString(e.Name()) {
				continue
			}
			bin, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name()))
			if err == nil && isProgram(bin) && !slices.Contains(bins, bin) {
				bins = append(bins, bin)
			}
		}
	}
	return bins
}

// pythonDirs lists the folders with interpreters: PATH first, because its
// order is the owner's preference.
func (p places) pythonDirs() []string {
	dirs := slices.Clone(p.path)
	for _, d := range []string{"usr/local/bin", "usr/bin"} {
		dirs = append(dirs, filepath.Join(p.root, d))
	}
	var globs []string
	if root := p.pyenvRoot(); root != "" {
		globs = append(globs, filepath.Join(root, "versions", "*", "bin"))
	}
	if p.home != "" {
		globs = append(globs,
			filepath.Join(p.dataHome(), "uv", "python", "*", "bin"),
			filepath.Join(p.home, ".asdf", "installs", "python", "*", "bin"),
			filepath.Join(p.dataHome(), "mise", "installs", "python", "*", "bin"))
	}
	for _, g := range globs {
		if found, err := filepath.Glob(g); err == nil {
			dirs = append(dirs, found...)
		}
	}
	return slices.DeleteFunc(dirs, func(d string) bool { return !filepath.IsAbs(d) })
}

func (p places) pyenvRoot() string {
	if root := p.getenv("PYENV_ROOT"); root != "" || p.home == "" {
		return root
	}
	return filepath.Join(p.home, ".pyenv")
}

func (p places) dataHome() string {
	if d := p.getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return d
	}
	return filepath.Join(p.home, ".local", "share")
}

// isProgram reports whether path is an executable that is not a script.
func isProgram(path string) bool {
	fi, err := os.Stat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Mode()&0o111 == 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 4)
	n, err := f.Read(magic)
	return err == nil && n == 4 && bytes.Equal(magic, []byte("\x7fELF"))
}

// describe returns what an interpreter says of itself, or nil.
func describe(ctx context.Context, bin string) *build.Runtime {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "-I", "-B", "-c", askPython)
	cmd.Env, cmd.Dir, cmd.WaitDelay = []string{"LANG=C.UTF-8"}, "/", time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	var a answer
	if json.Unmarshal(out, &a) != nil || a.Implementation != "cpython" || a.Release != "final" || len(a.Prefixes) == 0 {
		return nil
	}
	mark, err := fingerprint(a.Version, a.Path)
	if err != nil {
		return nil
	}
	return &build.Runtime{
		Language: "python", Version: a.Version, Path: a.Path,
		Prefixes: prefixes(a), Fingerprint: mark, Modules: a.Modules,
	}
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

// tooWide reports whether showing dir would show the machine or its owner's
// home: an interpreter that needs it is not offered.
func (p places) tooWide(dir string) bool {
	return dir == "/" || dir == "/home" || dir == "/etc" || dir == "/var" || p.home != "" && (p.home == dir || strings.HasPrefix(p.home, dir+"/"))
}

// fingerprint changes whenever the interpreter does.
func fingerprint(version, path string) (string, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "python %s %s %d %d", version, path, fi.Size(), fi.ModTime().UnixNano()))
	return "python-" + version + "-" + hex.EncodeToString(sum[:8]), nil
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
