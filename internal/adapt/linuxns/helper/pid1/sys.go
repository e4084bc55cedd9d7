package pid1

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// sysFacts are the files of the host's /sys that programs read to size
// themselves: C libraries and allocators count processors, some look at the size
// of pages. The rest of /sys speaks of the machine and is not shown.
var sysFacts = []string{
	"/sys/devices/system/cpu/online", "/sys/devices/system/cpu/possible", "/sys/devices/system/cpu/present",
	"/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
}

// readFacts reads those that are there.
func readFacts() []generated {
	var facts []generated
	for _, path := range sysFacts {
		if data, err := os.ReadFile(path); err == nil {
			facts = append(facts, generated{path, string(data)})
		}
	}
	return facts
}

// mountSys makes a small read-only /sys: the facts, and the sandbox's own limits
// where programs look for them.
func (r *root) mountSys(facts []generated, groups []hierarchy) error {
	fd, err := newFS("tmpfs", quiet|unix.MOUNT_ATTR_NOEXEC, "size=262144", "mode=0755")
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	tree, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fmt.Errorf("mount /sys: %w", err)
	}
	if err := r.attach(tree, "/sys"); err != nil {
		return err
	}
	for _, f := range facts {
		if err := r.writeFile(f.path, []byte(f.text)); err != nil {
			return err
		}
	}
	for _, g := range groups {
		r.mountCgroup(g)
	}
	err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if err != nil {
		return fmt.Errorf("make /sys read-only: %w", err)
	}
	return nil
}

// hierarchy is a cgroup file system of the host.
type hierarchy struct {
	v2          bool
	controllers []string // v1: those mounted together
	path        string   // where runtimes look for it
}

// hierarchies finds those that limits are in: runtimes size their heaps and
// thread pools by them.
func hierarchies() []hierarchy {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return parseHierarchies(string(info))
}

// limitControllers are the v1 controllers whose limits programs read.
var limitControllers = []string{"cpu", "cpuacct", "memory", "pids"}

// parseHierarchies reads mountinfo (proc_pid_mountinfo(5)). A machine with
// controllers in v1 has no limits in v2.
func parseHierarchies(info string) []hierarchy {
	var v1, v2 []hierarchy
	for line := range strings.Lines(info) {
		_, tail, _ := strings.Cut(line, " - ")
		fields := strings.Fields(tail)
		if len(fields) < 3 {
			continue
		}
		switch fields[0] {
		case "cgroup2":
			v2 = []hierarchy{{v2: true, path: "/sys/fs/cgroup"}}
		case "cgroup":
			own := slices.DeleteFunc(strings.Split(fields[2], ","), func(o string) bool {
				return !slices.Contains(limitControllers, o)
			})
			if len(own) > 0 {
				v1 = append(v1, hierarchy{controllers: own, path: "/sys/fs/cgroup/" + strings.Join(own, ",")})
			}
		}
	}
	if len(v1) > 0 {
		return v1
	}
	return v2
}

// mountCgroup shows the sandbox its own group, read-only. It is a service to
// programs: where the kernel refuses, they see the machine's size, as without a
// container.
func (r *root) mountCgroup(g hierarchy) {
	kind := "cgroup"
	if g.v2 {
		kind = "cgroup2"
	}
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fs) }()
	for _, c := range g.controllers {
		if unix.FsconfigSetFlag(fs, c) != nil {
			return
		}
	}
	if unix.FsconfigCreate(fs) != nil {
		return
	}
	tree, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, readOnly|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return
	}
	_ = r.attach(tree, g.path)
}

// trimLine returns the first line of a file's beginning.
func trimLine(data []byte) string {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return string(bytes.TrimSpace(line))
}
