package build

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// Ruby builds ruby25 to ruby40: the gems of the lock file as a layer, and the
// source beside it.
type Ruby struct{}

var _ FunctionLanguage = Ruby{}

const ruby = "ruby"

// rubies is Ruby, all minor versions that have a runtime id at Google.
var rubies = family{
	language: ruby, title: "Ruby",
	oldest: detect.Version{Major: 2, Minor: 5, Patch: -1}, newest: detect.Version{Major: 4, Minor: 0, Patch: -1},
	pins: []string{"GOOGLE_RUNTIME_VERSION"},
	need: "Ruby 2.5 or newer", install: "Debian: apt install ruby ruby-bundler",
}

// Name implements Language.
func (Ruby) Name() string { return ruby }

// Runtimes implements Language.
func (Ruby) Runtimes(m Machine) string { return rubies.runtimes(m) }

// Check implements Language.
func (Ruby) Check(m Machine, spec sunya.BuildSpec) error { return rubies.check(m, spec) }

// FunctionRuntimes implements FunctionLanguage: those of Google since Ruby 2.6.
func (Ruby) FunctionRuntimes() []string {
	return []string{"ruby26", "ruby27", "ruby30", "ruby31", "ruby32", "ruby33", "ruby34", "ruby40"}
}

// functionEnv is what the framework is told. It refuses a signature that is not
// the function's, which the source says: so it is told one only where somebody
// asked for it.
func (b *rubyBuild) functionEnv() []sunya.EnvVar {
	if b.Spec.Function == nil {
		return nil
	}
	env := []sunya.EnvVar{{Name: "FUNCTION_TARGET", Value: b.plan.Function}}
	if s := b.Spec.Function.Signature; s != "" {
		env = append(env, sunya.EnvVar{Name: "FUNCTION_SIGNATURE_TYPE", Value: s})
	}
	return env
}

// gemsDir is where gems are installed.
const gemsDir = LayersDir + "/gems"

// rubyBuild is one build of a Ruby program.
type rubyBuild struct {
	*Job
	plan *detect.RubyPlan
	rt   Runtime
}

// Build implements Language.
func (Ruby) Build(ctx context.Context, j *Job) (*Result, error) {
	b := &rubyBuild{Job: j}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	layers, err := b.gems(ctx)
	if err != nil {
		return nil, err
	}
	app, err := b.application(ctx)
	if err != nil {
		return nil, err
	}
	return &Result{Image: rubies.image(b.rt, append(layers, app)...), Command: []string{"/bin/bash", "-c", b.plan.Line}, Env: append(b.env(), b.functionEnv()...), Dir: Workspace}, nil
}

// prepare reads the source and chooses the interpreter; it runs nothing.
func (b *rubyBuild) prepare() error {
	w, err := rubies.parse(b.Machine, b.Spec)
	if err != nil {
		return err
	}
	if b.plan, err = planOf(b.Job, detect.Ruby); err != nil {
		return err
	}
	b.Warn(b.plan.Warnings...)
	if b.rt, err = b.use(rubies, w, b.plan.Requires); err != nil {
		return err
	}
	if b.plan.Gemfile != "" && !b.rt.Has("bundler") {
		return failed(nil, "the source has a %s, and Ruby %s of this machine has no bundler: install it (Debian: apt install ruby-bundler)", b.plan.Gemfile, b.rt.Version)
	}
	return b.bundled()
}

// bundled checks that gems which come installed with the source fit the
// interpreter: their folder is named after what they were built for.
func (b *rubyBuild) bundled() error {
	if b.plan.Bundle == "" {
		return nil
	}
	if fi, err := os.Stat(filepath.Join(b.Dir, b.plan.Bundle, "ruby", b.abi())); err == nil && fi.IsDir() {
		return nil
	}
	return failed(nil, "%s holds gems for another Ruby than %s: run bundle install with that one, or deploy vendor/cache (bundle cache) instead", b.plan.Bundle, b.rt.Version)
}

// abi is what gems are built for: 3.1.0 for every 3.1.
func (b *rubyBuild) abi() string {
	v, err := detect.ParseVersion(b.rt.Version)
	if err != nil {
		return b.rt.Version
	}
	return fmt.Sprintf("%d.%d.0", v.Major, v.Minor)
}

// gems is the layer of the gems that the lock file names; none when the source
// needs none, or comes with them.
func (b *rubyBuild) gems(ctx context.Context) ([]sunya.Layer, error) {
	switch {
	case b.plan.Gemfile == "":
		b.Printf("No dependencies to install")
		return nil, nil
	case b.plan.Bundle != "":
		b.Printf("The gems are those of %s in the source", b.plan.Bundle)
		return nil, nil
	}
	// A Gemfile is a program and may read any file, and a gem may lie in the
	// source: what may be installed follows from all of it unless the lock
	// file says that everything comes from elsewhere.
	k, err := b.gemsKey()
	if err != nil {
		return nil, err
	}
	l, err := b.installed(ctx, k, gemsDir, b.install)
	if err != nil {
		return nil, err
	}
	return []sunya.Layer{l}, nil
}

func (b *rubyBuild) gemsKey() (string, error) {
	files := map[string]string{}
	for _, name := range []string{b.plan.Gemfile, b.plan.Lock} {
		data, err := os.ReadFile(filepath.Join(b.Dir, name))
		if err != nil {
			return "", fmt.Errorf("read manifest: %w", err)
		}
		files[name] = string(data)
	}
	sum, err := "", error(nil)
	switch {
	case strings.Contains("\n"+files[b.plan.Lock], "\nPATH\n"):
		sum, err = b.sourceSum()
	case b.plan.Cache:
		sum, err = treeSum(filepath.Join(b.Dir, "vendor", "cache"))
	}
	if err != nil {
		return "", err
	}
	return key([]any{"ruby gems 1", b.Project, files, sum, b.rt.Fingerprint, b.cacheEnv()})
}

// bundlerEnv is what bundler is told, at build and at run time.
func (b *rubyBuild) bundlerEnv() map[string]string {
	env := map[string]string{
		"BUNDLE_GEMFILE": path.Join(Workspace, b.plan.Gemfile), "BUNDLE_FROZEN": "true", "BUNDLE_WITHOUT": "development:test",
		"BUNDLE_PATH": gemsDir, "BUNDLE_APP_CONFIG": "/nonexistent", "BUNDLE_DISABLE_VERSION_CHECK": "true", "BUNDLE_VERSION": "system",
	}
	if b.plan.Bundle != "" {
		env["BUNDLE_PATH"] = path.Join(Workspace, b.plan.Bundle)
	}
	return env
}

// install fills the layer of gems: from vendor/cache, else from where the
// Gemfile says.
func (b *rubyBuild) install(ctx context.Context, dir string) error {
	env := b.bundlerEnv()
	env["PATH"] = b.path()
	env["BUNDLE_USER_CACHE"], env["BUNDLE_USER_HOME"] = cacheMount+"/bundler", buildMount+"/home/bundler"
	env["BUNDLE_RETRY"], env["BUNDLE_JOBS"], env["NO_COLOR"] = "1", "2", "1"
	line := "bundle install"
	if b.plan.Cache {
		line += " --local"
	}
	b.Printf("Installing dependencies with bundler")
	err := b.Run(ctx, Step{
		Name: "Installing dependencies", Args: []string{"/bin/sh", "-c", line},
		Env: b.Env(env), Dir: Workspace,
		Mounts: b.Mounts(b.rt, sandbox.Mount{Source: b.Dir, Target: Workspace, Writable: true}, sandbox.Mount{Source: dir, Target: gemsDir, Writable: true}, b.Cache()),
	})
	if isStep(err) && !outOfMemory(err) {
		return failed(b.Last(), "%s", gemsCause(b.Telling(), b.plan))
	}
	return err
}

var (
	gemMissingRE = regexp.MustCompile(`Could not find (?:gem '([^']+)'|([\w.-]+)-\d\S* )`)
	gemNativeRE  = regexp.MustCompile(`An error occurred while installing (\S+)`)
	gemNetworkRE = regexp.MustCompile(`Could not (?:fetch|reach|find) (?:specs|host)|Could not reach|Network error|SocketError|Failed to open TCP|Net::OpenTimeout|Connection refused`)
)

// gemsCause is one sentence about why bundler gave up.
func gemsCause(lines []string, plan *detect.RubyPlan) string {
	text := strings.Join(lines, "\n")
	if gemNetworkRE.MatchString(text) {
		return "the gem server cannot be reached from here: run bundle cache, and deploy vendor/cache with the source"
	}
	if m := gemMissingRE.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("gem `%s` is not to be had: check %s, or run bundle cache and deploy vendor/cache with the source", m[1]+m[2], plan.Gemfile)
	}
	if m := gemNativeRE.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("gem `%s` could not be installed: native code needs a compiler and Ruby's headers (Debian: apt install build-essential ruby-dev)", m[1])
	}
	return "installing dependencies with bundler failed: " + tellingLine(lines)
}

// application is the layer of the source. What Ruby programs write into their
// own tmp and log goes to /tmp, as at Google.
func (b *rubyBuild) application(ctx context.Context) (sunya.Layer, error) {
	parts := []any{"ruby 1", b.rt.Fingerprint, b.plan.Entry}
	return b.Job.application(ctx, parts, "checked", func(ctx context.Context, dir string) error {
		for _, name := range []string{"tmp", "log"} {
			at := filepath.Join(dir, name)
			if err := tree.Remove(at); err != nil {
				return err
			}
			if err := os.Symlink("/tmp", at); err != nil {
				return err
			}
		}
		return b.checkEntry(ctx, dir)
	})
}

func (b *rubyBuild) checkEntry(ctx context.Context, dir string) error {
	for _, name := range b.plan.Entry {
		err := b.Run(ctx, Step{
			Name: "Checking the source", Args: []string{b.rt.Path, "-c", name},
			Env: b.Env(map[string]string{"PATH": b.path()}), Dir: Workspace,
			Mounts: b.Mounts(b.rt, sandbox.Mount{Source: dir, Target: Workspace}),
		})
		if isStep(err) {
			return failed(b.Last(), "%s", rubyCause(b.Last()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var rubyErrorRE = regexp.MustCompile(`(?:^|\s)([\w./-]+\.r[bu]:\d+: .+)`)

// rubyCause is the sentence in what ruby -c prints.
func rubyCause(lines []string) string {
	for _, l := range lines {
		if m := rubyErrorRE.FindStringSubmatch(l); m != nil {
			return strings.TrimSuffix(m[1], " (SyntaxError)")
		}
	}
	return "the source has a syntax error: see the build log"
}

func (b *rubyBuild) path() string {
	const system = "/usr/local/bin:/usr/bin:/bin"
	if dir := path.Dir(b.rt.Path); dir != "/usr/bin" {
		return dir + ":" + system
	}
	return system
}

// env is what a Ruby program of ours runs with.
func (b *rubyBuild) env() []sunya.EnvVar {
	list := []sunya.EnvVar{
		{Name: "LANG", Value: "C.UTF-8"}, {Name: "MALLOC_ARENA_MAX", Value: "2"},
		{Name: "RACK_ENV", Value: "production"}, {Name: "RAILS_ENV", Value: "production"},
		{Name: "RAILS_LOG_TO_STDOUT", Value: "true"}, {Name: "RAILS_SERVE_STATIC_FILES", Value: "true"},
	}
	if b.plan.Gemfile == "" {
		return append(list, sunya.EnvVar{Name: "PATH", Value: b.path()})
	}
	env := b.bundlerEnv()
	env["PATH"] = env["BUNDLE_PATH"] + "/ruby/" + b.abi() + "/bin:" + b.path()
	return append(list, sortedEnv(env)...)
}
