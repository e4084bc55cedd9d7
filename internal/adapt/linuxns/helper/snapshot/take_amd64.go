package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Take keeps a process that waits in a read of ControlFD. It must be this
// process's to trace, and is of no use afterwards: the caller ends it. The file
// must be empty.
func Take(pid int, file *os.File) (*Header, error) {
	defer lockThread()()
	t, err := seize(pid)
	if err != nil {
		return nil, err
	}
	k := &keeper{pid: pid, t: t, file: file, header: &Header{}, next: areasAt}
	steps := []func() error{k.openProc, k.registers, func() error { return check(pid) }, k.memory, k.kernelState, k.where}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return k.header, k.finish()
}

// waitLimit is how long a process may take from its word to its wait.
const waitLimit = time.Second

// keeper writes one snapshot.
type keeper struct {
	pid    int
	t      *tracee
	file   *os.File
	header *Header
	script script
	next   int64 // where the next area goes in the file

	mem, pagemap *os.File
	buf          []byte
	brk          uint64
}

func (k *keeper) proc(name string) string { return fmt.Sprintf("/proc/%d/%s", k.pid, name) }

func (k *keeper) openProc() (err error) {
	if k.mem, err = os.Open(k.proc("mem")); err != nil {
		return fmt.Errorf("read memory: %w", err)
	}
	if k.pagemap, err = os.Open(k.proc("pagemap")); err != nil {
		return fmt.Errorf("read page map: %w", err)
	}
	if k.header.Exe, err = os.Readlink(k.proc("exe")); err != nil {
		return fmt.Errorf("find program: %w", err)
	}
	return nil
}

// registers are kept so that the read is made once more.
func (k *keeper) registers() error {
	r, err := k.t.waitsIn(unix.SYS_READ, ControlFD, waitLimit)
	if err != nil {
		return err
	}
	instruction := make([]byte, len(syscallInstruction))
	if _, err := k.mem.ReadAt(instruction, int64(r.Rip-2)); err != nil {
		return fmt.Errorf("read memory: %w", err)
	}
	if !bytes.Equal(instruction, syscallInstruction) {
		return refuse("it waits in code that is not understood")
	}
	r.Rip, r.Rax = r.Rip-2, r.Orig_rax
	h := k.header
	h.Return = r.Rip
	h.Regs = regWords(&r)
	if h.XState, err = k.t.xstate(); err != nil {
		return fmt.Errorf("read vector registers: %w", err)
	}
	if h.Blocked, err = k.t.blocked(); err != nil {
		return fmt.Errorf("read signal mask: %w", err)
	}
	return nil
}

func regWords(r *syscall.PtraceRegs) []uint64 {
	raw := bytesOf(r)
	words := make([]uint64, len(raw)/8)
	for i := range words {
		words[i] = binary.NativeEndian.Uint64(raw[8*i:])
	}
	return words
}

// memory writes what is the process's own and says how all of it is mapped.
func (k *keeper) memory() error {
	areas, err := readAreas(k.proc("smaps"))
	if err != nil {
		return err
	}
	for _, a := range areas {
		if a.name == "[vsyscall]" {
			continue
		}
		if a.start < storyAt+(64<<20) && a.end > playerAt {
			return refuse("its memory is where the restored process needs room (%x)", a.start)
		}
		if err := a.check(); err != nil {
			return err
		}
		if err := k.area(a); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) area(a area) error {
	if a.isKernels() {
		k.header.Kernel = append(k.header.Kernel, Mapping{a.name, a.start, a.end})
		return nil
	}
	if a.name == "[heap]" {
		k.brk = a.end
	}
	base := k.next
	k.next += int64(a.end-a.start) + areaGap
	size, fixed := a.end-a.start, uint64(unix.MAP_PRIVATE|unix.MAP_FIXED)
	if a.shared { // a file that it only reads
		fixed = unix.MAP_SHARED | unix.MAP_FIXED
	}
	switch {
	case a.name == "[stack]":
		flags := fixed | unix.MAP_ANONYMOUS | unix.MAP_GROWSDOWN | unix.MAP_STACK
		k.script.want(a.start, unix.SYS_MMAP, a.start, size, uint64(a.prot), flags, anything, 0)
	case a.isAnonymous():
		k.script.want(a.start, unix.SYS_MMAP, a.start, size, uint64(a.prot), fixed|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, anything, 0)
	default:
		fd, err := k.mapped(a.name)
		if err != nil {
			return err
		}
		k.script.want(a.start, unix.SYS_MMAP, a.start, size, uint64(a.prot), fixed, fd, a.offset)
	}
	if a.has("wf") { // empty in a copy, by the program's own wish
		k.script.add(unix.SYS_MADVISE, a.start, size, unix.MADV_WIPEONFORK)
		return nil
	}
	if a.shared {
		return nil
	}
	runs, err := runsOf(a, k.pagemap)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if err := k.run(a, r, base+int64(r.start-a.start)); err != nil {
			return err
		}
	}
	return nil
}

// run writes pages and has them mapped, or, where the area must stay one that
// grows, read.
func (k *keeper) run(a area, r run, at int64) error {
	size := r.end - r.start
	k.header.Bytes += int64(size)
	if err := k.copy(r, at); err != nil {
		return err
	}
	if a.name == "[stack]" {
		k.script.want(size, unix.SYS_PREAD64, snapshotFD, r.start, size, uint64(at))
		return nil
	}
	k.script.want(r.start, unix.SYS_MMAP, r.start, size, uint64(a.prot), unix.MAP_PRIVATE|unix.MAP_FIXED, snapshotFD, uint64(at))
	return nil
}

// copy writes pages to the file, those of zeros as holes.
func (k *keeper) copy(r run, at int64) error {
	const chunk = 1 << 20
	if k.buf == nil {
		k.buf = make([]byte, chunk)
	}
	for addr := r.start; addr < r.end; {
		buf := k.buf[:min(chunk, r.end-addr)]
		if _, err := k.mem.ReadAt(buf, int64(addr)); err != nil {
			return fmt.Errorf("read memory at %x: %w", addr, err)
		}
		if !isZero(buf) {
			if _, err := k.file.WriteAt(buf, at+int64(addr-r.start)); err != nil {
				return fmt.Errorf("write snapshot: %w", err)
			}
		}
		addr += uint64(len(buf))
	}
	return nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// mapped returns the descriptor that a file will have in the new process.
func (k *keeper) mapped(path string) (uint64, error) {
	n := slices.IndexFunc(k.header.Files, func(f File) bool { return f.Path == path })
	if n < 0 {
		f, err := statFile(path)
		if err != nil {
			return 0, err
		}
		n = len(k.header.Files)
		k.header.Files = append(k.header.Files, f)
	}
	return uint64(firstFileFD + n), nil
}

// kernelState has the calls made that put the kernel into the state that it was
// in for the process.
func (k *keeper) kernelState() error {
	s, at := &k.script, k.header.Return
	scratch, err := k.t.call(at, unix.SYS_MMAP, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, anything, 0)
	if err != nil {
		return fmt.Errorf("ask for state: %w", err)
	}
	steps := []func(script *script, scratch uint64) error{k.limits, k.actions, k.altStack, k.robustList, k.threadID, k.restartable, k.intervals}
	for _, step := range steps {
		if err := step(s, scratch); err != nil {
			return err
		}
	}
	return nil
}

// mmMap is struct prctl_mm_map.
type mmMap struct {
	StartCode, EndCode, StartData, EndData, StartBrk, Brk, StartStack uint64
	ArgStart, ArgEnd, EnvStart, EnvEnd, Auxv                          uint64
	AuxvSize, ExeFD                                                   uint32
}

// limits are the places in memory that the kernel knows by name.
func (k *keeper) limits(s *script, _ uint64) error {
	data, err := os.ReadFile(k.proc("stat"))
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	_, rest, ok := strings.Cut(string(data), ") ") // a name may hold anything
	for ok && strings.Contains(rest, ") ") {
		_, rest, _ = strings.Cut(rest, ") ")
	}
	fields := strings.Fields(rest)
	if len(fields) < 50 {
		return errors.New("read state: too few fields")
	}
	field := func(n int) uint64 { // as numbered in proc(5)
		v, _ := strconv.ParseUint(fields[n-3], 10, 64)
		return v
	}
	m := mmMap{
		StartCode: field(26), EndCode: field(27), StartStack: field(28), StartData: field(45), EndData: field(46),
		StartBrk: field(47), ArgStart: field(48), ArgEnd: field(49), EnvStart: field(50), EnvEnd: field(51),
		ExeFD: ^uint32(0),
	}
	if m.Brk, err = k.t.call(k.header.Return, unix.SYS_BRK, 0); err != nil {
		return fmt.Errorf("ask for state: %w", err)
	}
	s.add(unix.SYS_PRCTL, unix.PR_SET_MM, unix.PR_SET_MM_MAP, storyDataAt+s.keep(bytesOf(&m)), 104)
	return nil
}

// sigactionSize is sizeof(struct kernel_sigaction).
const sigactionSize = 32

func (k *keeper) actions(s *script, scratch uint64) error {
	for sig := uint64(1); sig <= 64; sig++ {
		if sig == uint64(syscall.SIGKILL) || sig == uint64(syscall.SIGSTOP) {
			continue
		}
		action, err := k.ask(scratch, sigactionSize, unix.SYS_RT_SIGACTION, sig, 0, scratch, 8)
		if err != nil {
			return err
		}
		s.add(unix.SYS_RT_SIGACTION, sig, storyDataAt+s.keep(action), 0, 8)
	}
	return nil
}

// ask makes a call that writes to scratch memory and returns what it wrote.
func (k *keeper) ask(scratch uint64, size int, number uint64, args ...uint64) ([]byte, error) {
	if _, err := k.t.call(k.header.Return, number, args...); err != nil {
		return nil, fmt.Errorf("ask for state (call %d): %w", number, err)
	}
	out := make([]byte, size)
	if _, err := k.mem.ReadAt(out, int64(scratch)); err != nil {
		return nil, fmt.Errorf("ask for state: %w", err)
	}
	return out, nil
}

func (k *keeper) altStack(s *script, scratch uint64) error {
	stack, err := k.ask(scratch, 24, unix.SYS_SIGALTSTACK, 0, scratch)
	if err != nil {
		return err
	}
	s.add(unix.SYS_SIGALTSTACK, storyDataAt+s.keep(stack), 0)
	return nil
}

func (k *keeper) robustList(s *script, scratch uint64) error {
	list, err := k.ask(scratch, 16, unix.SYS_GET_ROBUST_LIST, 0, scratch, scratch+8)
	if err != nil {
		return err
	}
	if head := le64(list); head != 0 {
		s.add(unix.SYS_SET_ROBUST_LIST, head, le64(list[8:]))
	}
	return nil
}

func (k *keeper) threadID(s *script, scratch uint64) error {
	out, err := k.ask(scratch, 8, unix.SYS_PRCTL, unix.PR_GET_TID_ADDRESS, scratch)
	if err != nil {
		return err
	}
	if at := le64(out); at != 0 {
		s.want(anything, unix.SYS_SET_TID_ADDRESS, at)
	}
	return nil
}

// restartable is the C library's restartable sequences, which it believes to be
// registered.
func (k *keeper) restartable(s *script, _ uint64) error {
	c, err := k.t.rseq()
	if err != nil {
		return fmt.Errorf("ask for restartable sequences: %w", err)
	}
	if c.Pointer != 0 {
		s.add(unix.SYS_RSEQ, c.Pointer, uint64(c.Size), uint64(c.Flags), uint64(c.Sig))
	}
	return nil
}

// intervals refuses a clock that runs.
func (k *keeper) intervals(_ *script, scratch uint64) error {
	for which := uint64(0); which < 3; which++ {
		value, err := k.ask(scratch, 32, unix.SYS_GETITIMER, which, scratch)
		if err != nil {
			return err
		}
		if !isZero(value) {
			return refuse("it has an alarm")
		}
	}
	return nil
}

// where is the program's place among files, its mask and its name.
func (k *keeper) where() error {
	dir, err := os.Readlink(k.proc("cwd"))
	if err != nil {
		return fmt.Errorf("find directory: %w", err)
	}
	status, err := os.ReadFile(k.proc("status"))
	if err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	mask, err := strconv.ParseUint(statusField(string(status), "Umask"), 8, 32)
	if err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	name, err := os.ReadFile(k.proc("comm"))
	if err != nil {
		return fmt.Errorf("read name: %w", err)
	}
	s := &k.script
	s.add(unix.SYS_CHDIR, storyDataAt+s.text(dir))
	s.want(anything, unix.SYS_UMASK, mask)
	s.add(unix.SYS_PRCTL, unix.PR_SET_NAME, storyDataAt+s.text(strings.TrimSpace(string(name))))
	s.add(unix.SYS_CLOSE_RANGE, ControlFD+1, uint64(^uint32(0)), 0)
	return nil
}

func (k *keeper) finish() error {
	if len(k.script.calls) >= storyCallMax || len(k.header.Files) > maxFiles || k.next > fileMax {
		return refuse("its memory has too many parts (%d of %d files)", len(k.script.calls), len(k.header.Files))
	}
	data := append(k.script.table(), make([]byte, 0)...)
	if _, err := k.file.WriteAt(data, scriptAt); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if _, err := k.file.WriteAt(k.script.data, scriptAt+storyCallMax*callSize); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	k.header.Script = storyCallMax*callSize + len(k.script.data)
	// The last area may grow like the others.
	if err := k.file.Truncate(k.next); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return errors.Join(writeHeader(k.file, k.header), k.mem.Close(), k.pagemap.Close())
}
