// Package pid1 is the first process of a sandbox: it is born into the new
// namespaces, builds the root and the network from inside, starts the program
// without any privilege, and then reaps, watches the port and obeys the
// launcher. It dies with the launcher, and everything in the sandbox with it.
package pid1

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// The descriptors that the launcher leaves open.
const (
	controlFD = 3
	stdoutFD  = 4
	stderrFD  = 5
)

// spareSockets is how many sockets go with the ready event, so that the first
// connections wait for nobody.
const spareSockets = 8

// Main runs the first process and returns its exit status.
func Main() int {
	conn, err := ipc.NewConn(controlFD)
	if err != nil {
		return 1
	}
	p := &process{conn: conn}
	// The launcher asks for each once this process is in its cgroups.
	for _, step := range []struct {
		verb ipc.Verb
		do   func([]*os.File) error
	}{{ipc.Prepare, p.prepare}, {ipc.Setup, p.start}} {
		m, files, err := conn.Recv()
		if err != nil || m.Verb != step.verb || m.Setup == nil {
			return 1
		}
		p.take(m.Setup)
		if err := step.do(files); err != nil {
			_ = conn.Send(&ipc.Message{Verb: ipc.Failed, Error: asError(err)})
			return 1
		}
	}
	go p.obey()
	if p.setup.Template != nil && p.setup.Template.Keep {
		return p.keep()
	}
	go p.watch()
	return p.reap()
}

// take notes what the launcher has said; the document comes with the program.
func (p *process) take(setup *ipc.SetupInfo) {
	p.setup, p.doc = *setup, setup.Document
	if p.doc != nil && !p.setup.Groups { // there is one user only: what belongs to the program's is its
		p.doc.Process.User.UID, p.doc.Process.User.GID = os.Getuid(), os.Getgid()
	}
}

// suspendTimeout is how long processes may take to notice a SIGSTOP.
const suspendTimeout = 2 * time.Second

type process struct {
	conn   *ipc.Conn
	setup  ipc.SetupInfo
	doc    *ipc.Document
	root   *root       // what has been prepared of it
	forks  chan func() // runs on the thread that the program is forked from
	app    int         // pid of the program
	extra  []uint32    // supplementary groups of the program
	tcp    *os.File    // the socket tables, opened before hidepid matters
	tcp6   *os.File
	stages []ipc.Stage

	filter     []byte   // system calls that the program may make
	lastPID    *os.File // where the kernel is told which process id comes next
	template   template
	extraFiles []*os.File // of the program, besides its standard ones
}

func (p *process) mark(name string) { p.stages = append(p.stages, ipc.Mark(name)) }

// prepare does everything that can be done before the program is known, which
// may be long after: network, what every root has, and the thread that gives
// the program's privileges away.
func (p *process) prepare(files []*os.File) error {
	ipc.CloseAll(files)
	unix.Umask(0o022)
	catchSignals()
	if err := unix.CloseRange(controlFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close descriptors on exec: %w", err)
	}
	p.lastPID = openLastPID()
	packet, err := p.prepareSpace()
	if err != nil {
		return err
	}
	if err := p.prepareThread(); err != nil {
		return err
	}
	return p.report(packet)
}

// prepareSpace makes network and root at the same time: they have nothing in
// common but the namespaces, and each waits for its own locks of the kernel.
func (p *process) prepareSpace() (packet *os.File, err error) {
	if p.setup.Kind.Shared { // the network is made already
		return nil, p.prepareRoot()
	}
	link := p.setup.Kind.Link
	if err := setSysctls(link); err != nil {
		return nil, err
	}
	network := make(chan error, 1)
	go func() {
		var err error
		packet, err = setUpNetwork(link)
		network <- err
	}()
	rootErr := p.prepareRoot()
	err = errors.Join(<-network, rootErr) // packet is written before the receive
	return packet, err
}

// report tells the launcher that all is prepared and hands over the packet
// socket, of which no copy may stay inside.
func (p *process) report(packet *os.File) error {
	m := &ipc.Message{Verb: ipc.Prepared}
	if packet == nil {
		return p.conn.Send(m)
	}
	m.Packet = true
	return errors.Join(p.conn.Send(m, packet), packet.Close())
}

// start completes the root and starts the program in it.
func (p *process) start(sources []*os.File) (err error) {
	p.mark("prepare")
	if err := p.completeRoot(p.splitTemplate(sources)); err != nil {
		return err
	}
	if err := p.openTables(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("become undumpable: %w", err)
	}
	if err := p.prepareImage(); err != nil {
		return err
	}
	p.mark("root")
	if p.app, err = p.startProgram(); err != nil {
		return err
	}
	p.mark("exec")
	return p.conn.Send(&ipc.Message{Verb: ipc.Started, Stages: p.stages, Template: p.template.report})
}

// obey serves the launcher until it goes away, and then ends the sandbox.
func (p *process) obey() {
	for {
		m, files, err := p.conn.Recv()
		if err != nil {
			os.Exit(1)
		}
		ipc.CloseAll(files)
		switch m.Verb {
		case ipc.Terminate:
			signalAll(syscall.SIGTERM)
		case ipc.Suspend:
			p.suspend(m)
		case ipc.Resume:
			signalAll(syscall.SIGCONT)
			p.answer(m)
		case ipc.Sockets:
			p.sendSockets(m)
		}
	}
}

func (p *process) answer(m *ipc.Message) {
	_ = p.conn.Send(&ipc.Message{ID: m.ID, Verb: m.Verb})
}

// suspend stops every process and answers when each thread has stopped.
func (p *process) suspend(m *ipc.Message) {
	answer := &ipc.Message{ID: m.ID, Verb: m.Verb}
	deadline := time.Now().Add(suspendTimeout)
	for signalAll(syscall.SIGSTOP); !allStopped(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			answer.Error = ipc.Errorf(ipc.Unavailable, "processes did not stop within %s", suspendTimeout)
			break
		}
	}
	_ = p.conn.Send(answer)
}

// reap collects every process until the program itself ends. Returning ends
// this process, and the kernel then kills what is left in the namespace.
func (p *process) reap() int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return 1
		}
		if pid != p.app || (!status.Exited() && !status.Signaled()) {
			continue
		}
		_ = p.conn.Send(&ipc.Message{Verb: ipc.Exited, Exit: exitOf(status)})
		return 0
	}
}

func exitOf(status syscall.WaitStatus) *ipc.ExitInfo {
	if status.Signaled() {
		return &ipc.ExitInfo{Code: 128 + int(status.Signal()), Signal: int(status.Signal())}
	}
	return &ipc.ExitInfo{Code: status.ExitStatus()}
}

// signalAll reaches every process of the namespace but this one (kill(2)).
func signalAll(sig syscall.Signal) { _ = syscall.Kill(-1, sig) }

// catchSignals keeps signals from inside from ending this process. They are
// caught and dropped, not ignored: an ignored signal would stay ignored in the
// program.
func catchSignals() {
	signal.Notify(make(chan os.Signal, 1))
}

func asError(err error) *ipc.Error {
	var e *ipc.Error
	if errors.As(err, &e) {
		return e
	}
	return ipc.Errorf(ipc.Internal, "%v", err)
}
