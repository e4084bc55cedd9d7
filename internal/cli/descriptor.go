package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sunya-cloud/sunya"
)

// javaYAML is where gcloud and the Maven and Gradle plug-ins of App Engine look
// for the app.yaml of a Java project.
var javaYAML = filepath.Join("src", "main", "appengine", "app.yaml")

// javaBuilds are the files that make a directory a Java project.
var javaBuilds = []string{"pom.xml", "build.gradle", "build.gradle.kts"}

// otherFiles are gcloud's deployables that cannot be deployed, and why.
var otherFiles = map[string]string{
	"cron.yaml":  "scheduled requests come with Cloud Scheduler, which Sunya does not have yet",
	"queue.yaml": "task queues come with Cloud Tasks, which Sunya does not have yet",
	"index.yaml": "indexes come with Datastore, which Sunya does not have yet",
	"dos.yaml":   "it has been replaced by firewall rules, which Sunya does not have yet",
}

// dispatchFile is the name by which gcloud, too, knows dispatch rules.
const dispatchFile = "dispatch.yaml"

// readTarget finds and reads the app.yaml that an argument means: a YAML file,
// a directory, or the pom.xml or build.gradle of one. The source of a service is
// the directory of its app.yaml, but for javaYAML.
func readTarget(env *Env, arg string) (target, error) {
	path, info, err := env.stat(arg)
	switch {
	case err != nil:
		return target{}, err
	case info.IsDir():
		return readDir(path)
	case slices.Contains(javaBuilds, filepath.Base(path)):
		return readDir(filepath.Dir(path))
	}
	if why, ok := otherFiles[filepath.Base(path)]; ok {
		return target{}, sunya.Errorf(sunya.Unimplemented, arg, "cannot be deployed: %s", why)
	}
	if ext := filepath.Ext(path); ext != ".yaml" && ext != ".yml" {
		return target{}, usagef("%s is neither a directory nor a YAML file: name the directory of the source, or its app.yaml", arg)
	}
	return parseTarget(path)
}

// stat finds what an argument names, from the directory of the command.
func (env *Env) stat(arg string) (string, fs.FileInfo, error) {
	path := arg
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, path)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, usagef("there is no %s", arg)
	}
	if err != nil {
		return "", nil, fmt.Errorf("read %s: %w", arg, err)
	}
	return path, info, nil
}

// readElsewhere reads an app.yaml that lies outside of its source.
func readElsewhere(env *Env, args []string, appYAML string) (target, error) {
	if len(args) > 1 {
		return target{}, usagef("--appyaml goes with one source: deploy the others in commands of their own")
	}
	source, info, err := env.stat(args[0])
	if err != nil {
		return target{}, err
	}
	if !info.IsDir() {
		source = filepath.Dir(source)
	}
	path, _, err := env.stat(appYAML)
	if err != nil {
		return target{}, err
	}
	t, err := parseTarget(path)
	if err == nil && t.cfg == nil {
		return target{}, usagef("--appyaml: %s does not describe a service", appYAML)
	}
	t.dir = source
	return t, err
}

func readDir(dir string) (target, error) {
	if hasJavaYAML(dir) {
		t, err := parseTarget(filepath.Join(dir, javaYAML))
		t.dir = dir
		return t, err
	}
	return parseTarget(filepath.Join(dir, "app.yaml"))
}

// hasJavaYAML reports whether dir is a Java project whose only app.yaml is the
// one among its sources.
func hasJavaYAML(dir string) bool {
	return !isFile(dir, "app.yaml") && isFile(dir, javaYAML) &&
		slices.ContainsFunc(javaBuilds, func(name string) bool { return isFile(dir, name) })
}

func isFile(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular()
}

// sourceSigns are files that give a source away, with a runtime that would run
// it. Their order is that in which a directory is asked for them.
var sourceSigns = []struct{ file, runtime string }{
	{"requirements.txt", "python311"},
	{"pyproject.toml", "python311"},
	{"Pipfile", "python311"},
	{"main.py", "python311"},
	{"package.json", "nodejs22"},
	{"go.mod", "go125"},
	{"pom.xml", "java21"},
	{"build.gradle", "java21"},
	{"build.gradle.kts", "java21"},
	{"composer.json", "php83"},
	{"index.php", "php83"},
	{"Gemfile", "ruby33"},
}

// smallestYAML is the one line that would make an app.yaml for dir.
func smallestYAML(dir string) string {
	for _, sign := range sourceSigns {
		if isFile(dir, sign.file) {
			return "runtime: " + sign.runtime
		}
	}
	return "runtime: python311"
}
