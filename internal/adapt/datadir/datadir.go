// Package datadir is the one directory that the server writes: its layout, its
// owner, and the lock that keeps a second server out.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// Dir is a locked data directory.
type Dir struct {
	path      string
	lock      *os.File
	ephemeral bool
}

// Owner is who the files belong to: the user that the server runs as once it
// has given up root.
type Owner struct{ UID, GID int }

// subdirs are made at open: 0700, only the owner looks inside.
var subdirs = []string{"blobs", "layers", "logs", "keys", "cache", "builds", "run"}

// Open makes path if need be, gives it to owner and locks it. A directory that
// another server holds is FailedPrecondition and says which process it is. With
// an empty path a fresh directory is made, which Close removes.
func Open(path string, owner Owner) (*Dir, error) {
	d := &Dir{path: path, ephemeral: path == ""}
	if err := d.create(owner); err != nil {
		return nil, err
	}
	if err := d.acquire(); err != nil {
		return nil, err
	}
	return d.prepare(owner)
}

// Inherit is Open with the lock of another server, which holds it too until it is
// gone.
func Inherit(path string, owner Owner, lock *os.File) (*Dir, error) {
	d := &Dir{path: path}
	if err := d.create(owner); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := d.adopt(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d.prepare(owner)
}

// prepare makes what is missing in a directory that is locked.
func (d *Dir) prepare(owner Owner) (*Dir, error) {
	if err := d.setAside(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	for _, sub := range subdirs {
		if err := ownDir(d.Join(sub), 0o700, owner); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	if err := os.Chown(d.Join("lock"), owner.UID, owner.GID); err != nil {
		return nil, errors.Join(fmt.Errorf("give lock to uid %d: %w", owner.UID, err), d.Close())
	}
	return d, nil
}

// create makes the directory itself.
func (d *Dir) create(owner Owner) error {
	if d.ephemeral {
		tmp, err := os.MkdirTemp("", "sunya-")
		if err != nil {
			return fmt.Errorf("make ephemeral data directory: %w", err)
		}
		d.path = tmp
	}
	abs, err := filepath.Abs(d.path)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	d.path = abs
	if err := os.MkdirAll(filepath.Dir(abs), 0o755); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	if err := foreign(abs); err != nil {
		return err
	}
	return ownDir(abs, 0o711, owner)
}

// foreign is the error for a directory with somebody else's files in it, or for
// something that is no directory: as root it would be given away, with a mode
// that suits none of them.
func foreign(path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return sunya.Errorf(sunya.FailedPrecondition, path, "this is not a directory: name an empty one, or one that is yet to be made")
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil // there is none, or ownDir says what is wrong
	}
	other := ""
	for _, e := range entries {
		switch e.Name() {
		case "lock", "state.db":
			return nil
		case "lost+found": // of a file system of its own
		default:
			other = e.Name()
		}
	}
	if other == "" {
		return nil
	}
	return sunya.Errorf(sunya.FailedPrecondition, path,
		"this is not a data directory: it holds other files, such as %s; name an empty directory, or one that is yet to be made", other)
}

// ownDir makes one directory with this mode and owner, or corrects it.
func ownDir(path string, mode fs.FileMode, owner Owner) error {
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make data directory: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.Chown(path, owner.UID, owner.GID); err != nil {
		return fmt.Errorf("give data directory to uid %d: %w", owner.UID, err)
	}
	return nil
}

// acquire takes the lock and writes down who has it.
func (d *Dir) acquire() error {
	f, err := os.OpenFile(d.Join("lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("open lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		return sunya.Errorf(sunya.FailedPrecondition, d.path,
			"this data directory is in use by another server%s: stop it, or choose another with --data", holder(f))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("lock data directory: %w", err), f.Close())
	}
	return d.hold(f)
}

// adopt takes a lock that another server has passed on.
func (d *Dir) adopt(passed *os.File) error {
	got, err := passed.Stat()
	if err != nil {
		return fmt.Errorf("inherit lock: %w", err)
	}
	if there, err := os.Lstat(d.Join("lock")); err != nil || !os.SameFile(got, there) {
		return sunya.Errorf(sunya.FailedPrecondition, d.path, "the lock that was passed on is not this directory's")
	}
	// It is held already, or this server is the one that holds it now.
	if err := syscall.Flock(int(passed.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("inherit lock: %w", err)
	}
	return d.hold(passed)
}

// hold notes down who has the lock.
func (d *Dir) hold(lock *os.File) error {
	d.lock = lock
	return d.Sign()
}

// Sign writes down that this process has the lock.
func (d *Dir) Sign() error {
	if err := d.lock.Truncate(0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	if _, err := d.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return nil
}

// Lock is the lock, for another server to inherit. It stays d's.
func (d *Dir) Lock() *os.File { return d.lock }

// holder names the process in the lock file, as far as it can be known.
func holder(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	pid := strings.TrimSpace(string(b[:n]))
	if pid == "" {
		return ""
	}
	cmd, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
	if err != nil {
		return " (pid " + pid + ")"
	}
	return fmt.Sprintf(" (pid %s: %s)", pid, strings.TrimSpace(strings.ReplaceAll(string(cmd), "\x00", " ")))
}

// Path returns the absolute path.
func (d *Dir) Path() string { return d.path }

// Join returns a path beneath the directory.
func (d *Dir) Join(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// Ephemeral reports whether Close removes the directory.
func (d *Dir) Ephemeral() bool { return d.ephemeral }

// Leave lets go of the directory, which another server has inherited.
func (d *Dir) Leave() error { return d.lock.Close() }

// Close gives the lock back and, when ephemeral, removes everything.
func (d *Dir) Close() error {
	err := d.lock.Close()
	if d.ephemeral {
		err = errors.Join(err, tree.Remove(d.path))
	}
	return err
}
