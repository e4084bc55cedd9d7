package build

import (
	"errors"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// machineWith has these Pythons, all complete but the one that ends in "!".
func machineWith(versions ...string) Machine {
	var m Machine
	for i, v := range versions {
		v, own := strings.CutSuffix(v, "/usr")
		rt := Runtime{Language: "python", Version: strings.TrimSuffix(v, "!"), Path: "/p/" + strings.Repeat("x", i+1), Modules: []string{"venv", "pip", "ensurepip"}}
		if strings.HasSuffix(v, "!") {
			rt.Modules = nil
		}
		if !own {
			rt.Prefixes = []string{"/opt/" + v}
		}
		m.Runtimes = append(m.Runtimes, rt)
	}
	return m
}

func TestChoosePython(t *testing.T) {
	tests := []struct {
		rule     string
		here     []string
		runtime  string
		env      string // NAME=value
		requires string
		want     string
		warning  string
	}{
		{"exact minor, newest patch", []string{"3.11.2", "3.11.7", "3.12.1"}, "python311", "", "", "3.11.7", ""},
		{"the machine's own package first", []string{"3.11.7", "3.11.2/usr"}, "python311", "", "", "3.11.2", ""},
		{"but not for another minor", []string{"3.11.7", "3.12.2/usr"}, "python311", "", "", "3.11.7", ""},
		{"nearest newer", []string{"3.9.1", "3.12.1", "3.13.0"}, "python311", "", "", "3.12.1", "newer Python 3.12.1"},
		{"nearest older, loudly", []string{"3.8.1", "3.9.18"}, "python311", "", "", "3.9.18", "NOT ON THIS MACHINE"},
		{"without venv it does not count", []string{"3.11.7!", "3.12.1"}, "python311", "", "", "3.12.1", "newer"},
		{"two digits", []string{"3.7.16", "3.11.7"}, "python37", "", "", "3.7.16", ""},
		{"manifest allows another", []string{"3.11.7", "3.12.1"}, "python311", "", ">=3.12", "3.12.1", "newer"},
		{"pinned minor", []string{"3.11.7", "3.12.1"}, "python311", "GOOGLE_PYTHON_VERSION=3.12.x", "", "3.12.1", ""},
		{"pinned patch", []string{"3.11.2", "3.11.7"}, "python311", "GOOGLE_RUNTIME_VERSION=3.11.2", "", "3.11.2", ""},
	}
	for _, tt := range tests {
		rt, warning, err := chooseFor(machineWith(tt.here...), tt.runtime, tt.env, tt.requires)
		if err != nil || rt.Version != tt.want || !strings.Contains(warning, tt.warning) || (warning == "") != (tt.warning == "") {
			t.Errorf("%s: %s, warning %q, %v", tt.rule, rt.Version, warning, err)
		}
	}
}

func chooseFor(m Machine, runtime, env, requires string) (Runtime, string, error) {
	spec := sunya.BuildSpec{Runtime: runtime, Env: map[string]string{}}
	if name, value, ok := strings.Cut(env, "="); ok {
		spec.Env[name] = value
	}
	w, err := pythons.parse(m, spec)
	if err != nil {
		return Runtime{}, "", err
	}
	allowed, err := detect.ParseRange(requires)
	if err != nil {
		return Runtime{}, "", err
	}
	return pythons.choose(m, w, allowed)
}

func TestNoPythonFits(t *testing.T) {
	tests := []struct {
		rule                   string
		here                   []string
		runtime, env, requires string
		code                   sunya.Code
		want                   string
	}{
		{"typo", []string{"3.11.7"}, "pyhton311", "", "", sunya.InvalidArgument, "python37 to python315 (this machine has Python 3.11.7)"},
		{"too old", []string{"3.11.7"}, "python36", "", "", sunya.InvalidArgument, "python36"},
		{"Python 2", []string{"3.11.7"}, "python27", "", "", sunya.InvalidArgument, "python27"},
		{"nothing here", nil, "python311", "", "", sunya.FailedPrecondition, "apt install python3"},
		{"pin not here", []string{"3.11.7"}, "python311", "GOOGLE_PYTHON_VERSION=3.11.9", "", sunya.FailedPrecondition, "GOOGLE_PYTHON_VERSION asks for Python 3.11.9"},
		{"odd pin", []string{"3.11.7"}, "python311", "GOOGLE_PYTHON_VERSION=latest", "", sunya.InvalidArgument, "GOOGLE_PYTHON_VERSION"},
		{"manifest forbids", []string{"3.11.7"}, "python311", "", ">=3.12", sunya.FailedPrecondition, "requires Python >=3.12"},
	}
	for _, tt := range tests {
		_, _, err := chooseFor(machineWith(tt.here...), tt.runtime, tt.env, tt.requires)
		if sunya.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v (code %d), want code %d with %q", tt.rule, err, sunya.CodeOf(err), tt.code, tt.want)
		}
	}
}

func TestInstallCause(t *testing.T) {
	plan := &detect.PythonPlan{Manager: detect.Requirements, Lines: map[string]string{"flaskk": "requirements.txt line 3"}}
	tests := map[string]struct{ output, want string }{
		"uv, unknown package":  {"  × No solution found when resolving dependencies:\n  ╰─▶ Because flaskk was not found in the package\n      registry and you require flaskk, we can conclude that your requirements\n      are unsatisfiable.", "no package `flaskk` found: check requirements.txt line 3"},
		"pip, unknown package": {"ERROR: Could not find a version that satisfies the requirement flaskk (from versions: none)\nERROR: No matching distribution found for flaskk", "no package `flaskk` found: check requirements.txt line 3"},
		"uv, unknown version":  {"  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of flask==99 and you require flask==99, we\n      can conclude that your requirements are unsatisfiable.", "no version of `flask` fits: check requirements.txt"},
		"pip, unknown version": {"ERROR: No matching distribution found for flask==99", "no version of `flask` fits: check requirements.txt"},
		"uv, no build":         {"  × Failed to build `pg==1.0`\n  ├─▶ The build backend returned an error", "package `pg` could not be built: check requirements.txt"},
		"no network":           {"error: Failed to fetch: `https://x/simple/flask/`\n  Caused by: dns error", "the package index cannot be reached: check requirements.txt"},
		"pip, hash":            {"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "a package's hash is not the one in the manifest: check requirements.txt"},
		"something else":       {"one\nerror: unexpected thing\n  more\n", "installing dependencies failed: error: unexpected thing"},
		"nothing":              {"", "installing dependencies failed: see the build log"},
	}
	for name, tt := range tests {
		if got := installCause(strings.Split(tt.output, "\n"), plan); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestErrorCarriesLines(t *testing.T) {
	err := error(failed([]string{"a", "b"}, "no package"))
	var e *sunya.Error
	var l interface{ LogLines() []string }
	if !errors.As(err, &e) || e.Reason != sunya.ReasonBuildFailed || !errors.As(err, &l) || len(l.LogLines()) != 2 {
		t.Errorf("%#v", err)
	}
}
