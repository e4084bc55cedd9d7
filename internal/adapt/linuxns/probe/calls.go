package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// systemCalls is S5: calls that must answer EPERM or ENOSYS, whatever their
// arguments.
func systemCalls(fail report) {
	for _, c := range []struct {
		name   string
		number uintptr
		args   [3]uintptr
	}{
		{"mount", unix.SYS_MOUNT, [3]uintptr{}},
		{"umount2", unix.SYS_UMOUNT2, [3]uintptr{}},
		{"pivot_root", unix.SYS_PIVOT_ROOT, [3]uintptr{}},
		{"open_tree", unix.SYS_OPEN_TREE, [3]uintptr{}},
		{"move_mount", unix.SYS_MOVE_MOUNT, [3]uintptr{}},
		{"fsopen", unix.SYS_FSOPEN, [3]uintptr{}},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR, [3]uintptr{}},
		{"unshare user", unix.SYS_UNSHARE, [3]uintptr{unix.CLONE_NEWUSER}},
		{"unshare mount", unix.SYS_UNSHARE, [3]uintptr{unix.CLONE_NEWNS}},
		{"setns", unix.SYS_SETNS, [3]uintptr{}},
		{"clone user", unix.SYS_CLONE, [3]uintptr{unix.CLONE_NEWUSER | uintptr(unix.SIGCHLD)}},
		{"clone3", unix.SYS_CLONE3, [3]uintptr{}},
		{"ptrace", unix.SYS_PTRACE, [3]uintptr{unix.PTRACE_ATTACH, 1}},
		{"process_vm_readv", unix.SYS_PROCESS_VM_READV, [3]uintptr{1}},
		{"bpf", unix.SYS_BPF, [3]uintptr{}},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, [3]uintptr{}},
		{"keyctl", unix.SYS_KEYCTL, [3]uintptr{}},
		{"add_key", unix.SYS_ADD_KEY, [3]uintptr{}},
		{"userfaultfd", unix.SYS_USERFAULTFD, [3]uintptr{}},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, [3]uintptr{}},
		{"kexec_load", unix.SYS_KEXEC_LOAD, [3]uintptr{}},
		{"init_module", unix.SYS_INIT_MODULE, [3]uintptr{}},
		{"finit_module", unix.SYS_FINIT_MODULE, [3]uintptr{}},
		{"delete_module", unix.SYS_DELETE_MODULE, [3]uintptr{}},
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, [3]uintptr{}},
		{"reboot", unix.SYS_REBOOT, [3]uintptr{}},
		{"swapon", unix.SYS_SWAPON, [3]uintptr{}},
		{"settimeofday", unix.SYS_SETTIMEOFDAY, [3]uintptr{}},
		{"acct", unix.SYS_ACCT, [3]uintptr{}},
		{"chroot", unix.SYS_CHROOT, [3]uintptr{}},
		{"sethostname", unix.SYS_SETHOSTNAME, [3]uintptr{}},
		{"socket vsock", unix.SYS_SOCKET, [3]uintptr{unix.AF_VSOCK, unix.SOCK_STREAM}},
		{"socket alg", unix.SYS_SOCKET, [3]uintptr{unix.AF_ALG, unix.SOCK_SEQPACKET}},
		{"socket packet", unix.SYS_SOCKET, [3]uintptr{unix.AF_PACKET, unix.SOCK_RAW}},
		{"socket raw", unix.SYS_SOCKET, [3]uintptr{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}},
		{"socket netfilter", unix.SYS_SOCKET, [3]uintptr{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER}},
		{"socket xdp", unix.SYS_SOCKET, [3]uintptr{unix.AF_XDP, unix.SOCK_RAW}},
	} {
		if c.name == "chroot" && inImage() {
			continue // Docker's default: within the sandbox it leads nowhere
		}
		r, _, errno := unix.RawSyscall(c.number, c.args[0], c.args[1], c.args[2])
		if c.name == "clone user" && errno == 0 && r == 0 {
			unix.Exit(0) // the child that must not be
		}
		if errno != unix.EPERM && errno != unix.ENOSYS && errno != unix.EPROTONOSUPPORT {
			fail("%s: %v", c.name, errno)
		}
	}
	if runtime.GOARCH == "amd64" {
		const x32 = 0x40000000
		if _, _, errno := unix.RawSyscall(x32|unix.SYS_GETPID, 0, 0, 0); errno == 0 {
			fail("the x32 system calls work")
		}
	}
	changeLink(fail)
}

// changeLink asks the kernel to change eth0, over the one netlink family that
// is allowed.
func changeLink(fail report) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fail("socket: %v", err)
		return
	}
	defer func() { _ = unix.Close(fd) }()
	var request struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], "lo")
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if errno != unix.EPERM {
		fail("change of an interface: %v", errno)
	}
}

// identity is S6: ids, capabilities, no_new_privs, seccomp.
func identity(fail report) {
	status := map[string]string{}
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.Join(strings.Fields(value), " ")
	}
	for key, want := range wantedStatus() {
		if status[key] != want {
			fail("%s is %q, not %q", key, status[key], want)
		}
	}
	if inImage() {
		imageIdentity(fail)
		return
	}
	if groups := status["Groups"]; groups != "" && groups != "1000" {
		if singleUser() {
			fail("skip: groups %q stay: an unprivileged launcher may not drop them", groups)
		} else {
			fail("groups are %q", groups)
		}
	}
	uidMap, _ := os.ReadFile("/proc/self/uid_map")
	if fields := strings.Fields(string(uidMap)); len(fields) != 3 || fields[1] == "0" {
		fail("uid map is %q", uidMap)
	}
	if err := unix.Setuid(0); err == nil {
		fail("setuid(0) succeeded")
	}
	if err := unix.Setgroups([]int{0}); err == nil {
		fail("setgroups succeeded")
	}
}

// containerCaps are Docker's default capabilities less NET_RAW and MKNOD.
const containerCaps = 1<<unix.CAP_AUDIT_WRITE | 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_FSETID | 1<<unix.CAP_KILL | 1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_SETFCAP | 1<<unix.CAP_SETGID |
	1<<unix.CAP_SETPCAP | 1<<unix.CAP_SETUID | 1<<unix.CAP_SYS_CHROOT

// wantedStatus is what /proc/self/status must say. An image's program may be
// root, in a user namespace of its own.
func wantedStatus() map[string]string {
	none := fmt.Sprintf("%016x", 0)
	want := map[string]string{
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2",
	}
	if !inImage() {
		want["Uid"], want["Gid"] = "1000 1000 1000 1000", "1000 1000 1000 1000"
		return want
	}
	caps := fmt.Sprintf("%016x", uint64(containerCaps))
	want["CapBnd"] = caps
	if os.Getuid() == 0 {
		want["CapPrm"], want["CapEff"] = caps, caps
	}
	return want
}

// imageIdentity checks that root of an image is nobody on the host, and that a
// user of it does not become root.
func imageIdentity(fail report) {
	uidMap, _ := os.ReadFile("/proc/self/uid_map")
	if fields := strings.Fields(string(uidMap)); len(fields) != 3 || fields[1] == "0" {
		fail("uid map is %q", uidMap)
	}
	if os.Getuid() == 0 {
		return
	}
	if err := unix.Setuid(0); err == nil {
		fail("setuid(0) succeeded")
	}
	if err := unix.Setgroups([]int{0}); err == nil {
		fail("setgroups succeeded")
	}
}
