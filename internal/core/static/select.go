package static

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"

	"github.com/sunya-cloud/sunya"
)

// Selection is the files of a source that belong to its site.
type Selection struct {
	dir   string
	files []selected // in the order of their paths
}

type selected struct {
	path     string
	sum      string
	size     int64
	readable bool
}

// source is a compiled sunya.StaticSource.
type source struct {
	re       *regexp.Regexp
	readable bool
}

// Select finds the regular files below dir that a source's pattern matches, and
// hashes them. Links are never followed and never part of a site.
func Select(ctx context.Context, dir string, sources []sunya.StaticSource) (*Selection, error) {
	compiled := make([]source, 0, len(sources))
	for _, s := range sources {
		re, err := sunya.CompilePattern(s.Pattern)
		if err != nil {
			return nil, fmt.Errorf("static files %q: %w", s.Pattern, err)
		}
		compiled = append(compiled, source{re, s.Readable})
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("select static files: %w", err)
	}
	defer root.Close()
	sel := &Selection{dir: dir}
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return sel.consider(root, path, compiled)
	})
	if err != nil {
		return nil, fmt.Errorf("select static files: %w", err)
	}
	return sel, nil
}

// consider takes a file that a pattern matches.
func (s *Selection) consider(root *os.Root, path string, sources []source) error {
	f := selected{path: path}
	found := false
	for _, src := range sources {
		if src.re.MatchString(path) {
			found, f.readable = true, f.readable || src.readable
		}
	}
	if !found {
		return nil
	}
	var err error
	if f.sum, f.size, err = sumFile(root, path); err != nil {
		return err
	}
	s.files = append(s.files, f)
	return nil
}

func sumFile(root *os.Root, path string) (sum string, size int64, err error) {
	f, err := root.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// Len returns how many files there are.
func (s *Selection) Len() int { return len(s.files) }

// Size returns the size of one of them in bytes; -1 when it is not there.
func (s *Selection) Size(path string) int64 {
	for _, f := range s.files {
		if f.path == path {
			return f.size
		}
	}
	return -1
}

// Bytes returns their size together.
func (s *Selection) Bytes() int64 {
	var n int64
	for _, f := range s.files {
		n += f.size
	}
	return n
}

// recipe is part of every key: another way to make a site is another key.
const recipe = "site 1"

// Key hashes what the site is made from.
func (s *Selection) Key() string {
	h := sha256.New()
	fmt.Fprintln(h, recipe)
	for _, f := range s.files {
		fmt.Fprintf(h, "%q %s\n", f.path, f.sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Strip removes from the source what its program is not to see, and returns how
// many files that were.
func (s *Selection) Strip() (int, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return 0, fmt.Errorf("strip static files: %w", err)
	}
	defer root.Close()
	n := 0
	for _, f := range s.files {
		if f.readable {
			continue
		}
		if err := root.Remove(f.path); err != nil {
			return n, fmt.Errorf("strip static files: %w", err)
		}
		n++
	}
	return n, nil
}
