package hoststack

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

// askPHP makes an interpreter say its version, and whether it is the one of
// the command line: php-cgi and php-fpm serve nothing by themselves.
const askPHP = `echo PHP_SAPI, " ", PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION, ".", PHP_RELEASE_VERSION;`

var (
	phpRE        = regexp.MustCompile(`^php(?:[0-9]\.?[0-9])?$`)
	phpVersionRE = regexp.MustCompile(`^cli ([0-9]+\.[0-9]+\.[0-9]+)$`)
)

func (p places) phps() []asking {
	var globs []string
	if p.home != "" {
		globs = append(globs, filepath.Join(p.home, ".phpenv", "versions", "*", "bin"))
	}
	var list []asking
	for _, bin := range programs(p.dirs(append(globs, p.managed("php", "bin")...)...), phpRE) {
		list = append(list, asking{bin, describePHP})
	}
	return list
}

func describePHP(ctx context.Context, bin string) *build.Runtime {
	m := phpVersionRE.FindStringSubmatch(strings.TrimSpace(string(ask(ctx, bin, "-n", "-r", askPHP))))
	if m == nil {
		return nil
	}
	return found(build.Runtime{Language: "php", Version: m[1], Path: bin, Prefixes: prefixOf(bin)})
}

// prefixOf is the folder that a program of no standard directory needs: the
// one above its bin.
func prefixOf(bin string) []string {
	dir := filepath.Dir(bin)
	switch {
	case standard(bin):
		return nil
	case filepath.Base(dir) == "bin":
		return []string{filepath.Dir(dir)}
	}
	return []string{dir}
}

// composer returns PHP's package manager where the machine has it in a
// standard directory.
func (p places) composer() []build.Runtime {
	for _, dir := range []string{"usr/local/bin", "usr/bin"} {
		path, err := filepath.EvalSymlinks(filepath.Join(p.root, dir, "composer"))
		if err != nil {
			continue
		}
		if fi, err := os.Stat(path); err != nil || !fi.Mode().IsRegular() || !standard(path) {
			continue
		}
		if r := found(build.Runtime{Language: "composer", Path: path}); r != nil {
			return []build.Runtime{*r}
		}
	}
	return nil
}
