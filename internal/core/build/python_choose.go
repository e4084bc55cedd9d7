package build

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

const python = "python"

var pythonRE = regexp.MustCompile(`^python3([0-9]{1,2})$`)

// The minor versions of Python 3 that have a runtime id at Google.
const (
	oldestPython = 7
	newestPython = 15
)

// wantPython is what a build asks for: a minor version by its runtime id, and
// perhaps one that must be met exactly.
type wantPython struct {
	version detect.Version
	pin     *detect.Version // GOOGLE_PYTHON_VERSION, GOOGLE_RUNTIME_VERSION
	pinName string
}

func parsePython(m Machine, spec sunya.BuildSpec) (wantPython, error) {
	var w wantPython
	match := pythonRE.FindStringSubmatch(spec.Runtime)
	minor := 0
	if match != nil {
		minor, _ = strconv.Atoi(match[1])
	}
	if minor < oldestPython || minor > newestPython {
		return w, sunya.Invalid("runtime", "unknown runtime %q: use python37 to python315 (%s)", spec.Runtime, pythonHere(m))
	}
	w.version = detect.Version{Major: 3, Minor: minor, Patch: -1}
	for _, name := range []string{"GOOGLE_PYTHON_VERSION", "GOOGLE_RUNTIME_VERSION"} {
		if spec.Env[name] == "" {
			continue
		}
		v, err := detect.ParseVersion(spec.Env[name])
		if err != nil {
			return w, sunya.Invalid("build_env_variables", "%s: %v", name, err)
		}
		w.pin, w.pinName = &v, name
		break
	}
	return w, nil
}

// choosePython picks the interpreter: the version asked for, else the nearest
// newer, else the nearest older, the last two with a warning, and never one
// that a pin or the manifest's requires-python forbids.
func choosePython(m Machine, w wantPython, allowed detect.Range) (Runtime, string, error) {
	candidates, err := pythons(m)
	if err != nil {
		return Runtime{}, "", err
	}
	if w.pin != nil {
		return pinnedPython(m, candidates, w)
	}
	candidates = slices.DeleteFunc(candidates, func(c candidate) bool { return !allowed.Holds(c.v) })
	if len(candidates) == 0 {
		return Runtime{}, "", failed(nil, "the manifest requires Python %s, which this machine does not have (%s)", allowed, pythonHere(m))
	}
	best := slices.MinFunc(candidates, func(a, b candidate) int { return a.compare(b, w.version.Minor) })
	return best.rt, substitute(best, w), nil
}

func pinnedPython(m Machine, candidates []candidate, w wantPython) (Runtime, string, error) {
	for _, c := range candidates { // newest patch first
		if w.pin.Holds(c.v) {
			return c.rt, "", nil
		}
	}
	return Runtime{}, "", failed(nil, "%s asks for Python %s, which this machine does not have (%s)", w.pinName, w.pin, pythonHere(m))
}

// substitute says that the version is not the one asked for, or nothing.
func substitute(c candidate, w wantPython) string {
	if w.version.Holds(c.v) {
		return ""
	}
	if c.v.Minor > w.version.Minor {
		return fmt.Sprintf("Python %s is not on this machine: using the newer Python %s", w.version, c.v)
	}
	return fmt.Sprintf("PYTHON %s IS NOT ON THIS MACHINE, NOR ANY NEWER ONE: using the OLDER Python %s; code or packages may not work with it; install Python %s or set GOOGLE_PYTHON_VERSION to refuse this", w.version, c.v, w.version)
}

// candidate is an interpreter that can hold a virtual environment.
type candidate struct {
	rt Runtime
	v  detect.Version
}

// compare orders candidates by how well they stand in for a minor version. Of
// one minor version the machine's own package comes first: it is built with
// optimisation, starts a quarter faster, and needs nothing shown to the
// sandbox besides the standard directories. Then the newest patch.
func (c candidate) compare(d candidate, minor int) int {
	return cmp.Or(cmp.Compare(c.distance(minor), d.distance(minor)),
		cmp.Compare(len(c.rt.Prefixes), len(d.rt.Prefixes)), d.v.Compare(c.v))
}

// distance is 0 for the minor version asked for, small for newer ones, large
// for older ones.
func (c candidate) distance(minor int) int {
	if c.v.Minor < minor {
		return 1000 + minor - c.v.Minor
	}
	return c.v.Minor - minor
}

// pythons returns the usable interpreters, newest first; of equal versions the
// one that discovery found first.
func pythons(m Machine) ([]candidate, error) {
	var cs []candidate
	for _, rt := range m.of(python) {
		v, err := detect.ParseVersion(rt.Version)
		if err == nil && v.Major == 3 && v.Minor >= oldestPython && rt.Has("venv") {
			cs = append(cs, candidate{rt, v})
		}
	}
	if len(cs) == 0 {
		return nil, &sunya.Error{Code: sunya.FailedPrecondition, Field: "runtime", Reason: sunya.ReasonBuildFailed,
			Message: "this machine has no Python 3.7 or newer with the venv module: install one (Debian: apt install python3 python3-venv)"}
	}
	slices.SortStableFunc(cs, func(a, b candidate) int { return b.v.Compare(a.v) })
	return cs, nil
}

// pythonHere lists the versions of the machine for a message.
func pythonHere(m Machine) string {
	cs, err := pythons(m)
	if err != nil {
		return "this machine has no usable Python"
	}
	var list []string
	for _, c := range cs {
		list = append(list, c.v.String())
	}
	return "this machine has Python " + strings.Join(slices.Compact(list), ", ")
}
