package node

import (
	"context"
	"net"
	"os"
	"sync"

	"github.com/sunya-cloud/sunya/internal/core/front"
)

// passing holds connections that had no request when this server stopped, until it
// is known who serves them.
type passing struct {
	mu    sync.Mutex
	conns []passed
	more  chan struct{} // has a value when there are some
}

type passed struct {
	listener string
	file     *os.File // a duplicate
}

func newPassing() *passing { return &passing{more: make(chan struct{}, 1)} }

// add is front.Server's Pass.
func (p *passing) add(listener string, c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	f, err := tcp.File()
	if err != nil {
		return // it is closed, as any that is not passed on
	}
	p.mu.Lock()
	p.conns = append(p.conns, passed{listener, f})
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

func (p *passing) take() []passed {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.conns
	p.conns = nil
	return out
}

// to gives what there is to another server.
func (p *passing) to(send func(listener string, connection *os.File) error) {
	for _, c := range p.take() {
		_ = send(c.listener, c.file) // without the other server it is closed
		_ = c.file.Close()
	}
}

// back serves here what there is, after all, and what is still to come, until over
// is closed or ctx ends.
func (p *passing) back(ctx context.Context, s *front.Server, over <-chan struct{}) {
	for more := true; more; {
		select {
		case <-over:
			more = false
		case <-ctx.Done():
			more = false
		case <-p.more:
		}
		for _, c := range p.take() {
			conn, err := net.FileConn(c.file)
			_ = c.file.Close()
			if err == nil {
				s.Admit(ctx, c.listener, conn)
			}
		}
	}
}
