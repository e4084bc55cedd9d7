package pid1

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

const (
	quiet    = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	readOnly = quiet | unix.MOUNT_ATTR_RDONLY
)

// root is the new root while it is being built. Every target is resolved
// inside it by the kernel, so that no link in a mounted tree leads outside.
type root struct {
	fd int // O_PATH
}

// newFS makes a file system that is mounted nowhere yet.
func newFS(kind string, attrs int, options ...string) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("open file system %s: %w", kind, err)
	}
	defer func() { _ = unix.Close(fs) }()
	for _, option := range options {
		key, value, _ := strings.Cut(option, "=")
		if err := unix.FsconfigSetString(fs, key, value); err != nil {
			return -1, fmt.Errorf("set %s of %s: %w", option, kind, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("create file system %s: %w", kind, err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return -1, fmt.Errorf("mount file system %s: %w", kind, err)
	}
	return fd, nil
}

// clone makes a detached copy of what is mounted at path and below.
func clone(dir int, path string, attrs uint64) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_RECURSIVE)
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	fd, err := unix.OpenTree(dir, path, flags)
	if err != nil {
		return -1, fmt.Errorf("clone mount %s: %w", path, err)
	}
	if err := restrict(fd, attrs); err != nil {
		return -1, errors.Join(fmt.Errorf("restrict mount %s: %w", path, err), unix.Close(fd))
	}
	return fd, nil
}

// restrict sets attributes of a mount and all below, and makes it one that nothing
// outside changes.
func restrict(fd int, attrs uint64) error {
	return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attrs, Propagation: unix.MS_PRIVATE})
}

// attach mounts a detached tree and closes its descriptor.
func (r *root) attach(tree int, target string) error {
	defer func() { _ = unix.Close(tree) }()
	dir, err := isDir(tree)
	if err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	at, err := r.target(target, dir)
	if err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	defer func() { _ = unix.Close(at) }()
	err = unix.MoveMount(tree, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("mount %s: %w", target, err)
	}
	return nil
}

// target opens a mount point and makes it, with its parents, where it is
// missing.
func (r *root) target(name string, dir bool) (int, error) {
	fd, err := r.open(name)
	if err == nil || err != unix.ENOENT {
		return fd, err
	}
	parent, err := r.target(path.Dir(name), true)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(parent) }()
	if dir {
		err = unix.Mkdirat(parent, path.Base(name), 0o755)
	} else {
		err = touch(parent, path.Base(name))
	}
	if err == unix.EROFS {
		return -1, ipc.Errorf(ipc.InvalidArgument, "target %s does not exist inside a read-only mount", name)
	}
	if err != nil {
		return -1, err
	}
	return r.open(name)
}

func (r *root) open(name string) (int, error) {
	return unix.Openat2(r.fd, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}

func touch(dir int, name string) error {
	fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func isDir(fd int) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, "", &st, unix.AT_EMPTY_PATH); err != nil {
		return false, err
	}
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}
