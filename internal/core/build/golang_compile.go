package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// compileGo is the step that compiles. Its arguments are go build's. go list
// finds packages besides the standard library that need C: only for them is
// cgo on, so that every other binary is static and stands alone. Of several
// first builds of a project one compiles the standard library; the others wait.
const compileGo = `set -e
if [ "$SUNYA_GO" = gopath ]; then
	mkdir -p "$GOPATH/src"
	if [ -d _gopath/src ]; then cp -R _gopath/src/. "$GOPATH/src"; fi
	if [ -d vendor ]; then cp -R vendor/. "$GOPATH/src"; fi
	if [ -n "$SUNYA_IMPORT" ]; then
		mkdir -p "$GOPATH/src/$SUNYA_IMPORT"
		cp -R . "$GOPATH/src/$SUNYA_IMPORT"
	fi
fi
if [ -n "$SUNYA_FRAMEWORK" ]; then
	go mod edit -require="$SUNYA_FRAMEWORK"
fi
if [ "$SUNYA_GO" = tidy ]; then
	go mod tidy
fi
if [ -z "$CGO_ENABLED" ]; then
	c=$(CGO_ENABLED=1 go list -e -deps -f '{{if not .Standard}}{{if .CgoFiles}}{{.ImportPath}}{{end}}{{end}}' "$SUNYA_PACKAGE")
	c=$(echo $c)
	export CGO_ENABLED=0
	if [ -n "$c" ] && command -v gcc >/dev/null; then
		echo "With cgo, for $c" >&2
		CGO_ENABLED=1
	elif [ -n "$c" ]; then
		echo "warning: built without cgo, which is used by $c: this machine has no gcc" >&2
	fi
fi
if [ ! -e "$GOCACHE/warm" ] && command -v flock >/dev/null; then
	mkdir -p "$GOCACHE"
	exec 9>>"$GOCACHE/first"
	flock -w 120 9 || true
fi
go build "$@" "$SUNYA_PACKAGE"
: >"$GOCACHE/warm"
`

// binary is the layer of the compiled program.
func (b *goBuild) binary(ctx context.Context) (sunya.Layer, error) {
	sum, err := b.sourceSum()
	if err != nil {
		return sunya.Layer{}, err
	}
	k, err := key([]any{"go 1", b.Project, sum, b.rt.Fingerprint, b.plan.Package, b.cacheEnv(), compileGo, b.functionMain()})
	if err != nil {
		return sunya.Layer{}, err
	}
	start := b.now()
	l, made, err := b.Layer(ctx, k, goDir, func(dir string) error { return b.compile(ctx, dir) })
	switch {
	case err != nil:
		return l, err
	case made:
		b.Printf("Compiled: %.1f MB (%s)", float64(l.Bytes)/1e6, b.took(start))
	default:
		b.Printf("Program unchanged: reused")
	}
	return l, nil
}

func (b *goBuild) compile(ctx context.Context, dir string) error {
	mounts := []sandbox.Mount{
		{Source: dir, Target: goDir, Writable: true},
		{Source: b.Dir, Target: Workspace, Writable: true}, // go mod tidy writes into it
		b.Cache(),
	}
	for _, l := range b.tool {
		m, err := b.LayerMount(l)
		if err != nil {
			return err
		}
		mounts = append(mounts, m)
	}
	if err := b.writeMain(); err != nil {
		return err
	}
	err := b.Run(ctx, Step{
		Name:   "Compiling",
		Args:   append([]string{"/bin/sh", "-c", compileGo, "sh", "-o", goMain}, b.flags()...),
		Env:    b.Env(b.goEnv()),
		Dir:    Workspace,
		Mounts: b.Mounts(b.rt, mounts...),
	})
	var step *errStep
	if errors.As(err, &step) && !step.exit.OOMKilled {
		return failed(b.Last(), "%s", goCause(b.Last(), b.plan.Module))
	}
	if err != nil {
		return err
	}
	for _, l := range b.Last() {
		if w, ok := strings.CutPrefix(l, "warning: "); ok {
			b.Warn(w)
		}
	}
	return b.isProgram(dir)
}

// isProgram refuses what go build leaves for a package that is not main: an
// archive, which nothing can run.
func (b *goBuild) isProgram(dir string) error {
	fi, err := os.Stat(filepath.Join(dir, "bin", "main"))
	if err != nil || fi.Mode()&0o111 == 0 {
		return failed(nil, "%s is not a package main: name one with main: in app.yaml", b.plan.Package)
	}
	return nil
}

// flags are Google's two build variables for flags of go build.
func (b *goBuild) flags() []string {
	var flags []string
	if v := b.Spec.Env["GOOGLE_GOGCFLAGS"]; v != "" {
		flags = append(flags, "-gcflags", v)
	}
	if v := b.Spec.Env["GOOGLE_GOLDFLAGS"]; v != "" {
		flags = append(flags, "-ldflags", v)
	}
	return flags
}

// goEnv is what the go command is told. Modules and compiled packages are the
// project's, so that a redeploy compiles what has changed.
func (b *goBuild) goEnv() map[string]string {
	asked := b.Env(nil)
	env := map[string]string{
		"PATH":          filepath.Dir(b.rt.Path) + ":/usr/local/bin:/usr/bin:/bin",
		"GOPATH":        buildMount + "/home/go",
		"GOMODCACHE":    cacheMount + "/go/mod",
		"GOCACHE":       cacheMount + "/go/build",
		"GOENV":         "off",
		"GOTOOLCHAIN":   "local",
		"GOPROXY":       goProxy(asked),
		"GOFLAGS":       strings.TrimSpace("-modcacherw -buildvcs=false " + asked["GOFLAGS"]),
		"SUNYA_PACKAGE": b.plan.Package,
		"SUNYA_GO":      "module",
		// git fetches modules that no proxy has; it must not ask anybody.
		"GIT_TERMINAL_PROMPT": "0",
	}
	switch {
	case !b.plan.Module:
		env["GO111MODULE"], env["SUNYA_GO"] = "off", "gopath"
		env["GOFLAGS"] = "-buildvcs=false"
		if b.plan.Staged {
			env["SUNYA_IMPORT"] = b.plan.Package
		}
	case b.plan.Tidy:
		env["SUNYA_GO"] = "tidy"
	}
	if f := b.plan.Function; f != nil && f.Version == "" {
		env["SUNYA_FRAMEWORK"] = detect.GoFramework + "@" + goFrameworkVersion
	}
	return env
}
