package launcher

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/cgroup"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// shell is a sandbox without a program: its groups, and its first process in
// namespaces of its own. It becomes the sandbox of one program and of no other.
type shell struct {
	kind    ipc.Kind
	ids     ids
	base    int // first host id of a range that was lent to it; 0: none was
	group   *cgroup.Group
	control *ipc.Conn
	pid     int
	status  syscall.WaitStatus
	netns   *os.File // for those who join; nil where nobody can

	stdout, stderr, packet *os.File // kept for a later server
}

// spawn forks the first process of a sandbox, into the network of another if
// there is one, and tells it to prepare everything that no program is needed for.
func (s *server) spawn(name string, kind ipc.Kind, id ids, network *os.File) (*shell, error) {
	group, err := s.tree.Create(name)
	if err != nil {
		return nil, err
	}
	sh := &shell{kind: kind, ids: id, group: group}
	if err := s.fork(sh, network); err != nil {
		return nil, errors.Join(fmt.Errorf("start sandbox: %w", err), sh.closeFiles(), group.Remove())
	}
	if err := s.furnish(sh, network); err != nil {
		return nil, errors.Join(err, sh.end())
	}
	return sh, nil
}

func (s *server) fork(sh *shell, network *os.File) (err error) {
	control, peer, err := ipc.Pair()
	if err != nil {
		return err
	}
	sh.control = control
	defer func() { _ = peer.Close() }()
	var ends [2]*os.File
	defer func() { ipc.CloseAll(ends[:]) }()
	if sh.stdout, ends[0], err = outputPipe(); err != nil {
		return err
	}
	if sh.stderr, ends[1], err = outputPipe(); err != nil {
		return err
	}
	sh.pid, err = s.spawner.init(sh.ids, network, peer, ends[0], ends[1])
	return err
}

// furnish brings a first process under its limits to be, and lets it prepare.
func (s *server) furnish(sh *shell, network *os.File) error {
	if err := sh.group.Add(sh.pid); err != nil {
		return err
	}
	if s.full && network == nil {
		var err error
		if sh.netns, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", sh.pid)); err != nil {
			return fmt.Errorf("keep network: %w", err)
		}
	}
	setup := &ipc.SetupInfo{Kind: sh.kind, Detached: s.full, Config: s.cfg, Groups: s.full}
	if err := sh.control.Send(&ipc.Message{Verb: ipc.Prepare, Setup: setup}); err != nil {
		return fmt.Errorf("prepare sandbox: %w", err)
	}
	return nil
}

// isAlive looks whether the first process of a shell that nobody reads from is
// still there.
func (sh *shell) isAlive() bool {
	pid, err := syscall.Wait4(sh.pid, &sh.status, syscall.WNOHANG, nil)
	return err == nil && pid == 0
}

// reap ends every process and waits for the first one.
func (sh *shell) reap() {
	sh.group.Kill()
	_ = syscall.Kill(sh.pid, syscall.SIGKILL)
	_, _ = syscall.Wait4(sh.pid, &sh.status, 0, nil)
}

// end removes a shell that has had no program.
func (sh *shell) end() error {
	sh.reap()
	return errors.Join(sh.group.Remove(), sh.closeFiles())
}

func (sh *shell) closeFiles() error {
	if sh.control != nil {
		_ = sh.control.Close()
	}
	ipc.CloseAll([]*os.File{sh.stdout, sh.stderr, sh.packet, sh.netns})
	return nil
}

// giveOutput makes the pipes the program's own: it may open them once more, as
// /dev/stderr. A user's are its own already.
func (s *server) giveOutput(b *box) error {
	if !s.full {
		return nil
	}
	app := appIDs(b.doc)
	for _, f := range []*os.File{b.stdout, b.stderr} { // both ends have one owner
		if err := f.Chown(app.uid, app.gid); err != nil {
			return fmt.Errorf("give output: %w", err)
		}
	}
	return nil
}

// outputPipe returns a pipe whose write end blocks the program, as it would
// expect, and whose read end does not block the server.
func outputPipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make pipe: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
	}
	// Over the user's pipe quota the default of 64 KiB stays.
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeBytes)
	return os.NewFile(uintptr(fds[0]), "output"), os.NewFile(uintptr(fds[1]), "output"), nil
}
