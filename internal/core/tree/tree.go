// Package tree goes through directories that user code has written. They may
// be shut, deeper than a path can name or a process has descriptors for, and
// full of sockets and pipes: nothing here takes more than a fixed number of
// descriptors, or more time than the tree has entries, and no link is followed.
//
// Nobody else may write to the tree meanwhile.
package tree

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// MaxDepth is how deep folders may lie in each other. No tool makes more of
// them, and a path of so many hardly fits into the 4096 bytes of the kernel.
const MaxDepth = 256

// MaxEntries is how many files and folders a tree may have: ten times what the
// largest environments of packages hold.
const MaxEntries = 1 << 20

// batch is how many entries of a directory are held at a time.
const batch = 1024

// Visit is called for every entry below a directory, a directory before what
// it holds: dir is the directory that has the entry, name its name there, rel
// its path from the top.
type Visit func(dir *os.Root, name, rel string, fi fs.FileInfo) error

// Walk visits everything below dir. A tree deeper than MaxDepth
// or with more than MaxEntries is an error.
func Walk(ctx context.Context, dir string, visit Visit) error {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer top.Close()
	w := walk{ctx: ctx, visit: visit}
	return w.dir(top, ".", 0)
}

type walk struct {
	ctx     context.Context // of the one Walk call that this value lives in
	visit   Visit
	entries int
}

func (w *walk) dir(dir *os.Root, rel string, depth int) error {
	if depth > MaxDepth {
		return sunya.Errorf(sunya.InvalidArgument, strings.ToValidUTF8(rel[:80], "?")+"…", "folders lie in each other more than %d deep", MaxDepth)
	}
	entries, err := w.list(dir)
	if err != nil {
		return err
	}
	for _, d := range entries {
		if err := w.entry(dir, d, path.Join(rel, d.Name()), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(dir *os.Root, d fs.DirEntry, rel string, depth int) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	fi, err := d.Info()
	if err != nil {
		return err
	}
	if err := w.visit(dir, d.Name(), rel, fi); err != nil || !fi.IsDir() {
		return err
	}
	sub, err := dir.OpenRoot(d.Name())
	if err != nil {
		return err
	}
	defer sub.Close()
	return w.dir(sub, rel, depth+1)
}

// list returns the entries of a directory, so that a visit may remove some.
func (w *walk) list(dir *os.Root) ([]fs.DirEntry, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []fs.DirEntry
	for {
		entries, err := f.ReadDir(batch)
		all = append(all, entries...)
		if w.entries += len(entries); w.entries > MaxEntries {
			return nil, sunya.Errorf(sunya.InvalidArgument, "", "there are more than %d files and folders", MaxEntries)
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Remove removes dir and everything below it, also where a directory's mode
// forbids its owner to. A dir that is gone is not an error.
func Remove(dir string) error {
	fi, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return os.Remove(dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	top, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	r := remover{top}
	if err := errors.Join(r.empty(top, ".", 0), top.Close()); err != nil {
		return err
	}
	return os.Remove(dir)
}

// remover empties a directory. What lies too deep is moved up to the top, where
// its turn comes.
type remover struct{ top *os.Root }

// empty lists the directory again after every batch: what a listing shows while
// entries go is undefined.
func (r *remover) empty(dir *os.Root, rel string, depth int) error {
	for {
		entries, err := some(dir)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, d := range entries {
			if err := r.entry(dir, d, rel, depth); err != nil {
				return err
			}
		}
	}
}

func some(dir *os.Root) ([]fs.DirEntry, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(batch)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return entries, err
}

func (r *remover) entry(dir *os.Root, d fs.DirEntry, rel string, depth int) error {
	name := d.Name()
	if err := dir.Remove(name); err == nil || !d.IsDir() {
		return err
	}
	if err := dir.Chmod(name, 0o700); err != nil {
		return err
	}
	if depth == MaxDepth {
		return r.top.Rename(filepath.Join(rel, name), "deep-"+rand.Text())
	}
	sub, err := dir.OpenRoot(name)
	if err != nil {
		return err
	}
	if err := errors.Join(r.empty(sub, filepath.Join(rel, name), depth+1), sub.Close()); err != nil {
		return err
	}
	return dir.Remove(name)
}
