package linuxns

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// verdict runs the filter on one system call, in a virtual machine.
func verdict(t *testing.T, program []unix.SockFilter, arch, number uint32, args ...uint64) uint32 {
	t.Helper()
	raw := make([]bpf.RawInstruction, len(program))
	for i, p := range program {
		raw[i] = bpf.RawInstruction{Op: p.Code, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	instructions, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("filter has unknown instructions")
	}
	vm, err := bpf.NewVM(instructions)
	if err != nil {
		t.Fatal(err)
	}
	// The kernel reads struct seccomp_data in host order, the virtual machine
	// packets in network order.
	data := binary.BigEndian.AppendUint32(nil, number)
	data = binary.BigEndian.AppendUint32(data, arch)
	data = append(data, make([]byte, 8)...)
	for i := range 6 {
		var arg uint64
		if i < len(args) {
			arg = args[i]
		}
		data = binary.BigEndian.AppendUint32(data, uint32(arg))
		data = binary.BigEndian.AppendUint32(data, uint32(arg>>32))
	}
	n, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func TestFilter(t *testing.T) {
	rules, err := dockerRules(nil)
	if err != nil {
		t.Fatal(err)
	}
	program, err := compile(append(rules, socketRules()...))
	if err != nil {
		t.Fatal(err)
	}
	const otherArch = unix.AUDIT_ARCH_I386
	tests := []struct {
		name   string
		arch   uint32
		number uint32
		args   []uint64
		want   uint32
	}{
		{"read", nativeArch, unix.SYS_READ, nil, retAllow},
		{"execve", nativeArch, unix.SYS_EXECVE, nil, retAllow},
		{"thread", nativeArch, unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_THREAD}, retAllow},
		{"clone into user namespace", nativeArch, unix.SYS_CLONE, []uint64{unix.CLONE_NEWUSER}, retPerm},
		{"clone3", nativeArch, unix.SYS_CLONE3, nil, retNoSys},
		{"mount", nativeArch, unix.SYS_MOUNT, nil, retPerm},
		{"ptrace", nativeArch, unix.SYS_PTRACE, nil, retPerm},
		{"unix socket", nativeArch, unix.SYS_SOCKET, []uint64{unix.AF_UNIX}, retAllow},
		{"inet6 socket", nativeArch, unix.SYS_SOCKET, []uint64{unix.AF_INET6}, retAllow},
		{"routes", nativeArch, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, 3, unix.NETLINK_ROUTE}, retAllow},
		{"netfilter", nativeArch, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, 3, unix.NETLINK_NETFILTER}, unix.SECCOMP_RET_ERRNO | uint32(unix.EPROTONOSUPPORT)},
		{"audit", nativeArch, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, 3, unix.NETLINK_AUDIT}, unix.SECCOMP_RET_ERRNO | uint32(unix.EPROTONOSUPPORT)},
		{"vsock", nativeArch, unix.SYS_SOCKET, []uint64{unix.AF_VSOCK}, retPerm},
		// 38 is also setitimer: the family must not be taken for a call.
		{"AF_ALG", nativeArch, unix.SYS_SOCKET, []uint64{unix.AF_ALG}, retPerm},
		{"high half of an argument", nativeArch, unix.SYS_SOCKET, []uint64{1<<32 | unix.AF_UNIX}, retPerm},
		{"personality of Linux", nativeArch, unix.SYS_PERSONALITY, []uint64{0}, retAllow},
		{"personality of another system", nativeArch, unix.SYS_PERSONALITY, []uint64{0x0400000}, retPerm},
		{"number beyond the table", nativeArch, 9999, nil, retPerm},
		{"x32", nativeArch, x32Bit | unix.SYS_READ, nil, retNoSys},
		{"another architecture", otherArch, unix.SYS_READ, nil, retNoSys},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := verdict(t, program, tt.arch, tt.number, tt.args...); got != tt.want {
				t.Errorf("verdict = %#x, want %#x", got, tt.want)
			}
		})
	}
}
