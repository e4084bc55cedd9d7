package cli

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
)

// match is what an argument stands for: an object, a folder of objects or a
// bucket.
type match struct {
	place
	object *storage.Object // nil: a folder, or a bucket where name is empty
}

// expand hands on what a place in a bucket stands for. Without a pattern that is
// the object of this name, else the folder. NotFound when there is nothing.
func (a *storageAPI) expand(ctx context.Context, p place, versions bool, found func(match) error) error {
	n := 0
	count := func(m match) error {
		n++
		return found(m)
	}
	err := a.expandBuckets(ctx, p, func(bucket string) error {
		q := p
		q.bucket, q.buckets = bucket, false
		return a.expandNames(ctx, q, versions, count)
	})
	if err != nil || n > 0 {
		return err
	}
	return sunya.Errorf(sunya.NotFound, p.String(), "%s matches nothing", p)
}

func (a *storageAPI) expandBuckets(ctx context.Context, p place, found func(string) error) error {
	if !p.buckets {
		return found(p.bucket)
	}
	pattern := p.bucket
	if pattern == "" {
		pattern = "*"
	}
	re, err := matcher(pattern)
	if err != nil {
		return err
	}
	return a.Buckets.List(a.project).Prefix(literal(pattern)).Pages(ctx, func(page *storage.Buckets) error {
		for _, b := range page.Items {
			if re.MatchString(b.Name) {
				if err := found(b.Name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (a *storageAPI) expandNames(ctx context.Context, p place, versions bool, found func(match) error) error {
	switch {
	case p.name == "":
		return found(match{place: p})
	case strings.Contains(p.name, "**"):
		return a.expandDeep(ctx, p, versions, found)
	case isPattern(p.name):
		return a.expandLevel(ctx, p, "", strings.Split(p.name, "/"), versions, found)
	}
	if versions && p.generation == 0 {
		return a.expandVersions(ctx, p, found)
	}
	o, err := a.find(ctx, p)
	if err != nil {
		return err
	}
	if o != nil {
		return found(match{p, o})
	}
	is, err := a.hasFolder(ctx, p.bucket, p.name)
	if err != nil || !is {
		return err
	}
	return found(match{place: p})
}

// expandVersions hands on every generation of one object, else the folder.
func (a *storageAPI) expandVersions(ctx context.Context, p place, found func(match) error) error {
	any, below := false, false
	err := a.list(ctx, p.bucket, p.name, "/", true, func(o *storage.Object) error {
		if o.Name != p.name {
			return nil
		}
		any = true
		return found(match{place{bucket: p.bucket, name: o.Name, generation: o.Generation}, o})
	}, func(prefix string) error {
		below = below || prefix == folder(p.name)
		return nil
	})
	if err == nil && !any && (below || strings.HasSuffix(p.name, "/")) {
		return found(match{place: p})
	}
	return err
}

// expandDeep is for patterns with **, which know no folders.
func (a *storageAPI) expandDeep(ctx context.Context, p place, versions bool, found func(match) error) error {
	re, err := matcher(p.name)
	if err != nil {
		return err
	}
	return a.list(ctx, p.bucket, literal(p.name), "", versions, func(o *storage.Object) error {
		if !re.MatchString(o.Name) {
			return nil
		}
		return found(matched(p.bucket, o, versions))
	}, nil)
}

// matched is the match of one object; all its generations have names of their
// own.
func matched(bucket string, o *storage.Object, versions bool) match {
	m := match{place{bucket: bucket, name: o.Name}, o}
	if versions {
		m.generation = o.Generation
	}
	return m
}

// expandLevel follows a pattern folder by folder, so that what does not match is
// not listed.
func (a *storageAPI) expandLevel(ctx context.Context, p place, prefix string, parts []string, versions bool, found func(match) error) error {
	for len(parts) > 1 && !isPattern(parts[0]) {
		prefix, parts = prefix+parts[0]+"/", parts[1:]
	}
	pattern := prefix + parts[0]
	if strings.ContainsAny(prefix, "*?[") { // a folder that is called so
		pattern = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(prefix) + parts[0]
	}
	re, err := matcher(pattern)
	if err != nil {
		return err
	}
	last := len(parts) == 1 || len(parts) == 2 && parts[1] == ""
	return a.list(ctx, p.bucket, prefix+literal(parts[0]), "/", versions, func(o *storage.Object) error {
		if len(parts) > 1 || !re.MatchString(o.Name) {
			return nil
		}
		return found(matched(p.bucket, o, versions))
	}, func(deeper string) error {
		switch {
		case !re.MatchString(strings.TrimSuffix(deeper, "/")):
			return nil
		case last:
			return found(match{place: place{bucket: p.bucket, name: deeper}})
		}
		return a.expandLevel(ctx, p, deeper, parts[1:], versions, found)
	})
}

// each hands on every object that places stand for, those in folders too where
// they are wanted.
func (a *storageAPI) each(ctx context.Context, args []string, recurse, versions bool, do func(match) error) error {
	for _, arg := range args {
		p, err := parsePlace(arg)
		if err != nil {
			return err
		}
		if !p.cloud() {
			return usagef("%q: write gs://BUCKET/OBJECT", arg)
		}
		err = a.expand(ctx, p, versions, func(m match) error {
			if m.object != nil {
				return do(m)
			}
			if !recurse {
				return usagef("%s is a folder: use --recursive, or %s", m, m.below("*"))
			}
			return a.list(ctx, m.bucket, folder(m.name), "", versions, func(o *storage.Object) error {
				return do(matched(m.bucket, o, versions))
			}, nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// localMatches are the files and directories that a path stands for; one without
// a pattern, or that exists as it is written, stands for itself.
func localMatches(root, pattern string) ([]string, error) {
	full := pattern
	if !filepath.IsAbs(full) {
		full = filepath.Join(root, full)
	}
	if _, err := os.Lstat(full); err == nil || !isPattern(pattern) {
		return []string{full}, nil
	}
	var out []string
	if !strings.Contains(pattern, "**") {
		out, err := filepath.Glob(full)
		if err != nil {
			return nil, usagef("%q is not a pattern: %v", pattern, err)
		}
		return out, noneMatches(pattern, out)
	}
	re, err := matcher(filepath.ToSlash(full))
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(filepath.Dir(literal(full)+"x"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && re.MatchString(filepath.ToSlash(path)) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", pattern, err)
	}
	return out, noneMatches(pattern, out)
}

func noneMatches(pattern string, found []string) error {
	if len(found) == 0 {
		return sunya.Errorf(sunya.NotFound, pattern, "%s matches nothing", pattern)
	}
	return nil
}
