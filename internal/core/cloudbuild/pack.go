package cloudbuild

import (
	"path"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// packBuild is a build from source without a Dockerfile.
type packBuild struct {
	Image string // where it goes; empty: nothing is built
	Dir   string // below the workspace
	Env   map[string]string
}

// packStep reads the arguments of a pack step (gcr.io/k8s-skaffold/pack), as
// "gcloud builds submit --pack" sends it. The builder that it names is not
// fetched: the builders here do what Google's do.
func packStep(where string, s *Step) (*packBuild, error) {
	if s.Script != "" || (s.Entrypoint != "" && path.Base(s.Entrypoint) != "pack") {
		return nil, unsupported(where+".entrypoint", "a pack step that runs another program is not supported")
	}
	if len(s.Args) > 1 && s.Args[0] == "config" && s.Args[1] == "default-builder" {
		return &packBuild{}, nil // gcloud's first step; nothing is to be done
	}
	if len(s.Args) == 0 || s.Args[0] != "build" {
		return nil, unsupported(where+".args", "of pack only build is supported")
	}
	p := &packBuild{Env: map[string]string{}, Dir: "."}
	var names []string
	for i := 1; i < len(s.Args); i++ {
		arg := s.Args[i]
		if !strings.HasPrefix(arg, "-") {
			names = append(names, arg)
			continue
		}
		name, value, given := strings.Cut(arg, "=")
		takes, known := packFlags[name]
		if !known {
			return nil, unsupported(where+".args", "pack build %s is not supported", arg)
		}
		if takes && !given {
			if i++; i == len(s.Args) {
				return nil, sunya.Invalid(where+".args", "pack build %s needs a value", arg)
			}
			value = s.Args[i]
		}
		if err := p.set(where, s, name, value); err != nil {
			return nil, err
		}
	}
	if len(names) != 1 {
		return nil, sunya.Invalid(where+".args", "pack build takes one name of an image: %q", names)
	}
	p.Image = names[0]
	return p, nil
}

// packFlags are the flags of pack build, and whether they take a value.
var packFlags = map[string]bool{
	"--builder": true, "-B": true, "--network": true, "--env": true, "-e": true, "--path": true, "-p": true,
	"--publish": false, "--trust-builder": false, "--clear-cache": false, "--verbose": false, "-v": false,
	"--pull-policy": true, "--run-image": true, "--cache-image": true, "--tag": true, "-t": true, "--default-process": true,
}

func (p *packBuild) set(where string, s *Step, flag, value string) error {
	switch flag {
	case "--env", "-e":
		if err := keyValue(p.Env, value); err != nil {
			return sunya.Invalid(where+".args", "pack build %s: %v", flag, err)
		}
	case "--path", "-p":
		dir, err := inWorkspace(where+".args", s.Dir, value)
		if err != nil {
			return err
		}
		p.Dir = dir
	}
	return nil
}
