package pid1

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// stepCapabilities are Docker's default ones without NET_RAW and MKNOD: what
// package managers need, within the builder's own user namespace.
const stepCapabilities = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FSETID | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID | 1<<unix.CAP_SETFCAP | 1<<unix.CAP_SETPCAP |
	1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_KILL | 1<<unix.CAP_AUDIT_WRITE

// dropStep takes from the calling thread what the program must not have, in
// the order in which each needs what goes after it.
func dropStep(doc *ipc.Document) error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if stepCapabilities&(uint64(1)<<c) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("drop capability %d from bounding set: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	filter, err := readFilter(doc.Annotations[ipc.AnnotationSeccomp])
	if err != nil {
		return err
	}
	if err := loadFilter(filter); err != nil {
		return err
	}
	if err := setStepUser(doc.Process.User); err != nil {
		return err
	}
	if doc.Process.User.UID != 0 {
		return nil // the change of user has cleared them
	}
	return keepCapabilities(stepCapabilities)
}

// setStepUser changes the ids of this thread alone; exec ends the others.
func setStepUser(u ipc.User) error {
	if !setgroupsDenied() {
		groups := make([]uint32, 0, len(u.AdditionalGIDs))
		for _, g := range u.AdditionalGIDs {
			groups = append(groups, uint32(g))
		}
		var first unsafe.Pointer
		if len(groups) > 0 {
			first = unsafe.Pointer(&groups[0])
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(first), 0); errno != 0 {
			return fmt.Errorf("set groups: %w", errno)
		}
		runtime.KeepAlive(groups)
	}
	gid, uid := uintptr(u.GID), uintptr(u.UID)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return noSuchID("group", u.GID, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return noSuchID("user", u.UID, errno)
	}
	return nil
}

// noSuchID explains an id that is not mapped: where the server is not root
// there is but one.
func noSuchID(kind string, id int, errno syscall.Errno) error {
	if errno == unix.EINVAL {
		return fmt.Errorf("%s %d does not exist here: builds have more than one id only where the server is started as root", kind, id)
	}
	return fmt.Errorf("become %s %d: %w", kind, id, errno)
}

func setgroupsDenied() bool {
	data, err := os.ReadFile("/proc/self/setgroups")
	return err == nil && strings.TrimSpace(string(data)) == "deny"
}

func keepCapabilities(set uint64) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	low, high := uint32(set&0xffffffff), uint32(set>>32)
	data := [2]unix.CapUserData{{Effective: low, Permitted: low}, {Effective: high, Permitted: high}}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// stepRlimits are the limits that RUN --ulimit may name.
var stepRlimits = map[string]int{
	"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU,
	"RLIMIT_DATA": unix.RLIMIT_DATA, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS,
	"RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_NICE": unix.RLIMIT_NICE, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE,
	"RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_RSS": unix.RLIMIT_RSS, "RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO,
	"RLIMIT_STACK": unix.RLIMIT_STACK, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE,
}

func setStepRlimits(limits []ipc.Rlimit) error {
	for _, l := range limits {
		resource, ok := stepRlimits[l.Type]
		if !ok {
			return fmt.Errorf("limit %s is not known", l.Type)
		}
		if err := lower(resource, l.Soft, l.Hard); err != nil {
			return fmt.Errorf("set %s: %w", l.Type, err)
		}
	}
	return nil
}
