package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// hostFiles is S1: files of the host through procfs, descriptors, the working
// directory and mount propagation.
func hostFiles(fail report) {
	paths := []string{
		"/proc/1/root", "/proc/1/cwd", "/proc/1/environ", "/proc/1/maps", "/proc/1/mem",
		"/home", "/var", "/etc/shadow", "/etc/ssh", "/etc/ssl/private", "/boot", "/sys/class", "/run", "/mnt",
	}
	if !inImage() { // root of an image has a home, and may count descriptors
		paths = append(paths, "/root", "/proc/1/fd")
	}
	for fd := range 16 {
		if link, err := os.Readlink(fmt.Sprintf("/proc/1/fd/%d", fd)); err == nil {
			fail("/proc/1/fd/%d can be resolved: %s", fd, link)
		}
	}
	for _, path := range paths {
		if readable(path) {
			fail("%s can be read", path)
		}
	}
	for _, fd := range openFiles() {
		if fd > 2 {
			link, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			fail("descriptor %d is open: %s", fd, link)
		}
	}
	if wd, err := os.Getwd(); err != nil || !strings.HasPrefix(wd, "/") {
		fail("working directory %q: %v", wd, err)
	}
	if _, err := os.Stat(strings.Repeat("../", 40) + "etc/shadow"); err == nil {
		fail("../ leads out of the root")
	}
	info, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(info)) {
		if strings.Contains(line, " shared:") {
			fail("mount propagates: %s", strings.TrimSpace(line))
		}
	}
}

func readable(path string) bool {
	if _, err := os.ReadDir(path); err == nil {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	n, _ := f.Read(make([]byte, 1))
	return n > 0
}

// openFiles lists descriptors below 256 by asking for each, as reading a
// directory would open another.
func openFiles() []int {
	var fds []int
	for fd := range 256 {
		var st unix.Stat_t
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || unix.Fstat(fd, &st) != nil {
			continue
		}
		link, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if strings.HasPrefix(link, "anon_inode:[event") || strings.HasPrefix(link, "/sys/fs/cgroup/cpu") {
			continue // the Go runtime's own poller, and where it looks for its share of processors
		}
		_ = flags
		fds = append(fds, fd)
	}
	return fds
}

// kernelKnobs is S2: files that steer or show the kernel.
func kernelKnobs(fail report) {
	for _, path := range []string{
		"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper",
		"/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug", "/sys/fs/cgroup/release_agent",
		"/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/hostname",
		"/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/user/max_user_namespaces",
		"/proc/sys/fs/binfmt_misc/register", "/proc/irq/default_smp_affinity", "/dev/mem", "/dev/kmsg",
	} {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil && !isNull(f) {
			fail("%s can be opened for writing", path)
		}
		if err == nil {
			_ = f.Close()
		}
	}
	for _, path := range []string{
		"/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/kallsyms",
		"/proc/sched_debug", "/proc/scsi/scsi", "/sys/firmware/acpi/tables",
	} {
		if readable(path) {
			fail("%s can be read", path)
		}
	}
}

func isNull(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Mode&syscall.S_IFMT == syscall.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
}

// starter is S3: the program that started the sandbox.
func starter(fail report) {
	for _, flag := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR} {
		f, err := os.OpenFile("/proc/1/exe", flag, 0)
		if err == nil {
			_ = f.Close()
			fail("/proc/1/exe can be opened with flags %#x", flag)
		}
	}
	if _, err := os.Readlink("/proc/1/exe"); err == nil {
		fail("/proc/1/exe can be resolved")
	}
}

// deviceNodes is S7: the exact list of devices.
func deviceNodes(fail report) {
	want := []string{"/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"}
	if inImage() {
		want = []string{"/dev/full", "/dev/null", "/dev/pts/ptmx", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"}
	}
	var got []string
	for _, root := range []string{"/dev", "/tmp", "/run", "/etc"} {
		_ = filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
			// A mounted node hides a plain file, whose type the directory tells.
			if info, statErr := os.Lstat(path); err == nil && statErr == nil && info.Mode()&os.ModeDevice != 0 {
				got = append(got, path)
			}
			return nil
		})
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		fail("devices are %v, not %v", got, want)
	}
	if err := unix.Mknod("/tmp/device", unix.S_IFBLK|0o600, int(unix.Mkdev(254, 0))); err == nil {
		fail("mknod of a block device succeeded")
	}
}

// leftovers is S10: what an earlier tenant may have left.
func leftovers(fail report) {
	for _, dir := range []string{"/tmp", "/dev/shm"} {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 0 {
			fail("%s holds %d entries, %v", dir, len(entries), err)
		}
	}
	allowed := []string{"PATH", "HOME", "PORT", "PROBE_HOST_PORT", "PROBE_ABSTRACT", "PROBE_IMAGE"}
	if inImage() { // which an engine's test starts without, and a server with its own APIs
		allowed = append(allowed, "STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "PUBSUB_PROJECT_ID")
	}
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		own := inImage() && (strings.HasPrefix(name, "CLOUD_RUN_") || strings.HasPrefix(name, "K_"))
		if !own && !slices.Contains(allowed, name) {
			fail("environment has %s", name)
		}
	}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if strings.Trim(e.Name(), "0123456789") != "" || e.Name() == fmt.Sprint(os.Getpid()) {
			continue
		}
		if e.Name() == "1" && (inImage() || os.Getuid() == 1000 && singleUser()) {
			continue // the first process has the same user where there is only one
		}
		fail("process %s is visible", e.Name())
	}
}

// inImage reports whether the probe runs in the file system of a container image,
// which has users of its own.
func inImage() bool { return os.Getenv("PROBE_IMAGE") != "" }

// singleUser reports whether the user namespace has one id only.
func singleUser() bool {
	text, _ := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return len(fields) == 3 && fields[2] == "1"
}
