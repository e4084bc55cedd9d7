// Package source opens what may be shown inside a sandbox, and nothing else.
package source

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Roots is the allow list: everything beneath Data but what is private there, and
// beneath the Host paths for reading only.
type Roots struct {
	Data string
	Host []string
}

// private are the places beneath the data directory that hold the server's own:
// keys, state, logs, and what users have stored. No sandbox is shown them.
var private = []string{"keys", "state.db", "logs", "blobs", "images"}

// ErrPrivate says that a path is the server's own.
var ErrPrivate = errors.New("it is the server's own")

// isPrivate reports whether a path beneath the data directory is, or would show,
// something private. Files beside the database have its name and more.
func isPrivate(rel string) bool {
	first, _, _ := strings.Cut(rel, "/")
	return rel == "." || slices.ContainsFunc(private, func(p string) bool {
		return first == p || p == "state.db" && strings.HasPrefix(first, p)
	})
}

// ErrOutside says that a path lies in no allowed place.
var ErrOutside = errors.New("outside the data directory and the allowed host paths")

// Open returns an O_PATH descriptor of path. Beneath the data directory, whose
// contents user code may have made, no symbolic link is followed; beneath a
// host path links may not leave that path. The kernel checks this while it
// resolves, so that swapping a link in between gains nothing.
func (r Roots) Open(path string, writable bool) (int, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return -1, fmt.Errorf("open %q: path is not absolute and clean", path)
	}
	if rel, ok := beneath(r.Data, path); ok {
		if isPrivate(rel) {
			return -1, fmt.Errorf("open %s: %w", path, ErrPrivate)
		}
		return openBeneath(r.Data, rel, unix.RESOLVE_NO_SYMLINKS)
	}
	if writable {
		return -1, fmt.Errorf("open %s for writing: %w", path, ErrOutside)
	}
	for _, root := range r.Host {
		if rel, ok := beneath(root, path); ok {
			return openBeneath(root, rel, 0)
		}
	}
	return -1, fmt.Errorf("open %s: %w", path, ErrOutside)
}

// InData reports whether path lies beneath the data directory.
func (r Roots) InData(path string) bool {
	_, ok := beneath(r.Data, path)
	return ok
}

func beneath(root, path string) (string, bool) {
	if root == "" {
		return "", false
	}
	if path == root {
		return ".", true
	}
	rel, ok := strings.CutPrefix(path, strings.TrimSuffix(root, "/")+"/")
	return rel, ok
}

func openBeneath(root, rel string, resolve uint64) (int, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", root, err)
	}
	if rel == "." {
		return dir, nil
	}
	defer func() { _ = unix.Close(dir) }()
	fd, err := unix.Openat2(dir, rel, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: resolve | unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return -1, fmt.Errorf("open %s beneath %s: %w", rel, root, err)
	}
	return fd, nil
}
