package detect

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/sunya-cloud/sunya"
)

// Manager is what installs the dependencies of a Python program.
type Manager string

// The managers, named after the manifest that asks for them.
const (
	NoManager    Manager = ""
	Requirements Manager = "requirements.txt"
	PyLock       Manager = "pylock.toml"
	UVLock       Manager = "uv.lock"
	PoetryLock   Manager = "poetry.lock"
	PyProject    Manager = "pyproject.toml"
	Pipfile      Manager = "Pipfile"
)

// PythonPlan is how a Python program is built and started.
type PythonPlan struct {
	Manager   Manager
	Manifests []string // what the installed packages follow from, sorted
	WholeTree bool     // the source itself is installed: all of it is in the key
	Packaged  bool     // pyproject.toml has a build system
	Locked    bool     // Pipfile.lock is there
	Hashes    bool     // requirements carry hashes: nothing can be added to them
	Requires  Range    // of Python
	Extra     []string // packages that the platform adds
	Lines     map[string]string

	Command   []string // argument vector
	Entry     []string // files whose syntax errors fail the build
	Function  string   // that Entry must have
	Signature string   // of Function: event; empty: its decorator says it
	Default   bool     // the program is started the runtime's way, not the user's
	Warnings  []string
}

// order is Google's: requirements.txt comes before every other manifest.
var order = []Manager{Requirements, PyLock, UVLock, PoetryLock, PyProject, Pipfile}

// Python reads the source of a Python program that v will run. An error is
// FailedPrecondition, and the source's fault.
func Python(fsys fs.FS, spec sunya.BuildSpec, v Version) (*PythonPlan, error) {
	p := &PythonPlan{}
	for _, m := range order {
		if exists(fsys, string(m)) {
			p.Manager = m
			break
		}
	}
	names, err := p.manifests(fsys)
	if err != nil {
		return nil, err
	}
	if err := p.entrypoint(fsys, spec, v, names); err != nil {
		return nil, err
	}
	if p.Manager == NoManager && p.Default {
		p.Warnings = append(p.Warnings, "the source has no requirements.txt or other manifest: nothing is installed but what the platform adds")
	}
	slices.Sort(p.Manifests)
	return p, nil
}

// manifests reads the manifest and returns the packages that it names.
func (p *PythonPlan) manifests(fsys fs.FS) (map[string]bool, error) {
	names := map[string]bool{}
	project, err := readProject(fsys)
	if err != nil {
		return nil, err
	}
	if p.Requires, err = project.requires(); err != nil {
		return nil, err
	}
	p.Packaged = project.BuildSystem != nil
	if p.Manager == PyProject && !p.Packaged && project.poetryOnly() {
		return nil, badSource("pyproject.toml names its packages in [tool.poetry.dependencies], which only poetry reads, and there is no poetry.lock: run poetry lock, or name them in [project] dependencies")
	}
	switch p.Manager {
	case NoManager:
		return names, nil
	case Requirements:
		return p.requirements(fsys)
	case Pipfile:
		return p.pipfile(fsys)
	}
	for _, name := range []string{string(p.Manager), "pyproject.toml"} {
		if exists(fsys, name) && !slices.Contains(p.Manifests, name) {
			p.Manifests = append(p.Manifests, name)
		}
	}
	p.WholeTree = p.Packaged && (p.Manager == PyProject || p.Manager == UVLock)
	maps.Copy(names, project.names())
	return names, nil
}

func (p *PythonPlan) requirements(fsys fs.FS) (map[string]bool, error) {
	r, err := readRequirements(fsys, string(Requirements))
	if err != nil {
		return nil, err
	}
	p.Manifests, p.Hashes, p.WholeTree, p.Lines = r.files, r.hashes, r.local, r.lines
	names := map[string]bool{}
	for name := range r.lines {
		names[name] = true
	}
	return names, nil
}

func (p *PythonPlan) pipfile(fsys fs.FS) (map[string]bool, error) {
	data, err := readManifest(fsys, string(Pipfile))
	if err != nil {
		return nil, badSource("Pipfile cannot be read: %v", plain(err))
	}
	var f struct {
		Packages map[string]any `toml:"packages"`
		Requires struct {
			Version string `toml:"python_version"`
			Full    string `toml:"python_full_version"`
		} `toml:"requires"`
	}
	if err := toml.Unmarshal(data, &f); err != nil {
		return nil, badSource("Pipfile is not valid TOML: %s", tomlError(err))
	}
	for _, v := range []string{f.Requires.Version, f.Requires.Full} {
		if v == "" {
			continue
		}
		if p.Requires, err = ParseRange(pinned(v)); err != nil {
			return nil, badSource("Pipfile: python_version: %v", err)
		}
	}
	p.Manifests = []string{"Pipfile"}
	if p.Locked = exists(fsys, "Pipfile.lock"); p.Locked {
		p.Manifests = append(p.Manifests, "Pipfile.lock")
	}
	names := map[string]bool{}
	for name := range f.Packages {
		names[Normal(name)] = true
	}
	return names, nil
}

// pinned is the specifier for "this version, whatever was left out".
func pinned(v string) string {
	if strings.Count(v, ".") < 2 {
		return "==" + v + ".*"
	}
	return "==" + v
}

func exists(fsys fs.FS, name string) bool {
	fi, err := fs.Stat(fsys, name)
	return err == nil && fi.Mode().IsRegular()
}

// project is the part of pyproject.toml that is ours to know.
type project struct {
	BuildSystem map[string]any `toml:"build-system"`
	Project     struct {
		RequiresPython string   `toml:"requires-python"`
		Dependencies   []string `toml:"dependencies"`
	} `toml:"project"`
	Tool struct {
		Poetry struct {
			Dependencies map[string]any `toml:"dependencies"`
		} `toml:"poetry"`
	} `toml:"tool"`
}

func readProject(fsys fs.FS) (*project, error) {
	p := &project{}
	if !exists(fsys, "pyproject.toml") {
		return p, nil
	}
	data, err := readManifest(fsys, "pyproject.toml")
	if err != nil {
		return nil, badSource("pyproject.toml cannot be read: %v", plain(err))
	}
	if err := toml.Unmarshal(data, p); err != nil {
		return nil, badSource("pyproject.toml is not valid: %s", tomlError(err))
	}
	return p, nil
}

func (p *project) requires() (Range, error) {
	r, err := ParseRange(p.Project.RequiresPython)
	if err != nil {
		return r, badSource("pyproject.toml: requires-python: %v", err)
	}
	return r, nil
}

// poetryOnly says whether packages are named where nothing but poetry finds
// them.
func (p *project) poetryOnly() bool {
	named := p.Tool.Poetry.Dependencies
	if _, ok := named["python"]; ok {
		return len(named) > 1 && len(p.Project.Dependencies) == 0
	}
	return len(named) > 0 && len(p.Project.Dependencies) == 0
}

func (p *project) names() map[string]bool {
	names := map[string]bool{}
	for _, d := range p.Project.Dependencies {
		if m := nameRE.FindStringSubmatch(d); m != nil {
			names[Normal(m[1])] = true
		}
		if fastAPIStandard.MatchString(d) {
			names["fastapi[standard]"] = true
		}
	}
	for d := range p.Tool.Poetry.Dependencies {
		names[Normal(d)] = true
	}
	return names
}

var fastAPIStandard = regexp.MustCompile(`(?i)^fastapi\s*\[[^\]]*standard[^\]]*\]`)

// tomlError is the first line of a TOML error with its place.
func tomlError(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(line, "toml: ")
}
