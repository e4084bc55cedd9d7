package detect

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// requirements is what a requirements.txt and the files that it includes say.
type requirements struct {
	files  []string          // all of them, the first one first
	lines  map[string]string // normalised package name to "requirements.txt line 3"
	hashes bool              // at least one --hash: pip then wants one for each
	local  bool              // a path into the source tree
}

const (
	maxManifest = 4 << 20 // bytes of one manifest
	maxIncludes = 50      // files that one requirements.txt leads to
)

var (
	includeRE = regexp.MustCompile(`^(?:-r|--requirement|-c|--constraint)(?:\s+|=|\s*)(\S+)`)
	nameRE    = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?:[;@=<>!~(#]|\s|$)`)
	localRE   = regexp.MustCompile(`^(?:-e\b|--editable\b|\.{0,2}/|\.\.?$|\.\[|file:)|@\s*(?:file:|\.)`)
	separator = regexp.MustCompile(`[-_.]+`)
)

// Normal returns a package name as the index compares it (PEP 503).
func Normal(name string) string {
	return strings.ToLower(separator.ReplaceAllString(name, "-"))
}

func readRequirements(fsys fs.FS, name string) (*requirements, error) {
	r := &requirements{lines: map[string]string{}}
	if err := r.read(fsys, name, ""); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *requirements) read(fsys fs.FS, name, from string) error {
	for _, seen := range r.files {
		if seen == name {
			return nil
		}
	}
	if len(r.files) == maxIncludes {
		return badSource("%s leads to more than %d files", r.files[0], maxIncludes)
	}
	data, err := readManifest(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return badSource("%s names %s, which is not in the source", from, name)
	}
	if err != nil {
		return badSource("%s cannot be read: %v", name, plain(err))
	}
	r.files = append(r.files, name)
	for i, line := range logicalLines(string(data)) {
		if line == "" {
			continue
		}
		if err := r.line(fsys, name, fmt.Sprintf("%s line %d", name, i+1), line); err != nil {
			return err
		}
	}
	return nil
}

func (r *requirements) line(fsys fs.FS, name, place, line string) error {
	if strings.Contains(line, "--hash") {
		r.hashes = true
	}
	if m := includeRE.FindStringSubmatch(line); m != nil {
		if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "/") {
			return nil // the installer's own business
		}
		next := path.Join(path.Dir(name), m[1])
		if !fs.ValidPath(next) {
			return badSource("%s names %s, which is outside of the source", place, m[1])
		}
		return r.read(fsys, next, place)
	}
	if localRE.MatchString(line) {
		r.local = true
	}
	if m := nameRE.FindStringSubmatch(line); m != nil {
		r.lines[Normal(m[1])] = place
	}
	return nil
}

// logicalLines returns the lines without comments, continued lines joined at
// the place of their first; the others are empty, so that the index is the
// line number less one.
func logicalLines(text string) []string {
	raw := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	out := make([]string, len(raw))
	first, open := 0, false
	for i, line := range raw {
		if !open {
			first = i
		}
		line, open = strings.CutSuffix(line, "\\")
		if j := commentAt(line); j >= 0 {
			line = line[:j]
		}
		out[first] = strings.TrimSpace(out[first] + " " + strings.TrimSpace(line))
	}
	return out
}

// commentAt finds a # at the beginning or behind a space: one in the middle of
// a word belongs to a URL.
func commentAt(line string) int {
	for i := range line {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return i
		}
	}
	return -1
}

// readManifest reads a file of the source, which must be a regular one of
// sensible size.
func readManifest(fsys fs.FS, name string) ([]byte, error) {
	fi, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if fi.Size() > maxManifest {
		return nil, fmt.Errorf("larger than %v", sunya.Bytes(maxManifest))
	}
	return fs.ReadFile(fsys, name)
}

// badSource is an error about what the user sent.
func badSource(format string, args ...any) error {
	err := sunya.Errorf(sunya.FailedPrecondition, "", format, args...)
	err.Reason = sunya.ReasonBuildFailed
	return err
}

// plain strips operation and path, which name places of no meaning to a user.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
