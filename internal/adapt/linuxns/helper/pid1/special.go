package pid1

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// devices is the whole list.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// maskedFiles and maskedDirs hide what of /proc speaks about the host;
// fixedPaths stay readable. The list is Docker's default.
var (
	maskedFiles = []string{
		"/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/sysrq-trigger", "/proc/kmsg", "/proc/kallsyms",
		"/proc/interrupts",
	}
	maskedDirs = []string{"/proc/acpi", "/proc/asound", "/proc/scsi"}
	fixedPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"}
)

// mountProc mounts /proc so that a process sees only its own user's processes,
// then hides and fixes parts of it and looks whether that has worked.
func (r *root) mountProc() error { return r.mountProcWith("hidepid=2") }

func (r *root) mountProcWith(options ...string) error {
	tree, err := newFS("proc", quiet|unix.MOUNT_ATTR_NOEXEC, options...)
	if err != nil {
		return err
	}
	if err := r.attach(tree, "/proc"); err != nil {
		return err
	}
	for _, path := range maskedFiles {
		if err := r.maskFile(path); err != nil {
			return fmt.Errorf("mask %s: %w", path, err)
		}
	}
	for _, path := range maskedDirs {
		if err := r.maskDir(path); err != nil {
			return fmt.Errorf("mask %s: %w", path, err)
		}
	}
	for _, path := range fixedPaths {
		if err := r.fix(path); err != nil {
			return fmt.Errorf("fix %s: %w", path, err)
		}
	}
	return nil
}

func (r *root) maskFile(path string) error {
	if !r.exists(path) {
		return nil
	}
	null, err := clone(unix.AT_FDCWD, "/dev/null", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return err
	}
	if err := r.attach(null, path); err != nil {
		return err
	}
	st, err := r.stat(path)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return fmt.Errorf("is not /dev/null after masking")
	}
	return nil
}

func (r *root) maskDir(path string) error {
	before, err := r.stat(path)
	if err != nil {
		return nil // not there: nothing to hide
	}
	empty, err := newFS("tmpfs", readOnly|unix.MOUNT_ATTR_NOEXEC, "size=4096", "mode=0555")
	if err != nil {
		return err
	}
	if err := r.attach(empty, path); err != nil {
		return err
	}
	after, err := r.stat(path)
	if err != nil {
		return err
	}
	if after.Dev == before.Dev {
		return fmt.Errorf("shows the same file system after masking")
	}
	return nil
}

func (r *root) fix(path string) error {
	fd, err := r.open(path)
	if err != nil {
		return nil // not there: nothing to fix
	}
	defer func() { _ = unix.Close(fd) }()
	tree, err := clone(fd, "", readOnly|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return err
	}
	return r.attach(tree, path)
}

// mountDev makes a read-only /dev.
func (r *root) mountDev() error {
	fd, err := r.makeDev()
	if err != nil {
		return err
	}
	err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	_ = unix.Close(fd)
	if err != nil {
		return fmt.Errorf("make /dev read-only: %w", err)
	}
	return nil
}

// makeDev makes /dev with the host's own nodes, as none can be made in a user
// namespace, and with a place for shared memory, and returns its mount.
func (r *root) makeDev() (fd int, err error) {
	if fd, err = newFS("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, "size=65536", "mode=0755"); err != nil {
		return -1, err
	}
	if err := r.fillDev(fd); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (r *root) fillDev(fd int) error {
	tree, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	if err := r.attach(tree, "/dev"); err != nil {
		return err
	}
	for _, name := range devices {
		node, err := clone(unix.AT_FDCWD, "/dev/"+name, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
		if err != nil {
			return err
		}
		if err := r.attach(node, "/dev/"+name); err != nil {
			return err
		}
	}
	for name, link := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := r.symlink(link, "/dev/"+name); err != nil {
			return err
		}
	}
	if err := unix.Mkdirat(fd, "shm", 0o755); err != nil {
		return fmt.Errorf("make /dev/shm: %w", err)
	}
	return nil
}

func (r *root) exists(path string) bool {
	_, err := r.stat(path)
	return err == nil
}

func (r *root) stat(path string) (unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := r.open(path)
	if err != nil {
		return st, err
	}
	defer func() { _ = unix.Close(fd) }()
	return st, unix.Fstatat(fd, "", &st, unix.AT_EMPTY_PATH)
}
