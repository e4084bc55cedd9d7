package snapshot

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported says whether this machine's kind has snapshots.
const Supported = true

// player makes the calls of a script, whose table is at rbx: each is eight words,
// number, six arguments and the result that it must have (negative: any). It
// stops (int3) at the end, which the number -1 marks, or at the first that fails.
//
//	1: mov rax,[rbx]; cmp rax,-1; je 3f
//	   mov rdi,[rbx+8]; mov rsi,[rbx+16]; mov rdx,[rbx+24]
//	   mov r10,[rbx+32]; mov r8,[rbx+40]; mov r9,[rbx+48]
//	   syscall
//	   mov rcx,[rbx+56]; test rcx,rcx; js 2f; cmp rax,rcx; jne 3f
//	2: add rbx,64; jmp 1b
//	3: int3
var player = []byte{
	0x48, 0x8b, 0x03, 0x48, 0x83, 0xf8, 0xff, 0x74, 0x2e, 0x48, 0x8b, 0x7b,
	0x08, 0x48, 0x8b, 0x73, 0x10, 0x48, 0x8b, 0x53, 0x18, 0x4c, 0x8b, 0x53,
	0x20, 0x4c, 0x8b, 0x43, 0x28, 0x4c, 0x8b, 0x4b, 0x30, 0x0f, 0x05, 0x48,
	0x8b, 0x4b, 0x38, 0x48, 0x85, 0xc9, 0x78, 0x05, 0x48, 0x39, 0xc8, 0x75,
	0x06, 0x48, 0x83, 0xc3, 0x40, 0xeb, 0xc9, 0xcc,
}

// syscallInstruction is what a process enters the kernel with.
var syscallInstruction = []byte{0x0f, 0x05}

// tracee is a process that is stopped under this thread's control (ptrace(2)):
// all methods belong on the thread that attached.
type tracee struct{ pid int }

// seize stops a running process.
func seize(pid int) (*tracee, error) {
	if err := ptrace(unix.PTRACE_SEIZE, pid, 0, 0); err != nil {
		return nil, fmt.Errorf("attach to process: %w", err)
	}
	t := &tracee{pid}
	return t, t.interrupt()
}

func (t *tracee) interrupt() error {
	if err := ptrace(unix.PTRACE_INTERRUPT, t.pid, 0, 0); err != nil {
		return fmt.Errorf("stop process: %w", err)
	}
	return t.wait()
}

// waitsIn lets a process run on until it waits in a call with this first argument,
// and returns its registers there; a process that does not come there in time is
// refused.
func (t *tracee) waitsIn(number, first uint64, limit time.Duration) (r syscall.PtraceRegs, err error) {
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		if r, err = t.regs(); err != nil {
			return r, fmt.Errorf("read registers: %w", err)
		}
		if r.Orig_rax == number && r.Rdi == first {
			return r, nil
		}
		if time.Now().After(deadline) {
			return r, refuse("it does not wait where it said")
		}
		if err := ptrace(unix.PTRACE_CONT, t.pid, 0, 0); err != nil {
			return r, fmt.Errorf("let process go on: %w", err)
		}
		time.Sleep(time.Millisecond)
		if err := t.interrupt(); err != nil {
			return r, err
		}
	}
}

// wait waits until the process has stopped.
func (t *tracee) wait() error {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(t.pid, &status, syscall.WALL, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for process: %w", err)
		}
		if status.Stopped() {
			return nil
		}
		if status.Exited() || status.Signaled() {
			return errors.New("the process ended")
		}
	}
}

func (t *tracee) regs() (r syscall.PtraceRegs, err error) {
	err = syscall.PtraceGetRegs(t.pid, &r)
	return r, err
}

// setRegs sets registers of a process that is in no system call.
func (t *tracee) setRegs(r syscall.PtraceRegs) error {
	r.Orig_rax = anything
	return syscall.PtraceSetRegs(t.pid, &r)
}

// call makes a system call with an instruction that the process has at an
// address.
func (t *tracee) call(instruction, number uint64, args ...uint64) (uint64, error) {
	before, err := t.regs()
	if err != nil {
		return 0, err
	}
	var a [6]uint64
	copy(a[:], args)
	r := before
	r.Rip, r.Rax = instruction, number
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = a[0], a[1], a[2], a[3], a[4], a[5]
	if err := t.setRegs(r); err != nil {
		return 0, err
	}
	if err := ptrace(unix.PTRACE_SINGLESTEP, t.pid, 0, 0); err != nil {
		return 0, err
	}
	if err := t.wait(); err != nil {
		return 0, err
	}
	after, err := t.regs()
	if err != nil {
		return 0, err
	}
	if errno := -int64(after.Rax); errno > 0 && errno < 4096 {
		return 0, syscall.Errno(errno)
	}
	return after.Rax, t.setRegs(before)
}

// play runs the player over the table at an address and returns how many calls
// it made, and the result of the last.
func (t *tracee) play(table uint64) (n int, last uint64, err error) {
	r, err := t.regs()
	if err != nil {
		return 0, 0, err
	}
	r.Rip, r.Rbx = playerAt, table
	if err := t.setRegs(r); err != nil {
		return 0, 0, err
	}
	if err := ptrace(unix.PTRACE_CONT, t.pid, 0, 0); err != nil {
		return 0, 0, err
	}
	if err := t.wait(); err != nil {
		return 0, 0, err
	}
	if r, err = t.regs(); err != nil {
		return 0, 0, err
	}
	if r.Rip != playerAt+uint64(len(player)) {
		return 0, 0, fmt.Errorf("stopped at %#x", r.Rip)
	}
	return int((r.Rbx - table) / callSize), r.Rax, nil
}

// ntXState is NT_X86_XSTATE of elf.h.
const ntXState = 0x202

func (t *tracee) xstate() ([]byte, error) {
	buf := make([]byte, 16<<10)
	v := unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
	err := ptrace(unix.PTRACE_GETREGSET, t.pid, ntXState, uintptr(unsafe.Pointer(&v)))
	return buf[:v.Len], err
}

func (t *tracee) setXState(state []byte) error {
	if len(state) == 0 {
		return nil
	}
	v := unix.Iovec{Base: &state[0], Len: uint64(len(state))}
	return ptrace(unix.PTRACE_SETREGSET, t.pid, ntXState, uintptr(unsafe.Pointer(&v)))
}

func (t *tracee) blocked() (mask uint64, err error) {
	err = ptrace(unix.PTRACE_GETSIGMASK, t.pid, 8, uintptr(unsafe.Pointer(&mask)))
	return mask, err
}

func (t *tracee) setBlocked(mask uint64) error {
	return ptrace(unix.PTRACE_SETSIGMASK, t.pid, 8, uintptr(unsafe.Pointer(&mask)))
}

// rseqConfig is struct ptrace_rseq_configuration.
type rseqConfig struct {
	Pointer          uint64
	Size, Sig        uint32
	Flags, Reserved_ uint32
}

func (t *tracee) rseq() (c rseqConfig, err error) {
	err = ptrace(unix.PTRACE_GET_RSEQ_CONFIGURATION, t.pid, unsafe.Sizeof(c), uintptr(unsafe.Pointer(&c)))
	return c, err
}

func (t *tracee) detach() error { return ptrace(unix.PTRACE_DETACH, t.pid, 0, 0) }

func ptrace(request, pid int, addr, data uintptr) error {
	_, _, errno := syscall.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), addr, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
