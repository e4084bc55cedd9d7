package hoststack

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

var (
	rubyRE        = regexp.MustCompile(`^ruby(?:[0-9]\.[0-9])?$`)
	rubyVersionRE = regexp.MustCompile(`^([0-9]+\.[0-9]+\.[0-9]+)$`)
)

func (p places) rubies() []asking {
	var globs []string
	if p.home != "" {
		globs = append(globs, filepath.Join(p.home, ".rbenv", "versions", "*", "bin"),
			filepath.Join(p.home, ".rubies", "*", "bin"), filepath.Join(p.home, ".rvm", "rubies", "*", "bin"))
	}
	var list []asking
	for _, bin := range programs(p.dirs(append(globs, p.managed("ruby", "bin")...)...), rubyRE) {
		list = append(list, asking{bin, describeRuby})
	}
	return list
}

// describeRuby returns what an interpreter says of itself, or nil. bundler
// counts when it is beside it.
func describeRuby(ctx context.Context, bin string) *build.Runtime {
	m := rubyVersionRE.FindStringSubmatch(strings.TrimSpace(string(ask(ctx, bin, "--disable-gems", "-e", "puts RUBY_VERSION if RUBY_ENGINE == 'ruby'"))))
	if m == nil {
		return nil
	}
	r := build.Runtime{Language: "ruby", Version: m[1], Path: bin, Prefixes: prefixOf(bin)}
	if fi, err := os.Stat(filepath.Join(filepath.Dir(bin), "bundle")); err == nil && fi.Mode().IsRegular() {
		r.Modules = []string{"bundler"}
	}
	return found(r)
}
