// Package ignore decides which files of a source directory are deployed, and
// lists them.
//
// The rules are those of gcloud: a .gcloudignore in the top directory, in the
// syntax of gitignore(5) with "#!include:FILE" lines. Where there is none, the
// file that gcloud would generate for the runtime counts, and a .gitignore in
// the top directory on top of it.
package ignore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"

	"github.com/sunya-cloud/sunya"
)

// FileName is the file that holds a user's own rules.
const FileName = ".gcloudignore"

const gitFileName = ".gitignore"

// maxRuleBytes bounds one file of rules.
const maxRuleBytes = 1 << 20

// Rules decide about paths. They are immutable.
type Rules struct {
	// Origin says where the rules came from, for people: ".gcloudignore", or
	// "gcloud's defaults for python311 and .gitignore".
	Origin  string
	matcher gitignore.Matcher
	also    func(path string) bool // nil, or what is ignored too
}

// Load reads the rules for the source directory dir, deployed with a runtime
// such as python311.
func Load(dir, runtime string) (*Rules, error) {
	own, err := read(dir, FileName)
	if err == nil {
		return parse(dir, FileName, own)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text := Defaults(runtime)
	origin := "gcloud's defaults"
	if runtime != "" {
		origin += " for " + runtime
	}
	git, err := read(dir, gitFileName)
	switch {
	case err == nil:
		text += git
		origin += " and " + gitFileName
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return parse(dir, origin, text)
}

// LoadFile reads the rules for dir from a file in it, in the place of its
// .gcloudignore.
func LoadFile(dir, name string) (*Rules, error) {
	text, err := read(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, sunya.Errorf(sunya.InvalidArgument, name, "the source has no such file of ignore rules")
	}
	if err != nil {
		return nil, err
	}
	return parse(dir, name, text)
}

// Ignored reports whether a slash-separated path relative to the source
// directory is left out. Whoever walks a tree does not enter ignored
// directories, so nothing inside one is ever asked about.
func (r *Rules) Ignored(path string, isDir bool) bool {
	return r.also != nil && r.also(path) || r.matcher.Match(strings.Split(path, "/"), isDir)
}

// Without returns the rules that ignore paths for which also is true, too.
func (r *Rules) Without(also func(path string) bool) *Rules {
	return &Rules{Origin: r.Origin, matcher: r.matcher, also: also}
}

func parse(dir, origin, text string) (*Rules, error) {
	patterns, err := patterns(dir, text, true)
	if err != nil {
		return nil, err
	}
	return &Rules{Origin: origin, matcher: gitignore.NewMatcher(patterns)}, nil
}

// patterns parses rules line by line. An included file may not include
// another one, as in gcloud.
func patterns(dir, text string, mayInclude bool) ([]gitignore.Pattern, error) {
	var out []gitignore.Pattern
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = trimRule(line)
		if name, ok := strings.CutPrefix(line, "#!include:"); ok {
			more, err := include(dir, strings.TrimSpace(name), mayInclude)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		// The library's character classes negate with ^ only; git's with ! too.
		out = append(out, gitignore.ParsePattern(strings.ReplaceAll(line, "[!", "[^"), nil))
	}
	return out, nil
}

// trimRule removes the line's end and, unless escaped, the spaces before it.
func trimRule(line string) string {
	line = strings.TrimRight(line, "\r\n")
	trimmed := strings.TrimRight(line, " \t")
	if strings.HasSuffix(trimmed, `\`) && len(trimmed) < len(line) {
		return trimmed + " "
	}
	return trimmed
}

func include(dir, name string, mayInclude bool) ([]gitignore.Pattern, error) {
	if !mayInclude {
		return nil, sunya.Errorf(sunya.InvalidArgument, FileName, "#!include:%s: an included file cannot include another one", name)
	}
	if name == "" || filepath.Base(name) != name || name == ".." || name == "." {
		return nil, sunya.Errorf(sunya.InvalidArgument, FileName, "#!include:%s: name a file in the same directory", name)
	}
	text, err := read(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, sunya.Errorf(sunya.InvalidArgument, FileName, "#!include:%s: there is no such file in %s", name, dir)
	}
	if err != nil {
		return nil, err
	}
	return patterns(dir, text, false)
}

// read returns a file of rules.
func read(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read ignore rules: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxRuleBytes {
		return "", sunya.Errorf(sunya.InvalidArgument, path, "is not a file of ignore rules of at most %v", sunya.Bytes(maxRuleBytes))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read ignore rules: %w", err)
	}
	return string(data), nil
}
