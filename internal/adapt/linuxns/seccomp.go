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

// seccompFilter returns the program for the launcher, compiled once.
var seccompFilter = sync.OnceValues(func() (string, error) {
	rules, err := dockerRules()
	if err != nil {
		return "", err
	}
	program, err := compile(append(rules, socketRules()...))
	if err != nil {
		return "", err
	}
	raw := make([]byte, 0, 8*len(program))
	for _, i := range program {
		raw = binary.NativeEndian.AppendUint16(raw, i.Code)
		raw = append(raw, i.Jt, i.Jf)
		raw = binary.NativeEndian.AppendUint32(raw, i.K)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
})

// rule allows a system call if all conditions hold; several rules for one call
// are alternatives.
type rule struct {
	number uint32
	args   []specs.LinuxSeccompArg
}

// dockerRules reads Docker's default profile for a process without any
// capability.
func dockerRules() ([]rule, error) {
	profile, err := seccomp.GetDefaultProfile(&specs.Spec{
		Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}},
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
				rules = append(rules, rule{uint32(n), group.Args})
			}
		}
	}
	return rules, nil
}

// socketRules allow the address families that programs use: not vsock, which
// would reach the machine that hosts this one, nor AF_ALG; and of netlink only
// the routing table, which getifaddrs(3) reads.
func socketRules() []rule {
	var rules []rule
	for _, family := range []uint64{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6} {
		rules = append(rules, rule{unix.SYS_SOCKET, []specs.LinuxSeccompArg{equal(0, family)}})
	}
	return append(rules, rule{unix.SYS_SOCKET, []specs.LinuxSeccompArg{
		equal(0, unix.AF_NETLINK), equal(2, unix.NETLINK_ROUTE),
	}})
}

func equal(index uint, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Value: value, Op: specs.OpEqualTo}
}
