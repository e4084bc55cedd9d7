package cloudbuild

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
)

// dockerStep reads the arguments of a docker step (gcr.io/cloud-builders/docker):
// what the program would do there is done by the builder here.
func dockerStep(where string, s *Step) (plan.Step, error) {
	if s.Script != "" || (s.Entrypoint != "" && path.Base(s.Entrypoint) != "docker") {
		return plan.Step{}, unsupported(where+".entrypoint", "a docker step that runs another program is not supported: there is no Docker daemon that it could talk to")
	}
	if len(s.Args) == 0 {
		return plan.Step{}, sunya.Invalid(where+".args", "a docker step needs a command: build, push or tag")
	}
	args := s.Args[1:]
	switch command := s.Args[0]; {
	case command == "build", command == "buildx" && len(args) > 0 && args[0] == "build", command == "image" && len(args) > 0 && args[0] == "build":
		if command != "build" {
			args = args[1:]
		}
		return dockerBuild(where, s, args)
	case command == "push":
		return dockerPush(where, args)
	case command == "tag":
		if len(args) != 2 {
			return plan.Step{}, sunya.Invalid(where+".args", "docker tag takes two names: the image's and its new one")
		}
		return plan.Step{Tag: &plan.Tag{From: args[0], To: args[1]}}, nil
	case command == "pull":
		// Images are fetched by whoever needs them: a cache to build from is
		// the builder's own.
		return plan.Step{}, nil
	}
	return plan.Step{}, unsupported(where+".args", "docker %s is not supported: build, push, tag and pull are", s.Args[0])
}

func dockerPush(where string, args []string) (plan.Step, error) {
	var names []string
	for _, a := range args {
		if a == "-q" || a == "--quiet" {
			continue
		}
		if strings.HasPrefix(a, "-") {
			return plan.Step{}, unsupported(where+".args", "docker push %s is not supported", a)
		}
		names = append(names, a)
	}
	if len(names) != 1 {
		return plan.Step{}, sunya.Invalid(where+".args", "docker push takes one name")
	}
	return plan.Step{Push: names}, nil
}

// dockerFlags are the flags of docker build; what they do here is in set. Flags
// without an effect on an image that is built alone are taken and left.
var dockerFlags = map[string]struct {
	value bool // takes one
	set   func(b *plan.Build, value string) error
}{
	"--tag":        {true, func(b *plan.Build, v string) error { b.Tags = append(b.Tags, v); return nil }},
	"--file":       {true, func(b *plan.Build, v string) error { b.Dockerfile = v; return nil }},
	"--build-arg":  {true, func(b *plan.Build, v string) error { return keyValue(b.Args, v) }},
	"--label":      {true, func(b *plan.Build, v string) error { return keyValue(b.Labels, v) }},
	"--target":     {true, func(b *plan.Build, v string) error { b.Target = v; return nil }},
	"--platform":   {true, func(b *plan.Build, v string) error { b.Platform = v; return nil }},
	"--add-host":   {true, addHost},
	"--network":    {true, network},
	"--no-cache":   {false, func(b *plan.Build, _ string) error { b.NoCache = true; return nil }},
	"--cache-from": {true, nil},
	"--progress":   {true, nil},
	"--provenance": {true, nil},
	"--sbom":       {true, nil},
	"--pull":       {false, nil},
	"--rm":         {false, nil},
	"--force-rm":   {false, nil},
	"--quiet":      {false, nil},
	"--compress":   {false, nil},
	"--load":       {false, nil},
}

var dockerShort = map[string]string{"-t": "--tag", "-f": "--file", "-q": "--quiet"}

// keyValue takes NAME=value. A name alone is a variable of the environment of
// docker build, and a step has none of the user's.
func keyValue(m map[string]string, v string) error {
	name, value, ok := strings.Cut(v, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is not NAME=value", v)
	}
	m[name] = value
	return nil
}

func addHost(b *plan.Build, v string) error {
	name, ip, ok := strings.Cut(strings.Replace(v, "=", ":", 1), ":")
	if _, err := netip.ParseAddr(ip); !ok || err != nil {
		return fmt.Errorf("%q is not HOST:IP", v)
	}
	b.AddHosts = append(b.AddHosts, name+":"+ip)
	return nil
}

func network(b *plan.Build, v string) error {
	switch v {
	case "default", "cloudbuild", "bridge", "":
		return nil
	case "none":
		b.Network = "none"
		return nil
	}
	return fmt.Errorf("network %q is not supported: default, cloudbuild and none are", v)
}

func dockerBuild(where string, s *Step, args []string) (plan.Step, error) {
	b := &plan.Build{Args: map[string]string{}, Labels: map[string]string{}}
	var rest []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			rest = append(rest, arg)
			continue
		}
		name, value, given := strings.Cut(arg, "=")
		if long, ok := dockerShort[name]; ok {
			name = long
		}
		flag, known := dockerFlags[name]
		if !known {
			return plan.Step{}, unsupported(where+".args", "docker build %s is not supported", arg)
		}
		if flag.value && !given {
			if i++; i == len(args) {
				return plan.Step{}, sunya.Invalid(where+".args", "docker build %s needs a value", arg)
			}
			value = args[i]
		}
		if flag.set == nil || (!flag.value && value == "false") {
			continue
		}
		if err := flag.set(b, value); err != nil {
			return plan.Step{}, sunya.Invalid(where+".args", "docker build %s: %v", name, err)
		}
	}
	return contextOf(where, b, s, rest)
}

// contextOf completes a build with its context and Dockerfile, both of which
// are relative to the step's directory.
func contextOf(where string, b *plan.Build, s *Step, rest []string) (plan.Step, error) {
	if len(rest) != 1 {
		return plan.Step{}, sunya.Invalid(where+".args", "docker build takes one path, the context: %q", rest)
	}
	if rest[0] == "-" || strings.Contains(rest[0], "://") || strings.HasPrefix(rest[0], "git@") {
		return plan.Step{}, unsupported(where+".args", "the context %q is not supported: use a folder of the source", rest[0])
	}
	var err error
	if b.Context, err = inWorkspace(where+".args", s.Dir, rest[0]); err != nil {
		return plan.Step{}, err
	}
	if b.Dockerfile != "" {
		if b.Dockerfile, err = inWorkspace(where+".args", s.Dir, b.Dockerfile); err != nil {
			return plan.Step{}, err
		}
	}
	return plan.Step{Build: b}, nil
}

// workspace is where the source is, as steps see it.
const workspace = "/workspace"

// inWorkspace returns a path relative to the workspace.
func inWorkspace(where, dir, name string) (string, error) {
	full := path.Join(workspace, dir, name)
	if path.IsAbs(name) {
		full = path.Clean(name)
	}
	rel, ok := strings.CutPrefix(full+"/", workspace+"/")
	if !ok {
		return "", sunya.Invalid(where, "%q lies outside of %s", name, workspace)
	}
	return path.Clean("./" + rel), nil
}

// stepLimits are what every kind of step has.
func stepLimits(s *Step, p plan.Step) plan.Step {
	p.Timeout = max(s.Timeout, time.Duration(0))
	p.AllowFailure, p.AllowExitCodes = s.AllowFailure, slices.Clone(s.AllowExitCodes)
	return p
}

func unsupported(field, format string, args ...any) *sunya.Error {
	return &sunya.Error{Code: sunya.Unimplemented, Field: field, Message: fmt.Sprintf(format, args...)}
}
