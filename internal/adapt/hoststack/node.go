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
	nodeRE        = regexp.MustCompile(`^node(?:js)?$`)
	nodeVersionRE = regexp.MustCompile(`^v([0-9]+\.[0-9]+\.[0-9]+)$`)
)

func (p places) nodes() []asking {
	var list []asking
	for _, bin := range programs(p.nodeDirs(), nodeRE) {
		list = append(list, asking{bin, describeNode})
	}
	return list
}

// nodeDirs lists the folders with Node.js.
func (p places) nodeDirs() []string {
	globs := append([]string{filepath.Join(p.root, "usr/local/n/versions/node/*/bin")}, p.managed("nodejs", "bin")...)
	globs = append(globs, p.managed("node", "bin")...)
	for _, v := range []struct{ name, usual, below string }{ // in the folder that a variable names, or in the usual one
		{"NVM_DIR", ".nvm", "versions/node/*/bin"},
		{"VOLTA_HOME", ".volta", "tools/image/node/*/bin"},
		{"FNM_DIR", ".local/share/fnm", "node-versions/*/installation/bin"},
		{"N_PREFIX", "n", "n/versions/node/*/bin"},
		{"NODENV_ROOT", ".nodenv", "versions/*/bin"},
	} {
		dir := p.getenv(v.name)
		if dir == "" && p.home != "" {
			dir = filepath.Join(p.home, v.usual)
		}
		if filepath.IsAbs(dir) {
			globs = append(globs, filepath.Join(dir, v.below))
		}
	}
	return p.dirs(globs...)
}

// describeNode returns what a Node.js says of itself, or nil. npm counts when
// it is beside it.
func describeNode(ctx context.Context, bin string) *build.Runtime {
	m := nodeVersionRE.FindStringSubmatch(strings.TrimSpace(string(ask(ctx, bin, "--version"))))
	if m == nil {
		return nil
	}
	r := build.Runtime{Language: "nodejs", Version: m[1], Path: bin, Prefixes: prefixOf(bin)}
	if fi, err := os.Stat(filepath.Join(filepath.Dir(bin), "npm")); err == nil && fi.Mode().IsRegular() {
		r.Modules = []string{"npm"}
	}
	return found(r)
}
