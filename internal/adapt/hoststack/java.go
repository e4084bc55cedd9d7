package hoststack

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

var javaRE = regexp.MustCompile(`^java$`)

// javas lists the Java installations: JAVA_HOME, PATH, and the places where
// distributions and version managers put them.
func (p places) javas() []asking {
	var list []asking
	for _, bin := range programs(p.javaDirs(), javaRE) {
		list = append(list, asking{bin, describeJava})
	}
	return list
}

func (p places) javaDirs() []string {
	globs := []string{
		filepath.Join(p.root, "usr/lib/jvm/*/bin"),
		filepath.Join(p.root, "usr/java/*/bin"),
		filepath.Join(p.root, "opt/*/bin"), // /opt/jdk-21, /opt/java
		filepath.Join(p.root, "opt/java/*/bin"),
	}
	if p.home != "" {
		globs = append(globs,
			filepath.Join(p.home, ".sdkman", "candidates", "java", "*", "bin"),
			filepath.Join(p.home, ".jdks", "*", "bin")) // IntelliJ's
	}
	dirs := p.dirs(append(globs, p.managed("java", "bin")...)...)
	if home := p.getenv("JAVA_HOME"); filepath.IsAbs(home) {
		dirs = append([]string{filepath.Join(home, "bin")}, dirs...)
	}
	return dirs
}

// javaVersionRE takes 17.0.15 of 17.0.15.1; Java 8 calls itself 1.8 and is too
// old to matter.
var javaVersionRE = regexp.MustCompile(`(?m)^JAVA_VERSION="([0-9]{2,}(?:\.[0-9]+){0,2})[^"]*"`)

// describeJava reads what an installation's own release file says; nil for
// what has none. Nothing is run: a JVM takes a moment to start.
func describeJava(_ context.Context, bin string) *build.Runtime {
	home := filepath.Dir(filepath.Dir(bin))
	data, err := readSmall(filepath.Join(home, "release"))
	if err != nil {
		return nil
	}
	m := javaVersionRE.FindSubmatch(data)
	if m == nil {
		return nil
	}
	r := build.Runtime{Language: "java", Version: string(m[1]), Path: bin}
	if isProgram(filepath.Join(home, "bin", "javac")) {
		r.Modules = append(r.Modules, "javac")
	}
	if !standard(home) {
		r.Prefixes = []string{home}
	}
	return found(r)
}

// javaTools returns Maven and Gradle, the first of each that is found. They
// are scripts beside a lib folder with their jars.
func (p places) javaTools() []build.Runtime {
	var list []build.Runtime
	for _, t := range []struct{ name, program, proof string }{
		{"maven", "mvn", "boot/plexus-classworlds*.jar"},
		{"gradle", "gradle", "lib/gradle-*.jar"},
	} {
		if r := p.javaTool(t.name, t.program, t.proof); r != nil {
			list = append(list, *r)
		}
	}
	return list
}

func (p places) javaTool(name, program, proof string) *build.Runtime {
	globs := []string{filepath.Join(p.root, "opt/*/bin"), filepath.Join(p.root, "usr/share", name, "bin")}
	if p.home != "" {
		globs = append(globs, filepath.Join(p.home, ".sdkman", "candidates", name, "*", "bin"))
	}
	for _, dir := range p.dirs(append(globs, p.managed(name, "bin")...)...) {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, program))
		if err != nil {
			continue
		}
		home := filepath.Dir(filepath.Dir(path))
		if proofs, err := filepath.Glob(filepath.Join(home, proof)); err != nil || len(proofs) == 0 || p.tooWide(home) {
			continue
		}
		r := &build.Runtime{Language: name, Path: path, Prefixes: outside(home, "conf", "lib")}
		if !standard(home) {
			r.Prefixes = append(r.Prefixes, home)
		}
		return r
	}
	return nil
}

// outside returns where links of a home lead that no sandbox sees by itself:
// Debian keeps the configuration of Maven in /etc.
func outside(home string, names ...string) []string {
	var list []string
	for _, n := range names {
		dir, err := filepath.EvalSymlinks(filepath.Join(home, n))
		if err != nil || standard(dir) || dir == home || strings.HasPrefix(dir, home+string(os.PathSeparator)) {
			continue
		}
		list = append(list, dir)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
