package cli

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/api/storage/v1"
)

// goal is a destination. A container is a bucket, folder or directory: what is
// copied there keeps its name.
type goal struct {
	place
	container bool
}

// target finds out what a destination is.
func (c *copier) target(ctx context.Context, sources []string, to place) (goal, error) {
	t := goal{place: to, container: len(sources) > 1 || isPattern(sources[0])}
	switch {
	case to.stream():
		t.container = false
	case to.cloud():
		if t.container || to.name == "" || strings.HasSuffix(to.name, "/") {
			t.container = true
			return t, nil
		}
		is, err := c.api.hasFolder(ctx, to.bucket, to.name)
		t.container = is
		return t, err
	default:
		slash := strings.HasSuffix(to.name, string(filepath.Separator))
		if !filepath.IsAbs(to.name) {
			t.name = filepath.Join(c.env.Dir, to.name)
		}
		info, err := os.Stat(t.name)
		isDir := err == nil && info.IsDir()
		if err == nil && !isDir && (t.container || slash) {
			return t, usagef("%s is a file: several sources need a directory", to.name)
		}
		t.container = t.container || slash || isDir
	}
	return t, nil
}

// plan hands on what is to be copied where.
func (c *copier) plan(ctx context.Context, sources []string, to place, do func(job) error) error {
	t, err := c.target(ctx, sources, to)
	if err != nil {
		return err
	}
	do = distinct(t, sources, do)
	for _, arg := range sources {
		from, err := parsePlace(arg)
		switch {
		case err != nil:
		case from.cloud():
			err = c.planObjects(ctx, from, t, do)
		case from.stream():
			err = c.planStream(from, t, do)
		default:
			err = c.planFiles(from, t, do)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// distinct refuses two sources that would become one: which of them stays would
// be chance.
func distinct(t goal, sources []string, do func(job) error) func(job) error {
	if t.stream() || len(sources) == 1 && !isPattern(sources[0]) {
		return do
	}
	from := map[string]place{}
	return func(j job) error {
		if before, ok := from[j.to.name]; ok {
			return usagef("%s and %s would both become %s: copy their folders with --recursive, or one at a time", before, j.from, j.to)
		}
		from[j.to.name] = j.from
		return do(j)
	}
}

func (c *copier) planStream(from place, t goal, do func(job) error) error {
	if !t.cloud() || t.container {
		return usagef("- needs the name of an object as destination: gs://BUCKET/OBJECT")
	}
	return do(job{from: from, to: t.place})
}

func (c *copier) planObjects(ctx context.Context, from place, t goal, do func(job) error) error {
	return c.api.expand(ctx, from, false, func(m match) error {
		if m.object != nil {
			to, err := t.of(m.base())
			if err != nil {
				return err
			}
			return do(job{m.place, to, m.object})
		}
		if !c.flags.recursive {
			if isPattern(from.name) {
				c.env.warnf("leaving out the folder %s: use --recursive", m)
				return nil
			}
			return usagef("%s is a folder: use --recursive", m)
		}
		top := folder(m.name)
		return c.api.list(ctx, m.bucket, top, "", false, func(o *storage.Object) error {
			return c.planBelow(m, o, strings.TrimPrefix(o.Name, top), t, do)
		}, nil)
	})
}

// planBelow is for an object in a folder that is copied.
func (c *copier) planBelow(m match, o *storage.Object, inner string, t goal, do func(job) error) error {
	if !t.cloud() && (inner == "" || strings.HasSuffix(inner, "/")) {
		return nil // stands for a folder, which is made with what is in it
	}
	to, err := t.inside(m.base(), inner)
	if err != nil {
		return err
	}
	return do(job{matched(m.bucket, o, false).place, to, o})
}

// of is where a single source goes.
func (t goal) of(base string) (place, error) {
	if !t.container {
		return t.place, nil
	}
	return t.named(base)
}

// inside is where something in a folder goes.
func (t goal) inside(base, inner string) (place, error) {
	switch {
	case t.stream():
		return t.place, nil
	case t.container:
		return t.named(base + "/" + inner)
	}
	return t.named(inner)
}

// named is a place below a container. What somebody has called an object must
// not lead out of a directory.
func (t goal) named(rel string) (place, error) {
	if !t.cloud() && !filepath.IsLocal(filepath.FromSlash(rel)) {
		return place{}, usagef("an object called %q would be written outside of %s: copy it to a name of your own", rel, t.name)
	}
	return t.below(rel), nil
}

func (c *copier) planFiles(from place, t goal, do func(job) error) error {
	found, err := localMatches(c.env.Dir, from.name)
	if err != nil {
		return err
	}
	for _, path := range found {
		if err := c.planFile(from.name, path, t, do); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) planFile(arg, path string, t goal, do func(job) error) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	if !info.IsDir() {
		to, err := t.of(filepath.Base(path))
		if err != nil {
			return err
		}
		return do(job{from: place{name: path}, to: to})
	}
	if !c.flags.recursive {
		if isPattern(arg) {
			c.env.warnf("leaving out the directory %s: use --recursive", path)
			return nil
		}
		return usagef("%s is a directory: use --recursive", path)
	}
	base := filepath.Base(path)
	switch filepath.Base(arg) {
	case ".", "..": // the directory has no name there: what is in it is meant
		t.container = false
	}
	return eachFile(c.env, path, func(file, rel string) error {
		to, err := t.inside(base, rel)
		if err != nil {
			return err
		}
		return do(job{from: place{name: file}, to: to})
	})
}

// eachFile hands on the files below a directory, with their paths there, which
// have slashes. Links to directories are not followed: they may lead in circles.
func eachFile(env *Env, dir string, do func(file, rel string) error) error {
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() {
			env.warnf("leaving out %s: it is no file", file)
			return nil
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		return do(file, filepath.ToSlash(rel))
	})
}
