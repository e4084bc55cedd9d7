package launcher

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// owned is a tree that belongs to a sandbox until it ends.
type owned struct {
	dir      *os.File
	uid, gid int
}

// giveBack returns trees to the server.
func giveBack(trees []owned) {
	for _, t := range trees {
		if err := chownTree(int(t.dir.Fd()), t.uid, t.gid); err != nil {
			fmt.Fprintln(os.Stderr, "launcher: give back:", err)
		}
		_ = t.dir.Close()
	}
}

// chownTree changes the owner of everything beneath an open directory. It
// follows no link and leaves no file system, whatever happens to the tree
// meanwhile.
func chownTree(dir, uid, gid int) error {
	if err := unix.Fchownat(dir, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("change owner: %w", err)
	}
	fd, err := unix.Openat2(dir, ".", &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV,
	})
	if err == unix.ENOTDIR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read tree: %w", err)
	}
	f := os.NewFile(uintptr(fd), "tree")
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(-1)
	errs := []error{err}
	for _, name := range names {
		errs = append(errs, chownEntry(fd, name, uid, gid))
	}
	return errors.Join(errs...)
}

func chownEntry(dir int, name string, uid, gid int) error {
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstatat(fd, "", &st, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("stat %s: %w", name, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return chownTree(fd, uid, gid)
	}
	if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("change owner of %s: %w", name, err)
	}
	return nil
}
