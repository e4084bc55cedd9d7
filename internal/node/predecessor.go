package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/handover"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/front"
)

// predecessor is the server whose place this one takes; nil where there is none.
type predecessor struct {
	*handover.Predecessor
	data    string
	sockets []inherited
	gift    *handover.Gift
}

// inherited is a socket of the other server.
type inherited struct {
	net.Listener
	name  string // as configured
	taken bool
}

// is reports whether an address names the socket: the one that is configured, or
// the one that came of it (port 0).
func (i *inherited) is(addr string) bool { return addr == i.name || addr == i.Addr().String() }

// askPredecessor reaches the server that runs on the data directory, if one does.
func askPredecessor(ctx context.Context, cfg Config) (*predecessor, error) {
	p, err := handover.Ask(ctx, filepath.Join(cfg.Data, "run"), cfg.Version)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pre := &predecessor{Predecessor: p, data: cfg.Data}
	for _, s := range p.Sockets {
		l, err := net.FileListener(s.File)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("take over the socket of %s: %w", s.Name, err), pre.close())
		}
		pre.sockets = append(pre.sockets, inherited{Listener: l, name: s.Name})
	}
	return pre, nil
}

// checkNamed refuses to let go of an address that the other server listens on:
// whoever leaves out a flag does not mean that.
func (p *predecessor) checkNamed(specs []front.Spec) error {
	if p == nil {
		return nil
	}
	for i := range p.sockets {
		s := &p.sockets[i]
		if !slices.ContainsFunc(specs, func(spec front.Spec) bool { return s.is(spec.Addr()) }) {
			return sunya.Errorf(sunya.FailedPrecondition, "", "the server that runs also listens on %s: name it too (--listen, --public), or stop that server first", s.name)
		}
	}
	return nil
}

// listener takes the socket that an address names; nil: the other server has none.
func (p *predecessor) listener(addr string) net.Listener {
	if p == nil {
		return nil
	}
	for i := range p.sockets {
		if s := &p.sockets[i]; !s.taken && s.is(addr) {
			s.taken = true
			return s.Listener
		}
	}
	return nil
}

// take asks for the place, once it is known that the state can be read. From then
// on nobody accepts connections.
func (p *predecessor) take(ctx context.Context, log *slog.Logger) error {
	if err := sqlite.Rehearse(ctx, filepath.Join(p.data, "state.db"), filepath.Join(p.data, "run"), log); err != nil {
		return err
	}
	var err error
	p.gift, err = p.Take()
	return err
}

// lock is the one of the data directory, which becomes the caller's.
func (p *predecessor) lock() *os.File {
	f := p.gift.Lock
	p.gift.Lock = nil
	return f
}

// close leaves the place to the other server, if it still has it.
func (p *predecessor) close() error {
	if p == nil {
		return nil
	}
	if p.gift != nil {
		p.gift.Close()
	}
	for _, s := range p.sockets {
		if !s.taken {
			_ = s.Close()
		}
	}
	return p.Close()
}

// beside holds slots for the requests that the other server still has in
// instances: no instance gets more at once than it takes, and none is frozen or
// stopped under one.
type beside struct {
	n *Node

	mu   sync.Mutex
	held map[string][]*activator.Lease
}

// Admit implements handover.Watcher.
func (b *beside) Admit(listener string, connection *os.File) {
	c, err := net.FileConn(connection) // a duplicate
	_ = connection.Close()
	if err != nil {
		b.n.log.Warn("take over a connection", "err", err)
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), admitTime)
		defer cancel()
		b.n.server.Admit(ctx, listener, c)
	}()
}

// admitTime is how long a connection that was taken over waits to be served: this
// server is about to.
const admitTime = 10 * time.Second

// Busy implements handover.Watcher.
func (b *beside) Busy(busy map[string]int) {
	b.n.products.objects.Tell() // what that server still receives is for this one to tell of
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.held {
		b.hold(id, busy[id])
	}
	for id, n := range busy {
		b.hold(id, n)
	}
}

func (b *beside) hold(id string, n int) {
	leases := b.held[id]
	for len(leases) > n {
		leases[len(leases)-1].Release()
		leases = leases[:len(leases)-1]
	}
	for len(leases) < n {
		l, ok := b.n.serve.activator.Hold(id)
		if !ok {
			break // it is not ready yet, or no more
		}
		leases = append(leases, l)
	}
	if len(leases) == 0 {
		delete(b.held, id)
		return
	}
	b.held[id] = leases
}

// finishBeside looks after the requests of the other server until it is gone.
func (n *Node) finishBeside(ctx context.Context, p *predecessor) error {
	b := &beside{n: n, held: map[string][]*activator.Lease{}}
	b.Busy(p.gift.Busy)
	err := p.Watch(ctx, b)
	n.products.objects.Tell()
	if ctx.Err() == nil && err != nil {
		n.log.Warn("lost sight of the server before this one", "pid", p.PID, "err", err)
	}
	return errors.Join(p.close(), contextError(ctx))
}

// contextError is why a part ends with its context; nil when it ends by itself.
func contextError(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	return nil
}
