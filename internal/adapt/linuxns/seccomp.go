package linuxns

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// denied are system calls of Docker's default profile that a sandbox does not
// get: nothing that serves HTTP needs them, and each has been a way into the
// kernel. clone3 is answered with ENOSYS, because a filter cannot see the
// flags it points to; libraries then use clone.
var denied = []string{
	"clone3", "ptrace", "process_vm_readv", "process_vm_writev", "keyctl", "add_key", "request_key",
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"name_to_handle_at", "open_by_handle_at", "socket",
}

// filters are the programs that have been compiled, by capabilities.
var filters sync.Map

// seccompFilter returns the program for the launcher, compiled once for each
// set of capabilities: some calls are of use with one only. With kept it is for
// programs whose memory may be that of a template.
func seccompFilter(caps []string, kept bool) (string, error) {
	key := fmt.Sprint(caps, kept)
	if filter, ok := filters.Load(key); ok {
		return filter.(string), nil
	}
	rules, err := dockerRules(caps)
	if err != nil {
		return "", err
	}
	rules = append(rules, socketRules()...)
	if kept {
		rules = keptRules(rules)
	}
	program, err := compile(rules)
	if err != nil {
		return "", err
	}
	raw := make([]byte, 0, 8*len(program))
	for _, i := range program {
		raw = binary.NativeEndian.AppendUint16(raw, i.Code)
		raw = append(raw, i.Jt, i.Jf)
		raw = binary.NativeEndian.AppendUint32(raw, i.K)
	}
	filter := base64.StdEncoding.EncodeToString(raw)
	filters.Store(key, filter)
	return filter, nil
}

// rule allows a system call if all conditions hold, or refuses it with an error
// of its own; several rules for one call are asked in their order.
type rule struct {
	number uint32
	args   []specs.LinuxSeccompArg
	refuse unix.Errno
}

// dockerRules reads Docker's default profile for a process with these
// capabilities at most.
func dockerRules(caps []string) ([]rule, error) {
	profile, err := seccomp.GetDefaultProfile(&specs.Spec{
		Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: caps}},
	})
	if err != nil {
		return nil, fmt.Errorf("read default seccomp profile: %w", err)
	}
	info, err := arch.GetInfo(runtime.GOARCH)
	if err != nil {
		return nil, fmt.Errorf("read system call numbers: %w", err)
	}
	var rules []rule
	for _, group := range profile.Syscalls {
		if group.Action != specs.ActAllow {
			continue // everything not allowed is refused anyway
		}
		for _, name := range group.Names {
			// Names of other architectures have no number here.
			if n, ok := info.SyscallNames[name]; ok && !slices.Contains(denied, name) {
				rules = append(rules, rule{number: uint32(n), args: group.Args})
			}
		}
	}
	if slices.Contains(caps, "CAP_SYS_ADMIN") { // Docker's has it for nobody
		rules = append(rules, rule{number: unix.SYS_PIVOT_ROOT})
	}
	return rules, nil
}

// socketRules allow the address families that programs use: not vsock, which
// would reach the machine that hosts this one, nor AF_ALG; and of netlink only
// the routing table, which getifaddrs(3) reads. Another netlink is answered as by
// a kernel without it: useradd and su give up where auditing is forbidden, and go
// on where there is none.
func socketRules() []rule {
	var rules []rule
	for _, family := range []uint64{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6} {
		rules = append(rules, rule{number: unix.SYS_SOCKET, args: []specs.LinuxSeccompArg{equal(0, family)}})
	}
	return append(rules,
		rule{number: unix.SYS_SOCKET, args: []specs.LinuxSeccompArg{equal(0, unix.AF_NETLINK), equal(2, unix.NETLINK_ROUTE)}},
		rule{number: unix.SYS_SOCKET, args: []specs.LinuxSeccompArg{equal(0, unix.AF_NETLINK)}, refuse: unix.EPROTONOSUPPORT})
}

func equal(index uint, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Value: value, Op: specs.OpEqualTo}
}

// keptRules refuse to give up pages by madvise(MADV_DONTNEED): those of a template
// would come back as they were in it, where a program may count on zeros. One that
// is told that the call has failed does not.
func keptRules(rules []rule) []rule {
	rules = slices.DeleteFunc(rules, func(r rule) bool {
		return r.number == unix.SYS_MADVISE || r.number == unix.SYS_PROCESS_MADVISE
	})
	// The advice is an int: what is above it means nothing.
	advice := func(mask, value uint64) []specs.LinuxSeccompArg {
		return []specs.LinuxSeccompArg{{Index: 2, Value: mask, ValueTwo: value, Op: specs.OpMaskedEqual}}
	}
	const low = 1<<32 - 1
	return append(rules,
		rule{number: unix.SYS_MADVISE, args: advice(low, unix.MADV_DONTNEED), refuse: unix.EINVAL},
		rule{number: unix.SYS_MADVISE, args: advice(low, unix.MADV_DONTNEED_LOCKED), refuse: unix.EINVAL},
		rule{number: unix.SYS_MADVISE, args: advice(0, 0)})
}
