package detect

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/sunya-cloud/sunya"
)

// marks are what tells which language a source is in, in the order in which
// Google's buildpacks look: files of the top folder, as patterns.
var marks = []struct {
	language string
	patterns []string
}{
	{"go", []string{"go.mod", "*.go"}},
	{"java", []string{"pom.xml", "build.gradle", "build.gradle.kts", "*.jar"}},
	{"nodejs", []string{"package.json", "index.js", "server.js", "app.js"}},
	{"php", []string{"composer.json", "index.php"}},
	{"python", []string{"requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "*.py"}},
	{"ruby", []string{"Gemfile", "*.rb"}},
}

// Language returns the language of a source as runtime ids begin with it.
func Language(fsys fs.FS) (string, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return "", err
	}
	var known []string
	for _, m := range marks {
		for _, e := range entries {
			if !e.IsDir() && slices.ContainsFunc(m.patterns, func(p string) bool { ok, _ := path.Match(p, e.Name()); return ok }) {
				return m.language, nil
			}
		}
		known = append(known, m.patterns[0])
	}
	return "", sunya.Errorf(sunya.FailedPrecondition, "", "the source has no file that tells its language (%s): add one, or a Dockerfile", strings.Join(known, ", "))
}

// maxDescriptor bounds Procfile and project.toml.
const maxDescriptor = 1 << 20

// Procfile returns the command of the process web, and whether there is one
// (cloud.google.com/docs/buildpacks/build-run-image, "Procfile").
func Procfile(fsys fs.FS) (command string, ok bool, err error) {
	data, err := readSmall(fsys, "Procfile")
	if err != nil || data == nil {
		return "", false, err
	}
	for line := range strings.Lines(string(data)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if found && strings.TrimSpace(name) == "web" && strings.TrimSpace(value) != "" {
			return strings.TrimSpace(value), true, nil
		}
	}
	return "", false, sunya.Errorf(sunya.FailedPrecondition, "Procfile", "has no process web: add a line \"web: COMMAND\"")
}

// descriptor is what of project.toml is honoured: the environment of the build, as
// both versions of the format have it (buildpacks.io, project descriptor).
type descriptor struct {
	Build envList `toml:"build"`
	IO    struct {
		Buildpacks struct {
			Build envList `toml:"build"`
		} `toml:"buildpacks"`
	} `toml:"io"`
}

type envList struct {
	Env []struct{ Name, Value string } `toml:"env"`
}

// ProjectEnv returns the variables that project.toml sets for the build.
func ProjectEnv(fsys fs.FS) (map[string]string, error) {
	data, err := readSmall(fsys, "project.toml")
	if err != nil || data == nil {
		return nil, err
	}
	var p descriptor
	if err := toml.Unmarshal(data, &p); err != nil {
		return nil, sunya.Errorf(sunya.FailedPrecondition, "project.toml", "%v", err)
	}
	env := map[string]string{}
	for _, v := range append(p.Build.Env, p.IO.Buildpacks.Build.Env...) {
		if v.Name == "" {
			return nil, sunya.Errorf(sunya.FailedPrecondition, "project.toml", "a variable in build.env has no name")
		}
		env[v.Name] = v.Value
	}
	return env, nil
}

// readSmall returns nil where there is no such file.
func readSmall(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, nil
	}
	if info.Size() > maxDescriptor || !info.Mode().IsRegular() {
		return nil, sunya.Errorf(sunya.FailedPrecondition, name, "is not a file of at most 1 MiB")
	}
	return fs.ReadFile(fsys, name)
}
