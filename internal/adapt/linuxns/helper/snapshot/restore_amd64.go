package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// The descriptors of a new process before it goes on.
const (
	snapshotFD  = ControlFD + 1
	firstFileFD = snapshotFD + 1
	maxFiles    = 4096
)

// lockThread keeps the goroutine on its thread, which is the tracer.
func lockThread() func() {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

// Spawn starts the program that a snapshot is of with these files as its
// descriptors, traced (PTRACE_TRACEME) and on the calling thread.
type Spawn func(exe string, files []uintptr) (pid int, err error)

// Restore starts a process and puts the snapshot into its place. filter is the
// system call filter, as struct sock_filter[]: it is in force before anything of
// the snapshot is there. The process then makes its read of ControlFD, which is
// control. On an error nothing is left of it.
//
// It must be called on a thread of its own, locked, which may make any call.
func Restore(file, control *os.File, std [3]uintptr, filter []byte, spawn Spawn) (pid int, err error) {
	h, err := ReadHeader(file)
	if err != nil {
		return 0, err
	}
	opened, err := openFiles(h.Files)
	defer closeAll(opened)
	if err != nil {
		return 0, err
	}
	fds := append(std[:], control.Fd(), file.Fd())
	for _, f := range opened {
		fds = append(fds, uintptr(f))
	}
	pid, err = spawn(h.Exe, fds)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", h.Exe, err)
	}
	t := &tracee{pid}
	if err = t.wait(); err == nil {
		err = (&restorer{t: t, h: h, filter: filter}).do()
	}
	if err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(pid, nil, syscall.WALL, nil)
		return 0, err
	}
	return pid, nil
}

// statFile says which file is at a path.
func statFile(path string) (File, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return File{}, fmt.Errorf("look at %s: %w", path, err)
	}
	return fileOf(path, &st), nil
}

func fileOf(path string, st *unix.Stat_t) File {
	return File{Path: path, Dev: st.Dev, Ino: st.Ino, Size: st.Size, Mtime: st.Mtim.Nano()}
}

// openFiles opens the files that memory is mapped from, and refuses others that
// have taken their place.
func openFiles(files []File) ([]int, error) {
	var fds []int
	for _, want := range files {
		fd, err := unix.Open(want.Path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
		if err != nil {
			return fds, fmt.Errorf("open %s: %w", want.Path, err)
		}
		fds = append(fds, fd)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return fds, fmt.Errorf("look at %s: %w", want.Path, err)
		}
		if fileOf(want.Path, &st) != want {
			return fds, fmt.Errorf("%s has changed", want.Path)
		}
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// restorer turns a process that has just been executed into that of a snapshot.
type restorer struct {
	t      *tracee
	h      *Header
	filter []byte
	mem    *os.File
	areas  []area // what the process has
}

func (r *restorer) do() (err error) {
	if r.mem, err = os.OpenFile(fmt.Sprintf("/proc/%d/mem", r.t.pid), os.O_RDWR, 0); err != nil {
		return fmt.Errorf("write memory: %w", err)
	}
	defer func() { _ = r.mem.Close() }()
	if r.areas, err = readAreas(fmt.Sprintf("/proc/%d/maps", r.t.pid)); err != nil {
		return err
	}
	for _, step := range []func() error{r.settle, r.clear, r.story, r.leave} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// settle brings the player and the script into the process.
func (r *restorer) settle() error {
	regs, err := r.t.regs()
	if err != nil {
		return fmt.Errorf("read registers: %w", err)
	}
	at := regs.Rip // the loader's first instruction, which is never to be made
	if _, err := r.mem.WriteAt(syscallInstruction, int64(at)); err != nil {
		return fmt.Errorf("write memory: %w", err)
	}
	const fixed = unix.MAP_PRIVATE | unix.MAP_FIXED_NOREPLACE
	_, err = r.t.call(at, unix.SYS_MMAP, playerAt, playerSize, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, fixed|unix.MAP_ANONYMOUS, anything, 0)
	if err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	_, err = r.t.call(at, unix.SYS_MMAP, storyAt, uint64(r.h.Script), unix.PROT_READ, fixed, snapshotFD, scriptAt)
	if err != nil {
		return fmt.Errorf("map script: %w", err)
	}
	_, err = r.mem.WriteAt(player, playerAt)
	return err
}

// clear loads the filter, takes away what the process was executed with and moves
// the kernel's own mappings to where the program has them.
func (r *restorer) clear() error {
	var s script
	if len(r.filter) > 0 {
		prog := struct {
			len uint64 // of type unsigned short, and padding
			at  uint64
		}{uint64(len(r.filter) / 8), playerData + s.keep(r.filter)}
		s.add(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, playerData+s.keep(bytesOf(&prog)))
	}
	moves := r.h.Kernel
	for _, a := range r.areas {
		switch {
		case a.name == "[vsyscall]":
		case !a.isKernels():
			s.add(unix.SYS_MUNMAP, a.start, a.end-a.start)
		case len(moves) == 0 || moves[0].Name != a.name || moves[0].End-moves[0].Start != a.end-a.start:
			return errors.New("the kernel's own memory is not as it was")
		default:
			to := moves[0].Start
			moves = moves[1:]
			if to != a.start {
				s.want(to, unix.SYS_MREMAP, a.start, a.end-a.start, a.end-a.start, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, to)
			}
		}
	}
	if len(moves) > 0 {
		return errors.New("the kernel's own memory is not as it was")
	}
	if _, err := r.mem.WriteAt(s.data, playerData); err != nil {
		return fmt.Errorf("write memory: %w", err)
	}
	if _, err := r.mem.WriteAt(s.table(), playerCalls); err != nil {
		return fmt.Errorf("write memory: %w", err)
	}
	return r.play(playerCalls, len(s.calls))
}

func (r *restorer) play(table uint64, calls int) error {
	n, last, err := r.t.play(table)
	if err != nil {
		return fmt.Errorf("play script: %w", err)
	}
	var entry [callSize]byte
	if _, err := r.mem.ReadAt(entry[:], int64(table)+int64(n)*callSize); err != nil {
		return fmt.Errorf("play script: %w", err)
	}
	if number := binary.NativeEndian.Uint64(entry[:]); number != anything {
		return fmt.Errorf("play script: system call %d (step %d) returned %d: %v", number, n, int64(last), syscall.Errno(-int64(last)))
	}
	if calls >= 0 && n != calls {
		return fmt.Errorf("play script: %d of %d calls", n, calls)
	}
	return nil
}

// story makes the calls of the snapshot.
func (r *restorer) story() error { return r.play(storyAt, -1) }

// leave takes player and script away, sets the registers and lets go.
func (r *restorer) leave() error {
	var regs syscall.PtraceRegs
	raw := bytesOf(&regs)
	if len(r.h.Regs)*8 != len(raw) {
		return errors.New("registers are of another kind")
	}
	for i, w := range r.h.Regs {
		binary.NativeEndian.PutUint64(raw[8*i:], w)
	}
	if err := r.t.setRegs(regs); err != nil {
		return fmt.Errorf("set registers: %w", err)
	}
	for _, m := range []Mapping{{Start: playerAt, End: playerAt + playerSize}, {Start: storyAt, End: storyAt + uint64(r.h.Script)}} {
		if _, err := r.t.call(r.h.Return, unix.SYS_MUNMAP, m.Start, m.End-m.Start); err != nil {
			return fmt.Errorf("tidy up: %w", err)
		}
	}
	if err := r.t.setXState(r.h.XState); err != nil {
		return fmt.Errorf("set vector registers: %w", err)
	}
	if err := r.t.setBlocked(r.h.Blocked); err != nil {
		return fmt.Errorf("set signal mask: %w", err)
	}
	return r.t.detach()
}
