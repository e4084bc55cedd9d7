package build

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// family is the runtime ids of one language, and how one of the machine's
// versions is chosen for them.
type family struct {
	language string // what ids begin with and Machine.Runtimes has: "python"
	title    string // for people: "Python"
	// The first and the last version that has an id at Google. Where Minor is
	// -1 an id is a major version (nodejs22), else both numbers (python311).
	oldest, newest detect.Version
	pins           []string           // build variables that ask for a version, in this order
	usable         func(Runtime) bool // nil: every one
	need           string             // what is missing when there is none: "Python 3.7 or newer with the venv module"
	install        string             // how to get it: "Debian: apt install python3 python3-venv"
}

// want is what a build asks for: a version by its runtime id, and perhaps one
// that must be met exactly.
type want struct {
	version detect.Version
	pin     *detect.Version
	pinName string
}

// versions is a set of versions, as a manifest allows them.
type versions interface {
	Holds(detect.Version) bool
	String() string
}

// ids says which runtime ids there are.
func (f family) ids() string {
	return f.id(f.oldest) + " to " + f.id(f.newest)
}

func (f family) id(v detect.Version) string {
	if v.Minor < 0 {
		return f.language + strconv.Itoa(v.Major)
	}
	return fmt.Sprintf("%s%d%d", f.language, v.Major, v.Minor)
}

// runtimes says which ids there are and which versions are here.
func (f family) runtimes(m Machine) string { return f.ids() + " (" + f.here(m) + ")" }

// parse reads a build's runtime id and its pins.
func (f family) parse(m Machine, spec sunya.BuildSpec) (want, error) {
	v, ok := f.version(spec.Runtime)
	if !ok {
		return want{}, sunya.Invalid("runtime", "unknown runtime %q%s: use %s", spec.Runtime, f.meant(spec.Runtime), f.runtimes(m))
	}
	w := want{version: v}
	for _, name := range f.pins {
		if spec.Env[name] == "" {
			continue
		}
		pin, err := detect.ParseVersion(spec.Env[name])
		if err != nil {
			return w, sunya.Invalid("build_env_variables", "%s: %v", name, err)
		}
		w.pin, w.pinName = &pin, name
		break
	}
	return w, nil
}

// version is what an id stands for: 3.11 of python311, 22 of nodejs22.
func (f family) version(id string) (detect.Version, bool) {
	digits, ok := strings.CutPrefix(id, f.language)
	if !ok || len(digits) > 3 || strings.Trim(digits, "0123456789") != "" {
		return detect.Version{}, false
	}
	v := detect.Version{Minor: -1, Patch: -1}
	if f.oldest.Minor >= 0 {
		if len(digits) < 2 {
			return v, false
		}
		v.Minor, _ = strconv.Atoi(digits[1:])
		digits = digits[:1]
	}
	var err error
	v.Major, err = strconv.Atoi(digits)
	known := err == nil && v.Compare(f.oldest) >= 0 && v.Compare(f.newest) <= 0
	return v, known && f.id(v) == id
}

// meant proposes the id that other spellings of a version stand for: python3.11,
// nodejs18.x, golang126.
func (f family) meant(id string) string {
	number := strings.TrimLeft(id, "abcdefghijklmnopqrstuvwxyz-")
	number = strings.TrimSuffix(strings.TrimSuffix(number, ".x"), ".")
	proposal := f.language + strings.ReplaceAll(number, ".", "")
	if _, ok := f.version(proposal); !ok {
		return ""
	}
	return meaning(proposal)
}

func meaning(id string) string { return fmt.Sprintf(" (did you mean %q?)", id) }

// check reports whether a build can be met at all.
func (f family) check(m Machine, spec sunya.BuildSpec) error {
	w, err := f.parse(m, spec)
	if err != nil {
		return err
	}
	_, _, err = f.choose(m, w, detect.Range{})
	return err
}

// choose picks the runtime: the version asked for, else the nearest newer,
// else the nearest older, the last two with a warning, and never one that a
// pin or the manifest forbids.
func (f family) choose(m Machine, w want, allowed versions) (Runtime, string, error) {
	candidates, err := f.candidates(m)
	if err != nil {
		return Runtime{}, "", err
	}
	if w.pin != nil {
		return f.pinned(m, candidates, w)
	}
	candidates = slices.DeleteFunc(candidates, func(c candidate) bool { return !allowed.Holds(c.v) })
	if len(candidates) == 0 {
		return Runtime{}, "", failed(nil, "the manifest requires %s %s, which this machine does not have (%s)", f.title, allowed, f.here(m))
	}
	best := slices.MinFunc(candidates, func(a, b candidate) int { return a.compare(b, w.version) })
	return best.rt, f.substitute(best, w), nil
}

func (f family) pinned(m Machine, candidates []candidate, w want) (Runtime, string, error) {
	for _, c := range candidates { // newest patch first
		if w.pin.Holds(c.v) {
			return c.rt, "", nil
		}
	}
	return Runtime{}, "", failed(nil, "%s asks for %s %s, which this machine does not have (%s)", w.pinName, f.title, w.pin, f.here(m))
}

// substitute says that the version is not the one asked for, or nothing.
func (f family) substitute(c candidate, w want) string {
	if w.version.Holds(c.v) {
		return ""
	}
	if c.v.Compare(w.version) > 0 {
		return fmt.Sprintf("%s %s is not on this machine: using the newer %s %s", f.title, w.version, f.title, c.v)
	}
	return fmt.Sprintf("%s %s IS NOT ON THIS MACHINE, NOR ANY NEWER ONE: using the OLDER %s %s; code or packages may not work with it; install %s %s or set %s to refuse this",
		strings.ToUpper(f.title), w.version, f.title, c.v, f.title, w.version, f.pins[0])
}

// candidate is a runtime that can be used.
type candidate struct {
	rt Runtime
	v  detect.Version
}

// compare orders candidates by how well they stand in for a version. Of one
// version the machine's own package comes first: it is built with
// optimisation, starts a quarter faster, and needs nothing shown to the
// sandbox besides the standard directories. Then the newest patch.
func (c candidate) compare(d candidate, asked detect.Version) int {
	return cmp.Or(c.compareRelease(d, asked),
		cmp.Compare(len(c.rt.Prefixes), len(d.rt.Prefixes)), d.v.Compare(c.v))
}

// compareRelease puts the version asked for first, then newer ones, the
// nearest first, then older ones, again the nearest first.
func (c candidate) compareRelease(d candidate, asked detect.Version) int {
	a, b := c.v.As(asked), d.v.As(asked)
	oldA, oldB := a.Compare(asked) < 0, b.Compare(asked) < 0
	switch {
	case oldA && oldB:
		return b.Compare(a)
	case oldA:
		return 1
	case oldB:
		return -1
	}
	return a.Compare(b)
}

// candidates returns the usable runtimes, newest first; of equal versions the
// one that discovery found first.
func (f family) candidates(m Machine) ([]candidate, error) {
	var cs []candidate
	for _, rt := range m.of(f.language) {
		v, err := detect.ParseVersion(rt.Version)
		if err == nil && v.Compare(f.oldest) >= 0 && (f.usable == nil || f.usable(rt)) {
			cs = append(cs, candidate{rt, v})
		}
	}
	if len(cs) == 0 {
		return nil, &sunya.Error{Code: sunya.FailedPrecondition, Field: "runtime", Reason: sunya.ReasonBuildFailed,
			Message: fmt.Sprintf("this machine has no %s: install one (%s)", f.need, f.install)}
	}
	slices.SortStableFunc(cs, func(a, b candidate) int { return b.v.Compare(a.v) })
	return cs, nil
}

// here lists the versions of the machine for a message.
func (f family) here(m Machine) string {
	cs, err := f.candidates(m)
	if err != nil {
		return "this machine has no usable " + f.title
	}
	var list []string
	for _, c := range cs {
		list = append(list, c.v.String())
	}
	return "this machine has " + f.title + " " + strings.Join(slices.Compact(list), ", ")
}
