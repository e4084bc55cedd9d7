// Package linuxns runs sandboxes with the kernel's own means: namespaces,
// cgroups, seccomp. It is the client of the launcher, a small separate program
// that holds whatever privilege there is (package helper), and keeps none
// itself.
package linuxns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

var _ sandbox.Engine = (*Engine)(nil)

// Engine implements sandbox.Engine.
type Engine struct {
	cfg  Config
	conn *ipc.Conn
	info ipc.HelloInfo
	lost chan struct{} // closed when the launcher is gone
	exit chan struct{} // closed when the launcher that this engine started has ended

	mu       sync.Mutex
	nextID   uint64
	pending  map[uint64]chan answer
	boxes    map[string]*box
	gone     bool
	closing  bool                 // Close was called: what runs goes on
	retired  bool                 // another server has the sandboxes, or is about to
	starting sync.WaitGroup       // requests to create; Add only with mu held and not retired
	links    map[string]io.Closer // the server's end of each network, by the sandbox it was made for
	adopting bool                 // links are kept until all who may use them are known
}

type answer struct {
	m     *ipc.Message
	files []*os.File
}

func newEngine(cfg Config, conn *ipc.Conn) *Engine {
	e := &Engine{
		cfg: cfg, conn: conn, lost: make(chan struct{}), exit: make(chan struct{}),
		pending: map[uint64]chan answer{}, boxes: map[string]*box{}, links: map[string]io.Closer{},
	}
	close(e.exit)
	go e.read()
	return e
}

// reapLauncher collects the launcher when it ends, which it may do long after
// this engine has been closed.
func (e *Engine) reapLauncher(proc *os.Process) {
	e.exit = make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		_, _ = proc.Wait()
	}(e.exit)
}

// Lost is closed when the launcher is gone, and with it every sandbox. The
// server cannot start another one without the privilege it gave up: it should
// end and be started again.
func (e *Engine) Lost() <-chan struct{} { return e.lost }

// Start implements sandbox.Engine.
func (e *Engine) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	b, err := e.create(ctx, spec, startFrom(spec))
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (e *Engine) create(ctx context.Context, spec sandbox.Spec, from *ipc.Template) (*box, error) {
	begin := ipc.Mark("begin")
	doc, err := e.document(spec)
	if err != nil {
		return nil, err
	}
	if spec.Network && e.cfg.Network == nil {
		return nil, sunya.Errorf(sunya.FailedPrecondition, spec.ID, "no network is configured for sandboxes")
	}
	b := newBox(e, spec)
	if err := e.beginStart(); err != nil {
		return nil, err
	}
	defer e.starting.Done()
	if err := e.register(b); err != nil {
		return nil, err
	}
	described := ipc.Mark("describe")
	m, files, err := e.call(ctx, &ipc.Message{Verb: ipc.Create, Sandbox: spec.ID, Document: doc, Template: from})
	if err != nil {
		e.unregister(b)
		if ctx.Err() != nil {
			e.abandon(spec.ID)
		}
		return nil, fmt.Errorf("start sandbox %s: %w", spec.ID, err)
	}
	b.mark(begin, described)
	b.mark(append(m.Stages, ipc.Mark("answer"))...)
	if err := b.begin(m, files); err != nil {
		return nil, errors.Join(fmt.Errorf("start sandbox %s: %w", spec.ID, err), b.Stop(context.WithoutCancel(ctx), 0))
	}
	return b, nil
}

// abandon ends a sandbox whose start nobody waits for any more; the launcher
// handles the request after the creation if that is still under way.
func (e *Engine) abandon(id string) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), abandonTimeout)
		defer cancel()
		for ctx.Err() == nil {
			_, files, err := e.call(ctx, &ipc.Message{Verb: ipc.Adopt, Sandbox: id})
			ipc.CloseAll(files)
			if err == nil {
				break
			}
			if !sleep(ctx, abandonPause) {
				return
			}
		}
		_, _, _ = e.call(ctx, &ipc.Message{Verb: ipc.Stop, Sandbox: id})
	}()
}

// Adopt implements sandbox.Engine: what this engine has already is not among it.
func (e *Engine) Adopt(ctx context.Context) ([]sandbox.Sandbox, error) {
	list, _, err := e.call(ctx, &ipc.Message{Verb: ipc.List})
	if err != nil {
		return nil, fmt.Errorf("adopt sandboxes: %w", err)
	}
	e.setAdopting(true)
	defer e.adopted()
	var all []sandbox.Sandbox
	for _, name := range list.Names {
		if e.knows(name) {
			continue
		}
		b, err := e.adopt(ctx, name)
		if err != nil {
			e.cfg.Log.WarnContext(ctx, "cannot adopt sandbox", "instance", name, "err", err)
			_, _, _ = e.call(ctx, &ipc.Message{Verb: ipc.Stop, Sandbox: name})
			continue
		}
		all = append(all, b)
	}
	return all, nil
}

func (e *Engine) adopt(ctx context.Context, name string) (*box, error) {
	b := newBox(e, sandbox.Spec{ID: name})
	if err := e.register(b); err != nil {
		return nil, err
	}
	m, files, err := e.call(ctx, &ipc.Message{Verb: ipc.Adopt, Sandbox: name})
	if err != nil {
		e.unregister(b)
		return nil, err
	}
	spec := sandbox.Spec{}
	text := m.State.Document.Annotations[ipc.AnnotationSpec]
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		ipc.CloseAll(files)
		e.unregister(b)
		return nil, fmt.Errorf("read spec: %w", err)
	}
	b.spec = spec
	return b, b.begin(m, files)
}

func (e *Engine) setAdopting(yes bool) {
	e.mu.Lock()
	e.adopting = yes
	e.mu.Unlock()
}

// adopted closes the networks of which nobody is left.
func (e *Engine) adopted() {
	e.setAdopting(false)
	e.mu.Lock()
	owners := slices.Collect(maps.Keys(e.links))
	e.mu.Unlock()
	for _, owner := range owners {
		e.dropLink(owner)
	}
}

// document describes a sandbox to the launcher. Where layers cannot be shown as
// another range's, containers run in the one that owns them.
func (e *Engine) document(spec sandbox.Spec) (*ipc.Document, error) {
	if spec.Profile == sandbox.Container && !slices.Contains(e.info.Facts, ipc.FactIDMap) {
		spec.UIDRange = sunya.LayersRange
	}
	return document(spec)
}

// Report implements sandbox.Engine.
func (e *Engine) Report() sandbox.Report {
	return sandbox.Report{Level: sandbox.Level(e.info.Level), Facts: e.info.Facts, Missing: e.info.Missing}
}

// Close leaves the launcher and its sandboxes running for the next server. It
// closes their networks' ends in this one.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closing = true
	e.mu.Unlock()
	e.dropLinks()
	e.disconnect()
	return nil
}

// Shutdown ends every sandbox and the launcher, and returns when nothing is
// left.
func (e *Engine) Shutdown(ctx context.Context) error {
	_, _, err := e.call(ctx, &ipc.Message{Verb: ipc.Shutdown})
	if err != nil && sunya.CodeOf(err) != sunya.Unavailable {
		e.disconnect()
		return fmt.Errorf("shut sandboxes down: %w", err)
	}
	select {
	case <-e.lost: // the launcher closes its socket by exiting
	case <-ctx.Done():
	}
	e.disconnect()
	select {
	case <-e.exit:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (e *Engine) register(b *box) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, taken := e.boxes[b.spec.ID]; taken {
		return sunya.Errorf(sunya.AlreadyExists, b.spec.ID, "sandbox exists")
	}
	e.boxes[b.spec.ID] = b
	return nil
}

func (e *Engine) unregister(b *box) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.boxes[b.spec.ID] == b {
		delete(e.boxes, b.spec.ID)
	}
}
