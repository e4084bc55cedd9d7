package untar

import (
	"archive/tar"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// nobody owns what belongs to an id that no sandbox has, as the kernel shows
// such files (the overflow id).
const nobody = 65534

// maxID is the largest id inside a sandbox.
const maxID = 65535

// xattrRecord is what the names of extended attributes begin with in an archive.
const xattrRecord = "SCHILY.xattr."

// describe gives an open file its owner, mode, attributes and time, in this
// order: each change of owner or content takes set-id bits and capabilities away.
// A directory's time is set when all is written.
func (x *extractor) describe(fd int, h *tar.Header, isDir bool) error {
	self := fmt.Sprintf("/proc/self/fd/%d", fd)
	if err := x.chown(self, 0, h); err != nil {
		return err
	}
	if err := unix.Chmod(self, mode(h)); err != nil {
		return fmt.Errorf("set mode of %s: %w", h.Name, err)
	}
	if err := setAttributes(self, h); err != nil {
		return err
	}
	if isDir {
		return nil
	}
	return setTime(unix.AT_FDCWD, self, 0, h.ModTime)
}

// describeAt does the same for what cannot be opened: links and pipes.
func (x *extractor) describeAt(dir int, base string, h *tar.Header) error {
	at := fmt.Sprintf("/proc/self/fd/%d/%s", dir, base)
	if err := x.chown(at, unix.AT_SYMLINK_NOFOLLOW, h); err != nil {
		return x.local(err)
	}
	if h.Typeflag == tar.TypeFifo {
		if err := unix.Fchmodat(dir, base, mode(h), 0); err != nil {
			return x.local(err)
		}
	}
	return x.local(setTime(dir, base, unix.AT_SYMLINK_NOFOLLOW, h.ModTime))
}

// chown gives a file to its owner. In a namespace of one id everything belongs
// to that.
func (x *extractor) chown(path string, flags int, h *tar.Header) error {
	err := unix.Fchownat(unix.AT_FDCWD, path, id(h.Uid), id(h.Gid), flags)
	if err == unix.EINVAL {
		return nil
	}
	if err != nil {
		return fmt.Errorf("set owner of %s: %w", h.Name, err)
	}
	return nil
}

func id(n int) int {
	if n < 0 || n > maxID {
		return nobody
	}
	return n
}

// mode is the permission bits with set-user-id, set-group-id and sticky.
func mode(h *tar.Header) uint32 { return uint32(h.Mode) & 0o7777 }

// setAttributes sets the extended attributes that mean something on another
// machine: capabilities, and users' own. Those of overlayfs are not an image's to
// set. What the file system does not take is left out, as elsewhere.
func setAttributes(path string, h *tar.Header) error {
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, xattrRecord)
		if !ok || !isKept(name) {
			continue
		}
		err := unix.Setxattr(path, name, []byte(value), 0)
		if err != nil && err != unix.ENOTSUP && err != unix.EPERM && err != unix.EINVAL {
			return fmt.Errorf("set attribute %s of %s: %w", name, h.Name, err)
		}
	}
	return nil
}

func isKept(name string) bool {
	return name == "security.capability" || strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.")
}

func setTime(dir int, path string, flags int, at time.Time) error {
	if at.IsZero() {
		return nil
	}
	ts, err := unix.TimeToTimespec(at)
	if err != nil {
		return nil // beyond what the kernel can keep
	}
	err = unix.UtimesNanoAt(dir, path, []unix.Timespec{ts, ts}, flags)
	if err != nil && err != unix.EINVAL && err != unix.EOVERFLOW {
		return fmt.Errorf("set time of %s: %w", path, err)
	}
	return nil
}

// finish sets the times of directories, the last mention of each counting. One
// that is gone again has none.
func (x *extractor) finish() error {
	x.forget()
	for _, d := range x.dirs {
		fd, err := x.open(d.name)
		if err != nil {
			continue
		}
		err = setTime(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), 0, d.at)
		_ = unix.Close(fd)
		if err != nil {
			return x.local(err)
		}
	}
	return nil
}
