package linuxns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

var _ sandbox.Sandbox = (*box)(nil)

// box implements sandbox.Sandbox.
type box struct {
	engine *Engine
	spec   sandbox.Spec // set before anybody else sees the box
	start  time.Time
	ready  chan struct{}      // closed by the first ready event
	done   chan struct{}      // closed when every process has ended
	kept   chan *ipc.Template // what came of keeping it, once
	strays chan struct{}      // closed once the program listens on another port than its own

	mu             sync.Mutex
	stdout, stderr *os.File   // until Output takes them
	listener       string     // address inside, once ready
	elsewhere      []int      // ports that are not Spec.Port
	spare          []*os.File // unconnected sockets
	refilling      bool
	ended          bool
	exit           sandbox.Exit
	template       *ipc.Template // what came of starting from it
	stages         []ipc.Stage   // of the start; empty for one that was adopted
}

func newBox(e *Engine, spec sandbox.Spec) *box {
	return &box{engine: e, spec: spec, ready: make(chan struct{}), done: make(chan struct{}), strays: make(chan struct{}), kept: make(chan *ipc.Template, 1)}
}

// begin takes over what the launcher handed out with a created or adopted
// sandbox.
func (b *box) begin(m *ipc.Message, files []*os.File) error {
	if m.State == nil || len(files) < 2 {
		ipc.CloseAll(files)
		return errors.New("launcher sent no output pipes")
	}
	b.start = time.Unix(0, m.State.StartNS)
	b.mu.Lock()
	b.stdout, b.stderr = files[0], files[1]
	b.template = m.State.Template
	b.mu.Unlock()
	if m.State.Listener != "" {
		b.becomeReady(m.State.Listener, nil)
	}
	b.wasElsewhere(m.State.Elsewhere)
	if m.Packet && len(files) == 3 {
		if err := b.connect(files[2]); err != nil {
			return err
		}
	}
	if m.State.Exit != nil {
		b.end(*m.State.Exit)
	}
	return nil
}

// connect gives the packet socket to the network.
func (b *box) connect(packet *os.File) error {
	if b.engine.cfg.Network == nil {
		return packet.Close()
	}
	link, err := b.engine.cfg.Network(b.spec, packet)
	if err != nil {
		return fmt.Errorf("connect network: %w", err)
	}
	b.engine.keepLink(b.spec.ID, link)
	return nil
}

// event handles what the launcher reports. It runs on the engine's reader and
// never blocks.
func (b *box) event(m *ipc.Message, files []*os.File) {
	switch m.Verb {
	case ipc.Ready:
		b.becomeReady(m.Listener, files)
		return
	case ipc.Elsewhere:
		b.listensElsewhere(m.Ports)
	case ipc.Kept:
		b.isKept(m.Template)
	case ipc.Exited:
		if m.Exit != nil {
			b.end(*m.Exit)
		}
	}
	ipc.CloseAll(files)
}

func (b *box) becomeReady(listener string, sockets []*os.File) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare = append(b.spare, sockets...)
	if b.listener == "" {
		b.stages = append(b.stages, ipc.Mark("listen"))
		b.listener = listener
		close(b.ready)
	}
}

// wasElsewhere takes over what was known when the launcher handed the sandbox
// out. An event may have brought something newer meanwhile.
func (b *box) wasElsewhere(ports []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.elsewhere == nil {
		b.setElsewhere(ports)
	}
}

func (b *box) listensElsewhere(ports []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setElsewhere(ports)
}

// setElsewhere notes the ports; mu is held.
func (b *box) setElsewhere(ports []int) {
	if len(ports) == 0 {
		return
	}
	if b.elsewhere == nil {
		close(b.strays)
	}
	b.elsewhere = ports
}

// lost ends the box because the launcher is gone: its processes die with it.
func (b *box) lost() {
	b.end(ipc.ExitInfo{Code: 128 + int(syscall.SIGKILL), Signal: int(syscall.SIGKILL)})
}

func (b *box) end(exit ipc.ExitInfo) {
	b.mu.Lock()
	if b.ended {
		b.mu.Unlock()
		return
	}
	b.ended = true
	b.exit = sandbox.Exit{Code: exit.Code, Signal: exit.Signal, OOMKilled: exit.OOM}
	spare := b.spare
	b.spare = nil
	b.mu.Unlock()
	ipc.CloseAll(spare)
	close(b.done)
	// Closing may wait for goroutines of the network, which is nothing for
	// the engine's reader.
	go b.engine.dropLink(b.network())
}

// Spec implements sandbox.Sandbox.
func (b *box) Spec() sandbox.Spec { return b.spec }

// StartTime implements sandbox.Sandbox.
func (b *box) StartTime() time.Time { return b.start }

// Done implements sandbox.Sandbox.
func (b *box) Done() <-chan struct{} { return b.done }

// Exit implements sandbox.Sandbox.
func (b *box) Exit() sandbox.Exit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.exit
}

// Ready implements sandbox.Sandbox.
func (b *box) Ready(ctx context.Context) error {
	if b.spec.Port == 0 {
		return nil
	}
	select {
	case <-b.ready:
		return nil
	default:
	}
	strayed, cancel := b.strayed(ctx)
	defer cancel()
	select {
	case <-b.ready:
		return nil
	case <-b.done:
		return b.notReady("exited with " + describe(b.Exit()) + " before it listened on " + b.port())
	case <-strayed.Done():
		if ctx.Err() == nil {
			return b.notReady(b.silence())
		}
		return b.notReady(b.silence() + ": " + ctx.Err().Error())
	}
}

// strayed ends with ctx, or once the program has listened on other ports only
// for as long as its Spec has patience.
func (b *box) strayed(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(ctx)
	if b.spec.StrayLimit <= 0 {
		return out, cancel
	}
	go func() {
		defer cancel()
		select {
		case <-out.Done():
			return
		case <-b.strays:
		}
		select {
		case <-out.Done():
		case <-time.After(b.spec.StrayLimit):
		}
	}()
	return out, cancel
}

// silence says what the program does instead of listening on its port.
func (b *box) silence() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.elsewhere) == 0 {
		return "does not listen on " + b.port()
	}
	ports := ""
	for i, p := range b.elsewhere {
		if i > 0 {
			ports += ", "
		}
		ports += fmt.Sprint(p)
	}
	return "listens on " + ports + ", not on " + b.port()
}

func (b *box) port() string { return fmt.Sprintf("$PORT (%d)", b.spec.Port) }

func (b *box) notReady(message string) error {
	return &sunya.Error{Code: sunya.FailedPrecondition, Resource: b.spec.ID, Reason: "NOT_READY", Message: message}
}

func describe(e sandbox.Exit) string {
	switch {
	case e.OOMKilled:
		return "status 137 (memory limit exceeded)"
	case e.Signal != 0:
		return fmt.Sprintf("signal %d (%s)", e.Signal, syscall.Signal(e.Signal))
	}
	return fmt.Sprintf("status %d", e.Code)
}

// Output implements sandbox.Sandbox. The second call returns empty readers.
func (b *box) Output() (stdout, stderr io.ReadCloser) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, err := b.stdout, b.stderr
	b.stdout, b.stderr = nil, nil
	if out == nil {
		return io.NopCloser(eof{}), io.NopCloser(eof{})
	}
	return out, err
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Freeze implements sandbox.Sandbox.
func (b *box) Freeze(ctx context.Context) error { return b.ask(ctx, ipc.Freeze) }

// Thaw implements sandbox.Sandbox.
func (b *box) Thaw(ctx context.Context) error { return b.ask(ctx, ipc.Thaw) }

// PageOut implements sandbox.Pager.
func (b *box) PageOut(ctx context.Context) error { return b.ask(ctx, ipc.PageOut) }

func (b *box) ask(ctx context.Context, verb ipc.Verb) error {
	_, _, err := b.engine.call(ctx, &ipc.Message{Verb: verb, Sandbox: b.spec.ID})
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, b.spec.ID, err)
	}
	return nil
}

// Stop implements sandbox.Sandbox. Output that nobody took is closed. One that
// another server has taken over is only let go.
func (b *box) Stop(ctx context.Context, grace time.Duration) error {
	var err error
	if !b.engine.hasRetired() {
		_, _, err = b.engine.call(ctx, &ipc.Message{Verb: ipc.Stop, Sandbox: b.spec.ID, GraceMS: grace.Milliseconds()})
	}
	if err != nil && sunya.CodeOf(err) != sunya.Unavailable {
		return fmt.Errorf("stop %s: %w", b.spec.ID, err)
	}
	// Without a launcher there is nothing left to stop. With one, its exit
	// event came before the answer.
	b.end(ipc.ExitInfo{Code: 128 + int(syscall.SIGKILL), Signal: int(syscall.SIGKILL)})
	b.engine.unregister(b)
	b.mu.Lock()
	files := []*os.File{b.stdout, b.stderr}
	b.stdout, b.stderr = nil, nil
	b.mu.Unlock()
	ipc.CloseAll(files)
	return nil
}

// Usage implements sandbox.Sandbox.
func (b *box) Usage(ctx context.Context) (sandbox.Usage, error) {
	m, _, err := b.engine.call(ctx, &ipc.Message{Verb: ipc.Usage, Sandbox: b.spec.ID})
	if err != nil {
		return sandbox.Usage{}, fmt.Errorf("read usage of %s: %w", b.spec.ID, err)
	}
	if m.Usage == nil {
		return sandbox.Usage{}, fmt.Errorf("read usage of %s: no counters", b.spec.ID)
	}
	return sandbox.Usage{
		MemoryBytes: m.Usage.MemoryBytes, CPU: time.Duration(m.Usage.CPUNanos), PIDs: m.Usage.PIDs,
	}, nil
}
