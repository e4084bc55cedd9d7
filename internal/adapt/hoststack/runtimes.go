package hoststack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

const (
	askLimit    = 5 * time.Second // for one program to answer
	askParallel = 4
)

// asking is a program that may be a runtime, and how it is asked. The answer
// is nil for one that is not usable.
type asking struct {
	bin string
	ask func(ctx context.Context, bin string) *build.Runtime
}

// runtimes asks everything that looks like a runtime, in the order in which
// the owner's preference puts them. One that does not answer is not listed.
func (p places) runtimes(ctx context.Context) ([]build.Runtime, error) {
	var asked []asking
	for _, look := range []func() []asking{
		p.pythons,
		p.nodes,
		p.phps,
		p.rubies,
		p.golangs,
		p.javas,
	} {
		asked = append(asked, look()...)
	}
	answers := make([]*build.Runtime, len(asked))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(askParallel)
	for i, a := range asked {
		g.Go(func() error {
			if r := a.ask(gctx, a.bin); r != nil && !slices.ContainsFunc(r.Prefixes, p.tooWide) {
				answers[i] = r
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var list []build.Runtime
	for _, r := range answers {
		if r != nil && !slices.ContainsFunc(list, func(o build.Runtime) bool { return o.Path == r.Path }) {
			list = append(list, *r)
		}
	}
	for _, tools := range [][]build.Runtime{p.uv(), p.javaTools(), p.composer()} {
		list = append(list, tools...)
	}
	return list, nil
}

// dirs lists folders with programs: PATH first, because its order is the
// owner's preference, then the system's, then what globs match.
func (p places) dirs(globs ...string) []string {
	dirs := slices.Clone(p.path)
	for _, d := range []string{"usr/local/bin", "usr/bin"} {
		dirs = append(dirs, filepath.Join(p.root, d))
	}
	for _, g := range globs {
		if found, err := filepath.Glob(g); err == nil {
			dirs = append(dirs, found...)
		}
	}
	return slices.DeleteFunc(dirs, func(d string) bool { return !filepath.IsAbs(d) })
}

// managed is where the version managers of every language keep the versions
// of one; below is the folder in each with its programs.
func (p places) managed(language, below string) []string {
	if p.home == "" {
		return nil
	}
	return []string{
		filepath.Join(p.dataHome(), "uv", language, "*", below),
		filepath.Join(p.home, ".asdf", "installs", language, "*", below),
		filepath.Join(p.dataHome(), "mise", "installs", language, "*", below),
	}
}

func (p places) dataHome() string {
	if d := p.getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return d
	}
	return filepath.Join(p.home, ".local", "share")
}

// programs returns the real programs in dirs whose names match, links
// resolved, each once. A shim is a script and costs 80 ms to run: it is left
// out, what it stands for is found where its manager keeps it.
func programs(dirs []string, name *regexp.Regexp) []string {
	var bins []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if !name.MatchString(e.Name()) {
				continue
			}
			bin, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name()))
			if err == nil && isProgram(bin) && !slices.Contains(bins, bin) {
				bins = append(bins, bin)
			}
		}
	}
	return bins
}

// isProgram reports whether path is an executable that is not a script.
func isProgram(path string) bool {
	fi, err := os.Stat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Mode()&0o111 == 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 4)
	n, err := f.Read(magic)
	return err == nil && n == 4 && bytes.Equal(magic, []byte("\x7fELF"))
}

// ask runs a program and returns what it prints on stdout; nothing when it
// fails or takes too long.
func ask(ctx context.Context, bin string, args ...string) []byte {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = []string{"LANG=C.UTF-8"}, "/", time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	return out
}

// found completes a runtime with its fingerprint; nil where it is gone.
func found(r build.Runtime) *build.Runtime {
	mark, err := fingerprint(r.Language, r.Version, r.Path)
	if err != nil {
		return nil
	}
	r.Fingerprint = mark
	return &r
}

// fingerprint changes whenever the runtime does.
func fingerprint(language, version, path string) (string, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %d", language, version, path, fi.Size(), fi.ModTime().UnixNano()))
	return language + "-" + version + "-" + hex.EncodeToString(sum[:8]), nil
}

// tooWide reports whether showing dir would show the machine or its owner's
// home: a runtime that needs it is not offered.
func (p places) tooWide(dir string) bool {
	return dir == "/" || dir == "/home" || dir == "/etc" || dir == "/var" || p.home != "" && (p.home == dir || strings.HasPrefix(p.home, dir+"/"))
}
