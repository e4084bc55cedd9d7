package hoststack

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

var goRE = regexp.MustCompile(`^go$`)

// golangs lists the go commands: PATH and the places where the installer, the
// distributions, version managers and Go itself put tool chains.
func (p places) golangs() []asking {
	var list []asking
	for _, bin := range programs(p.goDirs(), goRE) {
		list = append(list, asking{bin, describeGo})
	}
	return list
}

func (p places) goDirs() []string {
	globs := []string{
		filepath.Join(p.root, "usr/local/go/bin"),
		filepath.Join(p.root, "usr/lib/go-*/bin"),
		filepath.Join(p.root, "usr/lib/go/bin"),
		filepath.Join(p.root, "usr/lib/golang/bin"),
	}
	if p.home != "" {
		globs = append(globs,
			filepath.Join(p.home, "sdk", "go*", "bin"),
			filepath.Join(p.home, "go", "pkg", "mod", "golang.org", "toolchain@*", "bin"),
			filepath.Join(p.home, ".goenv", "versions", "*", "bin"),
			filepath.Join(p.home, ".asdf", "installs", "golang", "*", "go", "bin"))
	}
	return p.dirs(append(globs, p.managed("go", "bin")...)...)
}

var goVersionRE = regexp.MustCompile(`^go([0-9]+\.[0-9]+(?:\.[0-9]+)?)$`)

// describeGo reads what a tool chain's own VERSION file says; nil for a
// candidate of a release, for a development version, and for what is no tool
// chain. Nothing is run.
func describeGo(_ context.Context, bin string) *build.Runtime {
	root := filepath.Dir(filepath.Dir(bin))
	data, err := readSmall(filepath.Join(root, "VERSION"))
	if err != nil {
		return nil
	}
	line, _, _ := strings.Cut(string(data), "\n")
	m := goVersionRE.FindStringSubmatch(strings.TrimSpace(line))
	if m == nil {
		return nil
	}
	r := build.Runtime{Language: "go", Version: m[1], Path: bin}
	if !standard(root) {
		r.Prefixes = []string{root}
	}
	return found(r)
}

// goConfig reads the file that go env -w writes: NAME=value, one a line.
func (p places) goConfig() map[string]string {
	env := map[string]string{}
	data, err := readSmall(p.goConfigFile())
	if err != nil {
		return env
	}
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && value != "" && strings.HasPrefix(name, "GO") && inherited(name) {
			env[name] = value
		}
	}
	return env
}

func (p places) goConfigFile() string {
	if f := p.getenv("GOENV"); f != "" {
		if !filepath.IsAbs(f) { // "off" too
			return os.DevNull
		}
		return f
	}
	config := p.getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(p.home, ".config")
	}
	return filepath.Join(config, "go", "env")
}
