// Package instancetest is a sandbox engine without sandboxes: its programs are
// HTTP handlers in the test's own process, reached through pipes in memory. It
// works inside testing/synctest bubbles.
package instancetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Engine is a sandbox.Engine. Set the fields before the first Start.
type Engine struct {
	// Handler makes the program of an instance; nil: it answers its own id.
	Handler func(b *Box) http.Handler
	// Raw, when set, is the program instead: it gets every connection, and closes
	// it.
	Raw func(c net.Conn)
	// Dial, when set, connects with a program elsewhere instead.
	Dial func(ctx context.Context) (net.Conn, error)
	// Boot is how long a program takes until it listens.
	Boot time.Duration
	// Refuse, when it returns an error, makes Start fail with it.
	Refuse func(sandbox.Spec) error
	// Crash, when it returns an error, ends the program before it listens.
	Crash func(b *Box) error
	// Left is what Adopt returns.
	Left []sandbox.Sandbox

	mu    sync.Mutex
	boxes []*Box
}

var _ sandbox.Engine = (*Engine)(nil)

// Start implements sandbox.Engine.
func (e *Engine) Start(_ context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	if e.Refuse != nil {
		if err := e.Refuse(spec); err != nil {
			return nil, err
		}
	}
	return e.New(spec), nil
}

// New starts a program.
func (e *Engine) New(spec sandbox.Spec) *Box {
	b := newBox(spec)
	b.dial = e.Dial
	h := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, spec.ID)
	}))
	if e.Handler != nil {
		h = e.Handler(b)
	}
	b.server = &http.Server{Handler: h, Protocols: protocols()}
	e.mu.Lock()
	e.boxes = append(e.boxes, b)
	e.mu.Unlock()
	go b.boot(e)
	return b
}

func protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return &p
}

// Adopt implements sandbox.Engine.
func (e *Engine) Adopt(context.Context) ([]sandbox.Sandbox, error) { return e.Left, nil }

// Report implements sandbox.Engine.
func (e *Engine) Report() sandbox.Report { return sandbox.Report{Level: sandbox.None} }

// Boxes returns every sandbox that was ever started, the oldest first.
func (e *Engine) Boxes() []*Box {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.boxes)
}

// Running returns those that have not ended.
func (e *Engine) Running() []*Box {
	return slices.DeleteFunc(e.Boxes(), func(b *Box) bool {
		select {
		case <-b.Done():
			return true
		default:
			return false
		}
	})
}

// Box is a sandbox.Sandbox.
type Box struct {
	spec   sandbox.Spec
	start  time.Time
	server *http.Server
	listen *listener
	dial   func(ctx context.Context) (net.Conn, error)
	gate   *gate
	ready  chan struct{}
	frozen chan struct{} // gets one for every freeze
	done   chan struct{}
	stdout *io.PipeWriter
	stderr *io.PipeWriter
	outR   *io.PipeReader
	errR   *io.PipeReader

	mu      sync.Mutex
	exit    sandbox.Exit
	ended   bool
	freezes int
	thaws   int
	stops   int
	dials   int
	pageOut int

	detached bool
}

func newBox(spec sandbox.Spec) *Box {
	b := &Box{
		spec:   spec,
		start:  time.Now(),
		gate:   newGate(),
		ready:  make(chan struct{}),
		frozen: make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	b.listen = newListener(b.gate)
	b.outR, b.stdout = io.Pipe()
	b.errR, b.stderr = io.Pipe()
	return b
}

func (b *Box) boot(e *Engine) {
	select {
	case <-time.After(e.Boot):
	case <-b.done:
		return
	}
	if e.Crash != nil {
		if err := e.Crash(b); err != nil {
			fmt.Fprintln(b.stderr, err)
			b.End(sandbox.Exit{Code: 1})
			return
		}
	}
	close(b.ready)
	if e.Raw == nil {
		b.server.Serve(b.listen)
		return
	}
	for {
		c, err := b.listen.Accept()
		if err != nil {
			return
		}
		go e.Raw(c)
	}
}

// End ends the program at once, as a crash or a kill would.
func (b *Box) End(exit sandbox.Exit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.ended, b.exit = true, exit
	b.gate.open()
	b.listen.Close()
	b.server.Close()
	b.listen.hangUp()
	b.stdout.Close()
	b.stderr.Close()
	close(b.done)
}

// Print writes to the program's standard error.
func (b *Box) Print(line string) { fmt.Fprintln(b.stderr, line) }

// Dials returns how often somebody connected.
func (b *Box) Dials() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dials
}

// Frozen gets a value when the box was frozen since the last was taken.
func (b *Box) Frozen() <-chan struct{} { return b.frozen }

// Counts returns how often the box was frozen, thawed and stopped.
func (b *Box) Counts() (freezes, thaws, stops int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.freezes, b.thaws, b.stops
}

// PageOuts returns how often the box's memory was moved to swap.
func (b *Box) PageOuts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pageOut
}

var errExited = errors.New("the program exited with status 1 before it listened")

// Ready implements sandbox.Sandbox.
func (b *Box) Ready(ctx context.Context) error {
	select {
	case <-b.ready:
		return nil
	case <-b.done:
		return errExited
	case <-ctx.Done():
		return ctx.Err()
	}
}
