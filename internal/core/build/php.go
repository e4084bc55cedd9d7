package build

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// PHP builds php72 to php85: the source with its packages, and one front
// controller that answers every request, as Google's runtime does. The server
// is PHP's own: nginx and php-fpm are rarely on a machine, and two more
// processes.
type PHP struct{}

var _ FunctionLanguage = PHP{}

const php = "php"

// phps is PHP, all minor versions that have a runtime id at Google and serve
// with several workers.
var phps = family{
	language: php, title: "PHP",
	oldest: detect.Version{Major: 7, Minor: 2, Patch: -1}, newest: detect.Version{Major: 8, Minor: 5, Patch: -1},
	pins: []string{"GOOGLE_RUNTIME_VERSION"},
	need: "PHP 7.2 or newer", install: "Debian: apt install php-cli",
}

// Name implements Language.
func (PHP) Name() string { return php }

// Runtimes implements Language.
func (PHP) Runtimes(m Machine) string { return phps.runtimes(m) }

// Check implements Language.
func (PHP) Check(m Machine, spec sunya.BuildSpec) error { return phps.check(m, spec) }

// FunctionRuntimes implements FunctionLanguage: those of Google.
func (PHP) FunctionRuntimes() []string {
	return []string{"php74", "php81", "php82", "php83", "php84", "php85"}
}

// functionEnv is what the framework is told.
func (b *phpBuild) functionEnv() []sunya.EnvVar {
	env := functionEnv(b.Spec.Function, b.plan.Function, "")
	if env != nil {
		env = append(env, sunya.EnvVar{Name: "FUNCTION_SOURCE", Value: path.Join(Workspace, b.plan.Source)})
	}
	return env
}

// phpDir holds the settings, the router and a link to the PHP that was chosen.
const phpDir = LayersDir + "/php"

var (
	//go:embed php.ini
	phpIni string
	//go:embed router.php
	phpRouter string
)

// phpBuild is one build of a PHP program.
type phpBuild struct {
	*Job
	plan     *detect.PHPPlan
	rt       Runtime
	composer Runtime // where packages are to be installed
}

// Build implements Language.
func (PHP) Build(ctx context.Context, j *Job) (*Result, error) {
	b := &phpBuild{Job: j}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	app, err := b.application(ctx)
	if err != nil {
		return nil, err
	}
	own, err := b.support(ctx)
	if err != nil {
		return nil, err
	}
	return &Result{Image: phps.image(b.rt, own, app), Command: []string{"/bin/bash", "-c", b.line()}, Env: append(b.env(), b.functionEnv()...), Dir: Workspace}, nil
}

// prepare reads the source and chooses the interpreter; it runs nothing.
func (b *phpBuild) prepare() error {
	w, err := phps.parse(b.Machine, b.Spec)
	if err != nil {
		return err
	}
	if b.plan, err = planOf(b.Job, detect.PHP); err != nil {
		return err
	}
	b.Warn(b.plan.Warnings...)
	if b.rt, err = b.use(phps, w, b.plan.Requires); err != nil {
		return err
	}
	if !b.plan.Packages || b.plan.Vendored {
		return nil
	}
	found := b.Machine.of("composer")
	if len(found) == 0 {
		return failed(nil, "composer.json asks for packages, the source has no vendor folder, and this machine has no composer: install it (Debian: apt install composer), or run composer install and deploy vendor with the source (gcloud's rules leave it out: add a .gcloudignore that does not)")
	}
	b.composer = found[0]
	return nil
}

// support is a layer of the platform's own files.
func (b *phpBuild) support(ctx context.Context) (sunya.Layer, error) {
	k, err := key([]any{"php 1", phpIni, phpRouter, b.rt.Path})
	if err != nil {
		return sunya.Layer{}, err
	}
	l, _, err := b.Layer(ctx, k, phpDir, func(dir string) error {
		for name, content := range map[string]string{"conf/sunya.ini": phpIni, "router.php": phpRouter} {
			file := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
				return err
			}
		}
		if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
			return err
		}
		return os.Symlink(b.rt.Path, filepath.Join(dir, "bin", "php"))
	})
	return l, err
}

// application is the layer of the source with its packages.
func (b *phpBuild) application(ctx context.Context) (sunya.Layer, error) {
	parts := []any{"php 1", b.rt.Fingerprint, b.plan}
	did := "checked"
	if b.composer.Path != "" || b.plan.GCPBuild {
		parts = append(parts, b.composer.Fingerprint, b.cacheEnv())
		did = "built and checked"
	}
	return b.Job.application(ctx, parts, did, func(ctx context.Context, dir string) error {
		if err := b.packages(ctx, dir); err != nil {
			return err
		}
		return b.checkFront(ctx, dir)
	})
}

// packages runs composer. The classes of the source are in what it writes:
// every change of code runs it again, with what it has downloaded before.
func (b *phpBuild) packages(ctx context.Context, dir string) error {
	switch {
	case b.composer.Path == "" && b.plan.Packages:
		b.Printf("The packages are those of the vendor folder in the source")
	case b.composer.Path == "":
		b.Printf("No dependencies to install")
	default:
		args := b.Spec.Env["GOOGLE_COMPOSER_ARGS"]
		if args == "" {
			args = "--no-dev --no-progress --no-interaction --optimize-autoloader"
		}
		b.Printf("Installing dependencies with composer")
		if err := b.composerStep(ctx, "Installing dependencies", dir, "install "+args); err != nil {
			return err
		}
	}
	if !b.plan.GCPBuild {
		return nil
	}
	if found := b.Machine.of("composer"); b.composer.Path == "" && len(found) > 0 {
		b.composer = found[0]
	}
	if b.composer.Path == "" {
		return failed(nil, "composer.json has a script gcp-build, and this machine has no composer to run it: install it (Debian: apt install composer)")
	}
	b.Printf("Running the script gcp-build")
	return b.composerStep(ctx, "The script gcp-build", dir, "run-script --timeout=0 --no-dev gcp-build")
}

// composerStep runs composer on a copy of the source. Its arguments are the
// user's own and the shell's to split.
func (b *phpBuild) composerStep(ctx context.Context, name, dir, args string) error {
	err := b.Run(ctx, Step{
		Name: name,
		Args: []string{"/bin/bash", "-c", `exec "$SUNYA_PHP" "$SUNYA_COMPOSER" ` + args},
		Env: b.Env(map[string]string{"PATH": path.Dir(b.rt.Path) + ":/usr/local/bin:/usr/bin:/bin", "SUNYA_PHP": b.rt.Path, "SUNYA_COMPOSER": b.composer.Path,
			"COMPOSER_HOME": buildMount + "/home/composer", "COMPOSER_CACHE_DIR": cacheMount + "/composer", "COMPOSER_NO_INTERACTION": "1", "NO_COLOR": "1"}),
		Dir:    Workspace,
		Mounts: b.Mounts(b.rt, sandbox.Mount{Source: dir, Target: Workspace, Writable: true}, b.Cache()),
	})
	if isStep(err) && !outOfMemory(err) {
		return failed(b.Last(), "%s failed: %s", strings.ToLower(name[:1])+name[1:], tellingLine(b.Telling()))
	}
	return err
}

// checkFront has PHP read the front controller, so that a syntax error is a
// failed build.
func (b *phpBuild) checkFront(ctx context.Context, dir string) error {
	front := cmp.Or(b.plan.Source, b.plan.Front)
	if front == "" {
		return nil
	}
	err := b.Run(ctx, Step{
		Name: "Checking the source", Args: []string{b.rt.Path, "-d", "display_errors=1", "-d", "log_errors=0", "-l", front},
		Env: b.Env(map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin"}), Dir: Workspace,
		Mounts: b.Mounts(b.rt, sandbox.Mount{Source: dir, Target: Workspace}),
	})
	if isStep(err) {
		return failed(b.Last(), "%s", phpCause(b.Last()))
	}
	return err
}

var phpErrorRE = regexp.MustCompile(`^(?:PHP )?(Parse|Fatal) error:\s+(.*) in (?:/workspace/)?(\S+) on line (\d+)`)

// phpCause is the sentence in what php -l prints.
func phpCause(lines []string) string {
	for _, l := range lines {
		if m := phpErrorRE.FindStringSubmatch(strings.TrimSpace(l)); m != nil {
			return fmt.Sprintf("%s:%s: %s", m[3], m[4], m[2])
		}
	}
	return "the source has a syntax error: see the build log"
}

// phpWorkers is how many requests PHP answers at a time: a process each.
const phpWorkers = "8"

// phpLog takes from what PHP's server writes the lines about connections and
// requests, which the platform's own log has, and process and time from the
// rest.
const phpLog = `s/^(\[[0-9]+\] )?\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} [0-9]{4}\] //; ` +
	`/^[^ ]+:[0-9]+ (Accepted|Closing|Closed without|\[[0-9]{3}\]: [A-Z]+ [^ ]+$)/d; /^PHP [^ ]+ Development Server/d`

// line starts the program.
func (b *phpBuild) line() string {
	if b.plan.Front == "" {
		return b.plan.Line
	}
	return `exec ` + phpDir + `/bin/php -S "0.0.0.0:$PORT" -t "${SUNYA_FRONT_CONTROLLER%/*}" ` + phpDir + `/router.php 2> >(exec sed -uE '` + phpLog + `' >&2)`
}

// env is what a PHP program of ours runs with.
func (b *phpBuild) env() []sunya.EnvVar {
	env := []sunya.EnvVar{
		{Name: "PATH", Value: phpDir + "/bin:" + Workspace + "/vendor/bin:/usr/local/bin:/usr/bin:/bin"},
		{Name: "PHP_INI_SCAN_DIR", Value: ":" + phpDir + "/conf:" + Workspace},
		{Name: "LANG", Value: "C.UTF-8"},
	}
	if b.plan.Front != "" {
		env = append(env, sunya.EnvVar{Name: "PHP_CLI_SERVER_WORKERS", Value: phpWorkers},
			sunya.EnvVar{Name: "SUNYA_FRONT_CONTROLLER", Value: path.Join(Workspace, b.plan.Front)})
	}
	return env
}
