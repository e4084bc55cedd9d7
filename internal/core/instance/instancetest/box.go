package instancetest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

var (
	_ sandbox.Sandbox = (*Box)(nil)
	_ sandbox.Pager   = (*Box)(nil)
)

// Spec implements sandbox.Sandbox.
func (b *Box) Spec() sandbox.Spec { return b.spec }

// StartTime implements sandbox.Sandbox.
func (b *Box) StartTime() time.Time { return b.start }

// Dial implements sandbox.Sandbox.
func (b *Box) Dial(ctx context.Context) (net.Conn, error) {
	b.mu.Lock()
	b.dials++
	b.mu.Unlock()
	if b.dial != nil {
		return b.dial(ctx)
	}
	return b.listen.dial(ctx)
}

// Stages implements sandbox.Timed.
func (b *Box) Stages() []sandbox.Stage {
	return []sandbox.Stage{{Name: "exec", Took: 1500 * time.Microsecond}}
}

// DialPort implements sandbox.Sandbox: only the program's own port listens.
func (b *Box) DialPort(ctx context.Context, port int) (net.Conn, error) {
	if b.spec.Port == port {
		select {
		case <-b.ready:
			return b.Dial(ctx)
		default:
		}
	}
	return nil, &net.OpError{Op: "dial", Net: "pipe", Err: errors.New("connection refused")}
}

// Freeze implements sandbox.Sandbox: the program reads and writes nothing.
func (b *Box) Freeze(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.freezes++
	select {
	case b.frozen <- struct{}{}:
	default:
	}
	if !b.ended {
		b.gate.shut()
	}
	return nil
}

// Thaw implements sandbox.Sandbox.
func (b *Box) Thaw(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.thaws++
	b.gate.open()
	return nil
}

// PageOut implements sandbox.Pager.
func (b *Box) PageOut(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pageOut++
	return nil
}

// Detach makes Stop do nothing from now on: whoever holds the box is gone, and
// another server has adopted the program under another Box.
func (b *Box) Detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.detached = true
}

// Stop implements sandbox.Sandbox. The program ends at once and breaks off
// what it was doing, as badly behaved ones do.
func (b *Box) Stop(context.Context, time.Duration) error {
	b.mu.Lock()
	b.stops++
	detached := b.detached
	b.mu.Unlock()
	if detached {
		return nil
	}
	b.End(sandbox.Exit{Code: 143, Signal: 15})
	return nil
}

// Output implements sandbox.Sandbox.
func (b *Box) Output() (stdout, stderr io.ReadCloser) { return b.outR, b.errR }

// Done implements sandbox.Sandbox.
func (b *Box) Done() <-chan struct{} { return b.done }

// Exit implements sandbox.Sandbox.
func (b *Box) Exit() sandbox.Exit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.exit
}

// Usage implements sandbox.Sandbox.
func (b *Box) Usage(context.Context) (sandbox.Usage, error) { return sandbox.Usage{}, nil }

// gate holds a frozen program back.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed while open
}

func newGate() *gate {
	g := &gate{opened: make(chan struct{})}
	close(g.opened)
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
		g.opened = make(chan struct{})
	default:
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	c := g.opened
	g.mu.Unlock()
	<-c
}

// listener gives the program the server ends of pipes.
type listener struct {
	gate  *gate
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once

	mu   sync.Mutex
	open []net.Conn // the program's ends
}

// hangUp closes every connection, as the end of a process does.
func (l *listener) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		c.Close()
	}
	l.open = nil
}

func newListener(g *gate) *listener {
	return &listener{gate: g, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *listener) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- &gated{Conn: server, gate: l.gate}:
		l.mu.Lock()
		l.open = append(l.open, server)
		l.mu.Unlock()
		return client, nil
	case <-l.done:
	case <-ctx.Done():
	}
	client.Close()
	return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.ErrClosed}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// gated is a connection whose program can be frozen.
type gated struct {
	net.Conn
	gate *gate
}

func (c *gated) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.gate.pass()
	return n, err
}

func (c *gated) Write(p []byte) (int, error) {
	c.gate.pass()
	return c.Conn.Write(p)
}
