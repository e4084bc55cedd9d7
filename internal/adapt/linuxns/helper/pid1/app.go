package pid1

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// prepareThread makes a thread that has already given everything away that
// threads own for themselves: bounding set, no_new_privs, the system call filter.
// A child inherits them from the thread that forks it, so no second helper has to
// be executed in between.
func (p *process) prepareThread() error {
	filter, err := readFilter(p.setup.Kind.Seccomp)
	if err != nil {
		return err
	}
	keep, err := kept(p.setup.Kind.Capabilities())
	if err != nil {
		return err
	}
	p.filter = filter
	image := p.setup.Kind.Image
	p.forks = make(chan func())
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, as nothing
		// else may run on it.
		runtime.LockOSThread()
		var err error
		if image {
			err = ownCgroupView()
		}
		if err == nil {
			err = dropThread(filter, keep)
		}
		done <- err
		if err == nil {
			(<-p.forks)()
		}
	}()
	return <-done
}

// startApp starts the program from the thread that is prepared for it.
func (p *process) startApp() (pid int, err error) {
	path, err := p.lookPath()
	if err != nil {
		return 0, err
	}
	if err := setRlimits(p.doc.Process.Rlimits, p.setup.NProc); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	p.forks <- func() {
		defer close(done)
		pid, err = p.fork(path)
	}
	<-done
	return pid, err
}

func (p *process) fork(path string) (int, error) {
	proc := p.doc.Process
	null, err := os.Open("/dev/null")
	if err != nil {
		return 0, fmt.Errorf("open standard input: %w", err)
	}
	defer func() { _ = null.Close() }()
	files := []uintptr{null.Fd(), stdoutFD, stderrFD}
	for _, f := range p.extraFiles {
		files = append(files, f.Fd())
	}
	pid, err := syscall.ForkExec(path, proc.Args, &syscall.ProcAttr{
		Dir: proc.Cwd, Env: proc.Env, Files: files, Sys: p.attributes(),
	})
	if err != nil {
		return 0, explainStart(path, proc.Cwd, proc.User.UID, err)
	}
	// The program has its own copies: the pipes must end with it.
	_ = unix.Close(stdoutFD)
	_ = unix.Close(stderrFD)
	return pid, nil
}

// attributes are those of the program's process.
func (p *process) attributes() *syscall.SysProcAttr {
	user := p.doc.Process.User
	return &syscall.SysProcAttr{
		Setsid: true,
		Credential: &syscall.Credential{
			Uid: uint32(user.UID), Gid: uint32(user.GID), Groups: p.extra, NoSetGroups: !p.setup.Groups,
		},
	}
}

func envOf(env []string, name string) string {
	value := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// dropThread takes from the calling thread what the program must not have.
func dropThread(filter []byte, keep map[uintptr]bool) error {
	if err := dropRights(keep); err != nil {
		return err
	}
	return loadFilter(filter)
}

// dropRights takes everything but system calls. Of the capabilities in keep, one
// that is root inside gets all by exec.
func dropRights(keep map[uintptr]bool) error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if keep[c] {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("drop capability %d from bounding set: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	if err := clearInheritable(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

// readFilter reads a system call filter, base64 of struct sock_filter[].
func readFilter(text string) ([]byte, error) {
	filter, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(filter) == 0 || len(filter)%8 != 0 {
		return nil, errors.New("read system call filter: not a program")
	}
	return filter, nil
}

// loadFilter puts the filter in force for the calling thread.
func loadFilter(filter []byte) error {
	prog := unix.SockFprog{
		Len:    uint16(len(filter) / 8),
		Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0])),
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return fmt.Errorf("load system call filter: %w", errno)
	}
	return nil
}

func clearInheritable() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("clear inheritable capabilities: %w", err)
	}
	return nil
}

var rlimits = map[string]int{
	"RLIMIT_NOFILE": unix.RLIMIT_NOFILE,
	"RLIMIT_CORE":   unix.RLIMIT_CORE,
	"RLIMIT_FSIZE":  unix.RLIMIT_FSIZE,
}

// setRlimits lowers limits; it never asks for more than this process has.
func setRlimits(limits []ipc.Rlimit, nproc int) error {
	for _, l := range limits {
		resource, ok := rlimits[l.Type]
		if !ok {
			return ipc.Errorf(ipc.InvalidArgument, "rlimit %s is not supported", l.Type)
		}
		if err := lower(resource, l.Soft, l.Hard); err != nil {
			return fmt.Errorf("set %s: %w", l.Type, err)
		}
	}
	if nproc > 0 {
		return lower(unix.RLIMIT_NPROC, uint64(nproc), uint64(nproc))
	}
	return nil
}

func lower(resource int, soft, hard uint64) error {
	var have unix.Rlimit
	if err := unix.Getrlimit(resource, &have); err != nil {
		return err
	}
	hard = min(hard, have.Max)
	return syscall.Setrlimit(resource, &syscall.Rlimit{Cur: min(soft, hard), Max: hard})
}
