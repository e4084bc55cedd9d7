// Package watch tells which files below a directory change.
//
// It listens to the kernel (inotify, by fsnotify). Where that is not possible,
// because the user's watches are used up, or the directory is on a file system
// whose changes the kernel does not see, it looks at the files twice a second.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// Options say what is watched, and how.
type Options struct {
	// Skip leaves out a file, or a directory with all that it holds. The path
	// is slash-separated and relative to the root. It may be called from the
	// goroutine that runs the watcher at any time.
	Skip func(path string, dir bool) bool
	// Poll never asks the kernel.
	Poll bool
	// Fallback, when not nil, is told why the watcher polls although it was not
	// asked to.
	Fallback func(cause error)
}

// Watcher watches one directory. Changes that come after New are seen by Run.
type Watcher struct {
	root string
	o    Options

	notify *fsnotify.Watcher // nil: poll
	files  snapshot          // when polling; nil: not known
}

// New begins to watch. The caller must Run the watcher.
func New(root string, o Options) (*Watcher, error) {
	if o.Skip == nil {
		o.Skip = func(string, bool) bool { return false }
	}
	w := &Watcher{root: root, o: o}
	if !o.Poll {
		err := w.listen()
		if err == nil {
			return w, nil
		}
		if !limited(err) {
			return nil, fmt.Errorf("watch %s: %w", root, err)
		}
		w.fallBack(err)
	}
	var err error
	if w.files, err = w.look(); err != nil {
		return nil, fmt.Errorf("watch %s: %w", root, err)
	}
	return w, nil
}

// Run calls changed with the absolute path of each file or directory that
// changes, or with the root's when it cannot tell, until ctx ends, whose cause
// it returns.
func (w *Watcher) Run(ctx context.Context, changed func(path string)) error {
	if w.notify == nil {
		return w.poll(ctx, changed)
	}
	err := w.hear(ctx, changed)
	if closeErr := w.notify.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	w.notify = nil
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w.fallBack(err)
	return w.poll(ctx, changed)
}

func (w *Watcher) fallBack(cause error) {
	if w.o.Fallback != nil {
		w.o.Fallback(cause)
	}
}

// limited reports whether the kernel has no more watches, or no inotify at all,
// as in some sandboxes.
func limited(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.ENOSYS, syscall.EPERM, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (w *Watcher) listen() (err error) {
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		return err
	}
	if err = w.add(w.root, nil); err != nil {
		_ = w.notify.Close() // it was of no use
		w.notify = nil
	}
	return err
}

// add watches a directory and those in it. found, when not nil, hears of the
// files: a directory that has just appeared may have been filled before it was
// watched.
func (w *Watcher) add(dir string, found func(path string)) error {
	return w.walk(dir, func(path string, d fs.DirEntry) error {
		if d.IsDir() {
			return w.notify.Add(path)
		}
		if found != nil {
			found(path)
		}
		return nil
	})
}

// walk visits what is watched below dir, which vanishes now and then.
func (w *Watcher) walk(dir string, visit func(path string, d fs.DirEntry) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != w.root {
			return nil
		}
		if err != nil {
			return err
		}
		if w.skip(path, d.IsDir()) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		err = visit(path, d)
		if errors.Is(err, fs.ErrNotExist) && path != w.root {
			return nil
		}
		return err
	})
}

func (w *Watcher) skip(path string, dir bool) bool {
	rel, err := filepath.Rel(w.root, path)
	return err != nil || rel != "." && w.o.Skip(filepath.ToSlash(rel), dir)
}

// errGone ends the listening when the root itself is moved away or deleted: the
// kernel watches the directory, not its name.
var errGone = errors.New("the directory was replaced")

func (w *Watcher) hear(ctx context.Context, changed func(string)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-w.notify.Events:
			if !open {
				return errGone
			}
			if err := w.event(e, changed); err != nil {
				return err
			}
		case err := <-w.notify.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return err
			}
			changed(w.root)
		}
	}
}

func (w *Watcher) event(e fsnotify.Event, changed func(string)) error {
	if e.Op == fsnotify.Chmod {
		return nil // indexers and back-ups touch files; nothing is different
	}
	if e.Name == w.root {
		if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
			return errGone
		}
		return nil
	}
	info, err := os.Lstat(e.Name)
	dir := err == nil && info.IsDir()
	if w.skip(e.Name, dir) {
		return nil
	}
	changed(e.Name)
	if dir && e.Has(fsnotify.Create) {
		return w.add(e.Name, changed)
	}
	return nil
}
