package linuxns

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Offsets into struct seccomp_data (linux/seccomp.h), and the classic BPF
// instructions that are needed (linux/bpf_common.h).
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16

	opLoad = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opAnd  = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opEq   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opGt   = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opGe   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opRet  = unix.BPF_RET | unix.BPF_K

	retAllow  = unix.SECCOMP_RET_ALLOW
	retPerm   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retNoSys  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	x32Bit    = 0x40000000 // __X32_SYSCALL_BIT
	maxLength = 4096       // BPF_MAXINSNS
)

// compile makes a filter that allows what the rules allow and refuses the rest
// with EPERM. Other architectures and unknown calls get ENOSYS, as from a
// kernel that does not have them.
func compile(rules []rule) ([]unix.SockFilter, error) {
	p := []unix.SockFilter{
		{Code: opLoad, K: offArch},
		{Code: opEq, K: nativeArch, Jt: 1},
		{Code: opRet, K: retNoSys},
		{Code: opLoad, K: offNumber},
		{Code: opGe, K: x32Bit, Jf: 1},
		{Code: opRet, K: retNoSys},
		{Code: opEq, K: unix.SYS_CLONE3, Jf: 1},
		{Code: opRet, K: retNoSys},
	}
	byNumber := map[uint32][]rule{}
	for _, r := range rules {
		byNumber[r.number] = append(byNumber[r.number], r)
	}
	var free []uint32
	for number, alternatives := range byNumber {
		if slices.ContainsFunc(alternatives, func(r rule) bool { return len(r.args) == 0 }) {
			free = append(free, number)
			delete(byNumber, number)
		}
	}
	p = append(p, allowRanges(free)...)
	for number, alternatives := range byNumber {
		block, err := conditional(number, alternatives)
		if err != nil {
			return nil, err
		}
		p = append(p, block...)
	}
	p = append(p, unix.SockFilter{Code: opRet, K: retPerm})
	if len(p) > maxLength {
		return nil, fmt.Errorf("compile system call filter: %d instructions", len(p))
	}
	return p, nil
}

// allowRanges allows calls whatever their arguments, neighbouring numbers
// together.
func allowRanges(numbers []uint32) []unix.SockFilter {
	slices.Sort(numbers)
	var p []unix.SockFilter
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		p = append(p,
			unix.SockFilter{Code: opGe, K: numbers[i], Jf: 2},
			unix.SockFilter{Code: opGt, K: numbers[j], Jt: 1},
			unix.SockFilter{Code: opRet, K: retAllow})
		i = j + 1
	}
	return p
}

// conditional decides about one call completely: a comparison replaces the
// number in the accumulator, so nothing after it could look at that again.
func conditional(number uint32, alternatives []rule) ([]unix.SockFilter, error) {
	var body []unix.SockFilter
	for _, r := range alternatives {
		block, err := allOf(r)
		if err != nil {
			return nil, err
		}
		body = append(body, block...)
	}
	body = append(body, unix.SockFilter{Code: opRet, K: retPerm})
	if len(body) > 255 {
		return nil, fmt.Errorf("compile system call filter: %d alternatives for call %d", len(alternatives), number)
	}
	head := unix.SockFilter{Code: opEq, K: number, Jf: uint8(len(body))}
	return append([]unix.SockFilter{head}, body...), nil
}

// allOf allows, or refuses, if every condition holds and falls through otherwise.
func allOf(r rule) ([]unix.SockFilter, error) {
	var p []unix.SockFilter
	var fails []int // jumps whose Jf must leave the block
	for _, a := range r.args {
		mask, value := ^uint64(0), a.Value
		switch a.Op {
		case specs.OpEqualTo:
		case specs.OpMaskedEqual:
			mask, value = a.Value, a.ValueTwo
		default:
			return nil, fmt.Errorf("compile system call filter: operator %s is not supported", a.Op)
		}
		for _, half := range []struct{ shift, offset uint32 }{{0, 0}, {32, 4}} {
			p = append(p,
				unix.SockFilter{Code: opLoad, K: offArgs + 8*uint32(a.Index) + half.offset},
				unix.SockFilter{Code: opAnd, K: uint32(mask >> half.shift)},
				unix.SockFilter{Code: opEq, K: uint32(value >> half.shift)})
			fails = append(fails, len(p)-1)
		}
	}
	verdict := uint32(retAllow)
	if r.refuse != 0 {
		verdict = unix.SECCOMP_RET_ERRNO | uint32(r.refuse)
	}
	p = append(p, unix.SockFilter{Code: opRet, K: verdict})
	for _, i := range fails {
		p[i].Jf = uint8(len(p) - i - 1)
	}
	return p, nil
}
