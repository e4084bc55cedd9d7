package launcher

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/cgroup"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// startTimeout is how long a sandbox may take from its birth to the program's
// exec; a hundred times what it needs.
const startTimeout = 10 * time.Second

// pipeBytes is how much output waits for a server that is away.
const pipeBytes = 256 << 10

// create starts a sandbox and fills in the answer; after runs once the answer
// is out, so that no event overtakes it.
func (s *server) create(m, answer *ipc.Message) (files []*os.File, after func(), err error) {
	doc := m.Document
	if err := s.validate(m.Sandbox, doc); err != nil {
		return nil, nil, err
	}
	if err := s.reserve(m.Sandbox); err != nil {
		return nil, nil, err
	}
	b := &box{
		name: m.Sandbox, doc: doc, begin: time.Now(), server: s,
		ended: make(chan struct{}), started: make(chan *ipc.Message, 1), pending: map[uint64]chan reply{},
	}
	if err = s.join(b); err == nil {
		err = s.start(b)
	}
	s.mu.Lock()
	if err == nil && s.closing {
		err = ipc.Errorf(ipc.Unavailable, "launcher is ending")
		go b.kill()
	}
	if err != nil {
		delete(s.boxes, b.name)
	} else {
		s.boxes[b.name] = b
	}
	s.mu.Unlock()
	if err != nil {
		s.leave(b)
		return nil, nil, err
	}
	answer.State = b.snapshot()
	answer.Packet = b.packet != nil
	return b.files(), b.release, nil
}

func (s *server) reserve(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return ipc.Errorf(ipc.Unavailable, "launcher is ending")
	}
	if _, taken := s.boxes[name]; taken {
		return ipc.Errorf(ipc.AlreadyExists, "sandbox %q exists", name)
	}
	s.boxes[name] = nil
	return nil
}

// start makes the group, the first process, and waits until the program runs.
func (s *server) start(b *box) error {
	sources, err := s.openSources(b)
	if err != nil {
		return err
	}
	defer ipc.CloseAll(sources)
	if b.group, err = s.tree.Create(b.name, limitsOf(b.doc)); err != nil {
		return err
	}
	if err := s.spawn(b); err != nil {
		return errors.Join(err, b.group.Remove())
	}
	go b.run()
	if err := s.setUp(b, sources); err != nil {
		b.kill()
		b.release()
		<-b.ended
		ipc.CloseAll([]*os.File{b.stdout, b.stderr, b.packet})
		return err
	}
	return nil
}

func (s *server) setUp(b *box, sources []*os.File) error {
	if err := errors.Join(b.group.Add(b.pid), s.keepNetwork(b)); err != nil {
		return err
	}
	setup := &ipc.SetupInfo{Document: b.doc, Detached: s.full, Config: s.cfg, Groups: s.full}
	if limit := limitsOf(b.doc).PIDs; limit > 0 && !s.tree.Has("pids") {
		setup.NProc = int(limit)
	}
	if err := b.control.Send(&ipc.Message{Verb: ipc.Setup, Setup: setup}, sources...); err != nil {
		return fmt.Errorf("set up sandbox: %w", err)
	}
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case m := <-b.started:
		if m == nil {
			return ipc.Errorf(ipc.Internal, "sandbox %s ended while it was set up: %s", b.name, b.why())
		}
		if m.Error != nil {
			return m.Error
		}
		return nil
	case <-timer.C:
		return ipc.Errorf(ipc.Unavailable, "sandbox %s was not set up within %s", b.name, startTimeout)
	}
}

// spawn forks the first process into its namespaces.
func (s *server) spawn(b *box) error {
	control, peer, err := ipc.Pair()
	if err != nil {
		return err
	}
	defer func() { _ = peer.Close() }()
	var ends [2]*os.File
	if b.stdout, ends[0], err = outputPipe(); err != nil {
		return errors.Join(err, control.Close())
	}
	if b.stderr, ends[1], err = outputPipe(); err != nil {
		return errors.Join(err, control.Close())
	}
	defer ipc.CloseAll(ends[:])
	s.giveOutput(b.doc, ends[:])
	b.pid, err = s.spawner.init(s.idsOf(b.doc), s.networkOf(b), peer, ends[0], ends[1])
	if err != nil {
		return errors.Join(fmt.Errorf("start sandbox: %w", err), control.Close(), b.stdout.Close(), b.stderr.Close())
	}
	b.control = control
	return nil
}

// giveOutput makes the pipes the program's own: it may open them once more, as
// /dev/stderr. A user's are its own already.
func (s *server) giveOutput(doc *ipc.Document, ends []*os.File) {
	if !s.full {
		return
	}
	app := appIDs(doc)
	for _, f := range ends {
		if err := f.Chown(app.uid, app.gid); err != nil {
			fmt.Fprintln(os.Stderr, "launcher: give output:", err)
		}
	}
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

func limitsOf(doc *ipc.Document) cgroup.Limits {
	var l cgroup.Limits
	r := doc.Linux.Resources
	if r.Memory != nil && r.Memory.Limit != nil {
		l.MemoryBytes = *r.Memory.Limit
	}
	if r.CPU != nil && r.CPU.Shares != nil {
		l.CPUShares = *r.CPU.Shares
	}
	if r.PIDs != nil && r.PIDs.Limit != nil {
		l.PIDs = *r.PIDs.Limit
	}
	return l
}

// minHostID is the lowest host id that a sandbox may get: below lie the
// machine's own users.
const minHostID = 16 << 16

// validate refuses what the server has no business asking for: the launcher
// does not trust it more than it must.
func (s *server) validate(name string, doc *ipc.Document) error {
	if name == "" || len(name) > 48 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ipc.Errorf(ipc.InvalidArgument, "sandbox name %q is not 1 to 48 of [a-z0-9-]", name)
	}
	if doc == nil {
		return ipc.Errorf(ipc.InvalidArgument, "no runtime-spec document")
	}
	if doc.Root.Path != "" {
		return ipc.Errorf(ipc.InvalidArgument, "root.path %q: the root is made of layers or of the host stack", doc.Root.Path)
	}
	for _, m := range append(doc.Linux.UIDMappings[:len(doc.Linux.UIDMappings):len(doc.Linux.UIDMappings)], doc.Linux.GIDMappings...) {
		if m.ContainerID != 0 || m.HostID < minHostID || m.HostID%65536 != 0 || m.Size != 65536 {
			return ipc.Errorf(ipc.InvalidArgument, "id mapping %d:%d:%d is not a range for sandboxes", m.ContainerID, m.HostID, m.Size)
		}
	}
	// Added to the range's first id they say whom the launcher gives files to.
	for _, id := range []int{doc.Process.User.UID, doc.Process.User.GID} {
		if id < 0 || id >= rangeSize {
			return ipc.Errorf(ipc.InvalidArgument, "user or group %d is outside the sandbox's range", id)
		}
	}
	if s.full && (len(doc.Linux.UIDMappings) != 1 || len(doc.Linux.GIDMappings) != 1) {
		return ipc.Errorf(ipc.InvalidArgument, "one uid and one gid mapping are needed")
	}
	for i, m := range doc.Mounts {
		root := m.Type == "overlay" && i == 0 && m.Destination == "/" && len(doc.Layers()) > 0
		if m.Type != "bind" && m.Type != "tmpfs" && !root {
			return ipc.Errorf(ipc.InvalidArgument, "mount %s: type %q is not bind, tmpfs or, for the root, overlay", m.Destination, m.Type)
		}
	}
	return nil
}
