package launcher

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// answerTimeout is how long the first process of a sandbox may take to answer.
const answerTimeout = 5 * time.Second

// box is one sandbox.
type box struct {
	name    string
	doc     *ipc.Document // with the ids that it has
	asked   *ipc.Document // with those that were asked for
	begin   time.Time
	server  *server
	owned   []owned  // trees to give back
	segment *segment // what it shares with others; guarded by server.mu
	stages  []ipc.Stage
	*shell
	waited   bool        // for a program: it was prepared
	template *templateOf // what it starts from, or makes; nil: nothing

	closeOnce sync.Once

	started chan *ipc.Message // Started or Failed; nil when it ended first
	ended   chan struct{}     // closed when nothing is left of it

	mu        sync.Mutex
	announced bool // the server knows it, events may go out
	queue     []event
	listener  string
	elsewhere []int
	exit      *ipc.ExitInfo
	frozen    bool
	nextID    uint64
	pending   map[uint64]chan reply
}

// reply is what the first process answered.
type reply struct {
	m     *ipc.Message
	files []*os.File
}

// event waits until the server knows the sandbox.
type event struct {
	m     *ipc.Message
	files []*os.File
}

func (b *box) mark(name string) { b.stages = append(b.stages, ipc.Mark(name)) }

// run reads what the first process says until it ends, and then removes what
// is left of the sandbox.
func (b *box) run() {
	for {
		m, files, err := b.control.Recv()
		if err != nil {
			break
		}
		b.dispatch(m, files)
	}
	// The socket is closed, so the first process is ending, or about to. Its
	// end is that of the whole PID namespace.
	b.reap()
	b.finish()
}

func (b *box) dispatch(m *ipc.Message, files []*os.File) {
	switch m.Verb {
	case ipc.Prepared:
		if m.Packet && len(files) == 1 {
			b.packet, files = files[0], nil
		}
	case ipc.Started, ipc.Failed:
		select {
		case b.started <- m:
		default:
		}
	case ipc.Ready:
		b.mu.Lock()
		b.listener = m.Listener
		b.mu.Unlock()
		b.emit(&ipc.Message{Verb: ipc.Ready, Sandbox: b.name, Listener: m.Listener}, files)
		return
	case ipc.Elsewhere:
		b.mu.Lock()
		b.elsewhere = m.Ports
		b.mu.Unlock()
		b.emit(&ipc.Message{Verb: ipc.Elsewhere, Sandbox: b.name, Ports: m.Ports}, nil)
	case ipc.Kept:
		b.server.kept(b, m)
	case ipc.Exited:
		b.mu.Lock()
		b.exit = m.Exit
		b.mu.Unlock()
	default:
		if b.resolve(m, files) {
			return
		}
	}
	ipc.CloseAll(files)
}

// resolve hands an answer to whoever asked.
func (b *box) resolve(m *ipc.Message, files []*os.File) bool {
	b.mu.Lock()
	ch := b.pending[m.ID]
	delete(b.pending, m.ID)
	b.mu.Unlock()
	if ch != nil {
		ch <- reply{m, files}
	}
	return ch != nil
}

// finish runs when no process is left.
func (b *box) finish() {
	b.mu.Lock()
	if b.exit == nil {
		b.exit = &ipc.ExitInfo{Code: 128 + int(syscall.SIGKILL), Signal: int(syscall.SIGKILL)}
	}
	if b.exit.Signal == int(syscall.SIGKILL) {
		b.exit.OOM = b.group.OOMKilled()
	}
	exit := *b.exit
	b.mu.Unlock()
	if err := b.group.Remove(); err != nil {
		fmt.Fprintf(os.Stderr, "launcher: end %s: %v\n", b.name, err)
	}
	giveBack(b.owned)
	b.template.close()
	b.server.ranges.giveBack(b.base)
	_ = b.control.Close()
	b.emit(&ipc.Message{Verb: ipc.Exited, Sandbox: b.name, Exit: &exit}, nil)
	close(b.started)
	close(b.ended)
}

// emit sends an event, or keeps it until release.
func (b *box) emit(m *ipc.Message, files []*os.File) {
	b.mu.Lock()
	if !b.announced {
		b.queue = append(b.queue, event{m, files})
		b.mu.Unlock()
		return
	}
	b.mu.Unlock()
	b.server.send(m, files...)
	ipc.CloseAll(files)
}

// release lets events out, first those that waited.
func (b *box) release() {
	b.mu.Lock()
	queue := b.queue
	b.queue, b.announced = nil, true
	b.mu.Unlock()
	for _, e := range queue {
		b.server.send(e.m, e.files...)
		ipc.CloseAll(e.files)
	}
}

// ask sends a request to the first process and waits for the answer.
func (b *box) ask(m *ipc.Message) (reply, error) {
	ch := make(chan reply, 1)
	b.mu.Lock()
	b.nextID++
	m.ID = b.nextID
	b.pending[m.ID] = ch
	b.mu.Unlock()
	if err := b.control.Send(m); err != nil {
		return reply{}, ipc.Errorf(ipc.Unavailable, "sandbox %s has ended", b.name)
	}
	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()
	select {
	case r := <-ch:
		return r, nil
	case <-b.ended:
		return reply{}, ipc.Errorf(ipc.Unavailable, "sandbox %s has ended", b.name)
	case <-timer.C:
		b.mu.Lock()
		delete(b.pending, m.ID)
		b.mu.Unlock()
		return reply{}, ipc.Errorf(ipc.Unavailable, "sandbox %s did not answer within %s", b.name, answerTimeout)
	}
}

func (b *box) sockets(m *ipc.Message) ([]*os.File, error) {
	r, err := b.ask(&ipc.Message{Verb: ipc.Sockets, N: m.N, IPv6: m.IPv6})
	if err != nil {
		return nil, err
	}
	if len(r.files) == 0 && r.m.Error != nil {
		return nil, r.m.Error
	}
	return r.files, nil
}

func (b *box) freeze() error {
	if err := b.setFrozen(true); err != nil {
		return err
	}
	b.mu.Lock()
	b.frozen = true
	b.mu.Unlock()
	return nil
}

func (b *box) thaw() error {
	if err := b.setFrozen(false); err != nil {
		return err
	}
	b.mu.Lock()
	b.frozen = false
	b.mu.Unlock()
	return nil
}

func (b *box) setFrozen(frozen bool) error {
	if b.hasEnded() {
		return ipc.Errorf(ipc.FailedPrecondition, "sandbox %s has ended", b.name)
	}
	if !b.server.tree.CanFreeze() {
		verb := ipc.Resume
		if frozen {
			verb = ipc.Suspend
		}
		r, err := b.ask(&ipc.Message{Verb: verb})
		if err == nil && r.m.Error != nil {
			return r.m.Error
		}
		return err
	}
	if frozen {
		return b.group.Freeze()
	}
	return b.group.Thaw()
}

// stop asks the program to end, and makes it end after grace.
func (b *box) stop(grace time.Duration) {
	if !b.hasEnded() {
		_ = b.thaw()
		_ = b.control.Send(&ipc.Message{Verb: ipc.Terminate})
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-b.ended:
		return
	case <-timer.C:
	}
	b.kill()
	<-b.ended
}

// kill ends every process at once.
func (b *box) kill() {
	if b.hasEnded() {
		return
	}
	b.group.Kill()
	_ = syscall.Kill(b.pid, syscall.SIGKILL)
}

func (b *box) hasEnded() bool {
	select {
	case <-b.ended:
		return true
	default:
		return false
	}
}

// why describes how the first process itself ended.
func (b *box) why() string {
	if b.status.Signaled() {
		return b.status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", b.status.ExitStatus())
}

func (b *box) usage() *ipc.UsageInfo {
	bytes, nanos, tasks := b.group.Usage()
	return &ipc.UsageInfo{MemoryBytes: bytes, CPUNanos: nanos, PIDs: tasks}
}

func (b *box) snapshot() *ipc.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	state := &ipc.State{
		Document: b.doc, StartNS: b.begin.UnixNano(), Listener: b.listener,
		Elsewhere: b.elsewhere, Frozen: b.frozen,
	}
	if b.hasEnded() {
		state.Exit = b.exit
	}
	if b.template != nil {
		state.Template = &b.template.Template
	}
	return state
}

func (b *box) files() []*os.File {
	files := []*os.File{b.stdout, b.stderr}
	if b.packet != nil {
		files = append(files, b.packet)
	}
	return files
}
