package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// choose finds the Go that compiles. Go is compatible backwards, and go.mod
// says which language is meant: a Go of this machine that is not older than
// what is asked for will do, as it does for the go command itself. A newer one
// is fetched as the go command fetches it; where that fails, an older one of
// this machine is taken, unless go.mod or a pin forbids it.
func (b *goBuild) choose(ctx context.Context) error {
	w, err := gos.parse(b.Machine, b.Spec)
	if err != nil {
		return err
	}
	goal := goalOf(w, b.plan)
	w.version = goal.Version()
	rt, warning, err := gos.choose(b.Machine, w, atLeast{b.plan.Needs})
	if err == nil && (w.pin != nil || goal.Holds(detect.GoVersion(rt.Version))) {
		b.rt = rt
		return nil
	}
	fetchErr := b.fetch(ctx, goal)
	var step *errStep
	switch {
	case fetchErr == nil || !errors.As(fetchErr, &step):
		return fetchErr
	case err != nil:
		return failed(b.Last(), "%s, and Go %s could not be fetched from the module proxy", err, goal)
	}
	b.rt = rt
	b.Warn(warning)
	return nil
}

// goalOf is the version that a build asks for: the pin, else the newer of the
// runtime id's and go.mod's.
func goalOf(w want, plan *detect.GoPlan) detect.GoVersion {
	if w.pin != nil {
		return detect.GoVersion(w.pin.String())
	}
	goal := detect.GoVersion(w.version.String())
	if plan.Wants.Compare(goal) > 0 {
		return plan.Wants
	}
	return goal
}

// atLeast is go.mod's go line as a set of versions.
type atLeast struct{ oldest detect.GoVersion }

func (a atLeast) Holds(v detect.Version) bool { return a.oldest.Holds(detect.GoVersion(v.String())) }

func (a atLeast) String() string { return string(a.oldest) + " or newer" }

// goToolDir is where a fetched tool chain is while it compiles.
const goToolDir = LayersDir + "/go-toolchain"

// fetchGo lets the go command fetch a tool chain, which checks it against the
// checksum database. $1 is a release, or a language whose newest release is
// meant; $2 is where the tool chain goes.
const fetchGo = `set -e
want=$1
case $1 in
*.*.* | *rc* | *beta*) ;;
*)
	all=$(go list -m -versions -f '{{range .Versions}}{{println .}}{{end}}' golang.org/toolchain)
	want=$(printf '%s\n' "$all" | sed -n "s/^v0\.0\.1-go\($1\.[0-9]*\)\.$(go env GOOS)-$(go env GOARCH)\$/\1/p" | sort -V | tail -n 1)
	if [ -z "$want" ]; then
		echo "the module proxy has no Go $1" >&2
		exit 1
	fi
	;;
esac
GOTOOLCHAIN=go$want go version
cp -R "$GOMODCACHE"/golang.org/toolchain@*/. "$2"
chmod -R u+w "$2"
go clean -modcache
`

var releaseRE = regexp.MustCompile(`^[0-9]+(\.[0-9]+){1,2}((rc|beta)[0-9]+)?$`)

// fetch makes a fetched tool chain the one that compiles.
func (b *goBuild) fetch(ctx context.Context, v detect.GoVersion) error {
	if !releaseRE.MatchString(string(v)) { // it becomes part of a script
		return failed(nil, "%q is not a Go version", v)
	}
	cs, err := gos.candidates(b.Machine) // newest first
	if err != nil {
		return err
	}
	l, err := b.toolLayer(ctx, tool{
		name: "Go " + string(v), target: goToolDir, rt: cs[0].rt,
		script: "set -- " + string(v) + " " + goToolDir + "\n" + fetchGo,
		env: map[string]string{
			"PATH":    filepath.Dir(cs[0].rt.Path) + ":/usr/local/bin:/usr/bin:/bin",
			"GOCACHE": buildMount + "/home/go-build", "GOMODCACHE": buildMount + "/home/go-mod", "GOFLAGS": "-modcacherw",
			"GOTOOLCHAIN": "local", "GOENV": "off", "GOPROXY": goProxy(b.client), // never the user's: every project compiles with it
		},
	})
	if err != nil {
		return err
	}
	dir, err := b.layers.Path(l.Digest)
	if err != nil {
		return fmt.Errorf("find tool chain: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "VERSION"))
	if err != nil {
		return fmt.Errorf("read tool chain's version: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	version := strings.TrimPrefix(strings.TrimSpace(line), "go")
	b.rt = Runtime{Language: gos.language, Version: version, Path: goToolDir + "/bin/go", Fingerprint: l.Digest}
	b.tool = append(b.tool, l)
	return nil
}

// goProxy is where modules come from: the setting in env, else Google's proxy,
// with the source as the way out on any error.
func goProxy(env map[string]string) string {
	return cmp.Or(env["GOPROXY"], "https://proxy.golang.org|direct")
}
