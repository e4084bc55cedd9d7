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

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/handover"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/front"
)

// predecessor is the server whose place this one takes; nil where there is none.
type predecessor struct {
	*handover.Predecessor
	data string
	gift *handover.Gift
}

// askPredecessor reaches the server that runs on the data directory, if one does.
func askPredecessor(ctx context.Context, cfg Config) (*predecessor, error) {
	p, err := handover.Ask(ctx, filepath.Join(cfg.Data, "run"), cfg.Version)
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &predecessor{Predecessor: p, data: cfg.Data}, nil
}

// checkNamed refuses to let go of an address that the other server listens on:
// whoever leaves out a flag does not mean that.
func (p *predecessor) checkNamed(specs []front.Spec) error {
	if p == nil {
		return nil
	}
	for _, s := range p.Sockets {
		if !named(specs, s.Name) {
			return sunya.Errorf(sunya.FailedPrecondition, "", "the server that runs also listens on %s: name it too (--listen, --public), or stop that server first", s.Name)
		}
	}
	return nil
}

// listener takes the socket that is configured so; nil: the other server has none.
func (p *predecessor) listener(name string) (net.Listener, error) {
	if p == nil {
		return nil, nil
	}
	i := slices.IndexFunc(p.Sockets, func(s handover.Socket) bool { return s.Name == name })
	if i < 0 {
		return nil, nil
	}
	f := p.Sockets[i].File
	p.Sockets = slices.Delete(p.Sockets, i, i+1) // a second one of that name is not there
	defer func() { _ = f.Close() }()
	return net.FileListener(f)
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
	return p.Close()
}

// beside holds slots for the requests that the other server still has in
// instances: no instance gets more at once than it takes, and none is frozen or
// stopped under one.
type beside struct {
	activator *activator.Activator

	mu   sync.Mutex
	held map[string][]*activator.Lease
}

// report takes note of how many there are, by instance.
func (b *beside) report(busy map[string]int) {
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
		l, ok := b.activator.Hold(id)
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
	b := &beside{activator: n.serve.activator, held: map[string][]*activator.Lease{}}
	b.report(p.gift.Busy)
	err := p.Watch(ctx, b.report)
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
