package pid1

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/snapshot"
)

// template is what the first process has to do with one.
type template struct {
	file    *os.File // nil: nothing
	control *os.File // this end of a program that is about to be kept
	report  *ipc.Template
}

// openLastPID must be called while /proc/sys is writable.
func openLastPID() *os.File {
	f, _ := os.OpenFile("/proc/sys/kernel/ns_last_pid", os.O_WRONLY, 0) // nil: there are no templates then
	return f
}

// splitTemplate takes the template's file from the descriptors of a setup.
func (p *process) splitTemplate(files []*os.File) []*os.File {
	if p.setup.Template == nil || len(files) == 0 {
		return files
	}
	p.template.file = files[len(files)-1]
	return files[:len(files)-1]
}

// startProgram starts the program: from a template, where there is one and it can
// be, or as any other.
func (p *process) startProgram() (int, error) {
	t := p.setup.Template
	switch {
	case p.template.file == nil:
		return p.startApp()
	case t.Keep:
		return p.startKept()
	}
	defer func() { _ = p.template.file.Close() }()
	p.template.report = &ipc.Template{Key: t.Key, Used: true}
	pid, err := p.restore()
	if err == nil {
		return pid, nil
	}
	p.template.report.Used, p.template.report.Problem = false, err.Error()
	return p.startApp()
}

// programFD is where a program that is to be kept finds the code that stops it.
const programFD = snapshot.ControlFD + 1

// startKept starts the program as one that stops before its first socket.
func (p *process) startKept() (int, error) {
	if !snapshot.Supported || p.lastPID == nil {
		p.template.report = &ipc.Template{Problem: "this kernel or machine cannot keep programs (Linux with CONFIG_CHECKPOINT_RESTORE on amd64 can)"}
		return p.startNothing()
	}
	e, err := p.command()
	if err != nil {
		p.template.report = &ipc.Template{Problem: err.Error()}
		return p.startNothing()
	}
	code, err := codeFile()
	if err != nil {
		return 0, err
	}
	defer func() { _ = code.Close() }()
	ours, theirs, err := controlPair()
	if err != nil {
		return 0, err
	}
	defer func() { _ = theirs.Close() }()
	p.template.control = ours
	kind := "script"
	if e.module {
		kind = "module"
	}
	proc := &p.doc.Process
	proc.Args = append([]string{e.interpreter}, e.flags...)
	proc.Args = append(proc.Args, fmt.Sprintf("/proc/self/fd/%d", programFD), strconv.Itoa(snapshot.ControlFD), kind, e.target)
	proc.Args = append(proc.Args, e.args...)
	proc.Env = append(proc.Env, e.env...)
	p.extraFiles = []*os.File{theirs, code}
	return p.startApp()
}

// startNothing stands for a program that cannot be kept.
func (p *process) startNothing() (int, error) { return 0, nil }

func (p *process) command() (*pythonStart, error) {
	return readCommand(p.doc.Process.Args, p.doc.Process.Env, p.lookProgram)
}

// codeFile is the code that stops a Python program, as a file in memory.
func codeFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("template", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "template")
	if _, err := f.Write(snapshot.Python); err != nil {
		return nil, errors.Join(fmt.Errorf("write file: %w", err), f.Close())
	}
	return f, nil
}

// controlPair is how this process and a program talk; ours has deadlines.
func controlPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "program"), nil
}

// keep waits until the program has come to its point, keeps it, and says what
// came of it. The sandbox ends with it.
func (p *process) keep() int {
	report := p.template.report
	if report == nil {
		report = &ipc.Template{}
		bytes, err := p.keepMemory()
		if report.Bytes = bytes; err != nil {
			report.Problem = err.Error()
		}
	}
	_ = p.conn.Send(&ipc.Message{Verb: ipc.Kept, Template: report})
	_ = p.conn.Send(&ipc.Message{Verb: ipc.Exited, Exit: &ipc.ExitInfo{}})
	return 0
}

func (p *process) keepMemory() (int64, error) {
	line, err := bufio.NewReader(p.template.control).ReadString('\n')
	if err != nil {
		return 0, snapshot.Refusal("it ended before it opened a socket")
	}
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	if verb == "refused" {
		return 0, snapshot.Refusal(rest)
	}
	pid, err := strconv.Atoi(rest)
	if err != nil || verb != "ready" || pid <= 1 || pid >= firstPID {
		return 0, snapshot.Refusal("it said what is not understood")
	}
	if err := snapshot.CheckSandbox([]int{pid, p.app}, "/tmp", "/dev/shm"); err != nil {
		return 0, err
	}
	h, err := snapshot.Take(pid, p.template.file)
	if err != nil {
		return 0, err
	}
	return h.Bytes, nil
}

// Programs that go on have process ids that no program has had that is kept:
// libraries tell by them that their random numbers must be renewed.
const (
	firstPID = 1000
	pidRange = 20000
)

// restoredTimeout is how long a program may take from where it was kept until it
// reports; a hundred times what it needs.
const restoredTimeout = 2 * time.Second

// restore starts a process from the template and returns the process id of the
// program.
func (p *process) restore() (pid int, err error) {
	if !snapshot.Supported || p.lastPID == nil {
		return 0, errors.New("this kernel or machine has no templates")
	}
	e, err := p.command()
	if err != nil {
		return 0, err
	}
	if err := setRlimits(p.doc.Process.Rlimits, p.setup.NProc); err != nil {
		return 0, err
	}
	ours, theirs, err := controlPair()
	if err != nil {
		return 0, err
	}
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	carrier, err := p.restoreProcess(theirs)
	if err != nil {
		return 0, err
	}
	pid, err = goOn(ours, append(p.doc.Process.Env, e.env...))
	if err != nil {
		_ = syscall.Kill(-1, syscall.SIGKILL)
		_, _ = syscall.Wait4(carrier, nil, syscall.WALL, nil)
		return 0, err
	}
	_ = unix.Close(stdoutFD)
	_ = unix.Close(stderrFD)
	return pid, nil
}

// restoreProcess runs on a thread that has given everything away but the filter,
// which the new process gets before it has anything else.
func (p *process) restoreProcess(control *os.File) (pid int, err error) {
	keep, err := kept(p.doc.Process.Capabilities.Bounding)
	if err != nil {
		return 0, err
	}
	null, err := os.Open("/dev/null")
	if err != nil {
		return 0, fmt.Errorf("open standard input: %w", err)
	}
	defer func() { _ = null.Close() }()
	next := strconv.Itoa(firstPID + rand.N(pidRange))
	if _, err := p.lastPID.WriteAt([]byte(next), 0); err != nil {
		return 0, fmt.Errorf("choose process id: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends here
		if err = dropRights(keep); err != nil {
			return
		}
		std := [3]uintptr{null.Fd(), stdoutFD, stderrFD}
		pid, err = snapshot.Restore(p.template.file, control, std, p.filter, p.spawnTraced)
	}()
	<-done
	return pid, err
}

func (p *process) spawnTraced(exe string, files []uintptr) (int, error) {
	attr := p.attributes()
	attr.Ptrace = true
	return syscall.ForkExec(exe, []string{exe}, &syscall.ProcAttr{Dir: "/", Files: files, Sys: attr})
}

// goOn tells a restored process its environment and returns the process id of
// the program, which is its child.
func goOn(control *os.File, env []string) (int, error) {
	vars := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		vars[name] = value
	}
	told, err := json.Marshal(map[string]any{"env": vars})
	if err != nil {
		return 0, fmt.Errorf("encode environment: %w", err)
	}
	if err := control.SetDeadline(time.Now().Add(restoredTimeout)); err != nil {
		return 0, err
	}
	if _, err := control.Write(append(told, '\n')); err != nil {
		return 0, fmt.Errorf("tell environment: %w", err)
	}
	line, err := bufio.NewReader(control).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the restored program did not go on: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("the restored program said %q", line)
	}
	return pid, nil
}
