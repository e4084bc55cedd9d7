package launcher

import (
	"errors"
	"os"
	"strings"
	"time"

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
	if err := s.claim(m.Sandbox); err != nil {
		return nil, nil, err
	}
	b, err := s.begin(m, true)
	if errors.Is(err, errDied) {
		b, err = s.begin(m, false)
	}
	s.mu.Lock()
	if err == nil && s.closing {
		err = ipc.Errorf(ipc.Unavailable, "launcher is ending")
		go b.kill()
	}
	if err != nil {
		delete(s.boxes, m.Sandbox)
	} else {
		s.boxes[m.Sandbox] = b
	}
	s.mu.Unlock()
	if err != nil {
		s.leave(b)
		return nil, nil, err
	}
	b.mark("report")
	answer.State, answer.Stages = b.snapshot(), b.stages
	answer.State.Document = nil // whoever asked has it
	answer.Packet = b.packet != nil
	return b.files(), b.release, nil
}

func (s *server) claim(name string) error {
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

// errDied says that what was prepared is not there any more: another may be.
var errDied = errors.New("the sandbox died while it waited for a program")

// begin starts a sandbox, in one that was prepared if that may be. What it returns
// with an error has still to leave its segment.
func (s *server) begin(m *ipc.Message, prepared bool) (*box, error) {
	b := &box{
		name: m.Sandbox, doc: m.Document, asked: m.Document, begin: time.Now(), server: s,
		ended: make(chan struct{}), started: make(chan *ipc.Message, 1), pending: map[uint64]chan reply{},
	}
	b.mark("ask")
	if err := s.join(b); err != nil {
		return b, err
	}
	if err := s.setTemplate(b, m.Template); err != nil {
		return b, err
	}
	err := s.start(b, prepared)
	if err != nil || !b.template.makes() {
		b.template.close()
	}
	if errors.Is(err, errDied) {
		s.leave(b)
	}
	return b, err
}

// start makes a prepared sandbox the program's, or a new one, and waits until
// the program runs.
func (s *server) start(b *box, prepared bool) error {
	if err := s.settle(b, prepared); err != nil {
		return err
	}
	b.mark("find")
	sources, err := s.openSources(b)
	if err == nil {
		b.mark("open")
		err = errors.Join(b.group.Limit(limitsOf(b.doc)), s.giveOutput(b))
	}
	defer ipc.CloseAll(sources)
	go b.run()
	if err == nil {
		err = s.setUp(b, sources)
	}
	if err != nil {
		b.kill()
		b.release()
		<-b.ended
		ipc.CloseAll([]*os.File{b.stdout, b.stderr, b.packet})
	}
	return err
}

// settle finds a shell for a sandbox.
func (s *server) settle(b *box, prepared bool) (err error) {
	kind := s.kindOf(b.doc)
	if prepared && s.isPreparable(b.doc, kind) {
		b.shell = s.reserve.take(kind)
		b.waited = b.shell != nil
	}
	if b.shell == nil {
		if b.shell, err = s.spawn(b.name, kind, s.idsOf(b.doc), s.networkOf(b)); err != nil {
			return err
		}
	}
	if b.base != 0 {
		own := *b.doc
		own.Linux.UIDMappings, own.Linux.GIDMappings = rangeAt(b.base), rangeAt(b.base)
		b.doc = &own
	}
	if b.netns != nil {
		s.mu.Lock()
		b.segment.netns = b.netns
		s.mu.Unlock()
	}
	return nil
}

func (s *server) setUp(b *box, sources []*os.File) error {
	setup := &ipc.SetupInfo{Kind: b.kind, Document: b.doc.ForProgram(), Detached: s.full, Config: s.cfg, Groups: s.full}
	setup.Kind.Seccomp = "" // it has that
	template, file := b.template.setup()
	setup.Template, sources = template, append(sources, file...)
	if limit := limitsOf(b.doc).PIDs; limit > 0 && !s.tree.Has("pids") {
		setup.NProc = int(limit)
	}
	if err := b.control.Send(&ipc.Message{Verb: ipc.Setup, Setup: setup}, sources...); err != nil {
		return b.endedEarly(err)
	}
	b.mark("limit")
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case m := <-b.started:
		if m == nil {
			return b.endedEarly(errors.New(b.why()))
		}
		if m.Error != nil {
			return m.Error
		}
		b.stages = append(b.stages, m.Stages...)
		b.template.started(m)
		return nil
	case <-timer.C:
		return ipc.Errorf(ipc.Unavailable, "sandbox %s was not set up within %s", b.name, startTimeout)
	}
}

// endedEarly says why a first process ended that was to start a program.
func (b *box) endedEarly(why error) error {
	if b.waited {
		return errDied
	}
	return ipc.Errorf(ipc.Internal, "sandbox %s ended while it was set up: %v", b.name, why)
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
