package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/handover"
	"github.com/sunya-cloud/sunya/internal/core/front"
)

// socket is a listening socket that outlives what serves on it, and this process:
// closing the listener ends accepting and nothing more. Connections then wait in
// the kernel's queue for whoever accepts next, here or in another process.
type socket struct {
	*net.TCPListener
	name string // as configured

	mu     sync.Mutex
	closed bool
	inside int        // calls of Accept
	left   *sync.Cond // signalled when a call of Accept returns
}

func newSocket(l *net.TCPListener, name string) *socket {
	s := &socket{TCPListener: l, name: name}
	s.left = sync.NewCond(&s.mu)
	return s
}

// Accept implements net.Listener.
func (s *socket) Accept() (net.Conn, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, net.ErrClosed
	}
	s.inside++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.inside--
		s.left.Broadcast()
		s.mu.Unlock()
	}()
	c, err := s.AcceptTCP()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, net.ErrClosed
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close implements net.Listener: nothing is accepted any more once it returns.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	err := s.SetDeadline(time.Unix(1, 0))
	for s.inside > 0 && err == nil {
		s.left.Wait()
	}
	return err
}

// reopen lets connections in again after Close.
func (s *socket) reopen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = false
	return s.SetDeadline(time.Time{})
}

// listen opens every socket that the configuration names, or takes the one that a
// predecessor has by that name.
func (m *machine) listen(ctx context.Context, cfg Config, pre *predecessor, log *slog.Logger) error {
	specs, public, err := cfg.listeners()
	if err != nil {
		return err
	}
	if err := pre.checkNamed(specs); err != nil {
		return err
	}
	cert, err := certificate(cfg, log)
	if err != nil {
		return err
	}
	for i, spec := range specs {
		l := pre.listener(spec.Addr())
		if l == nil {
			l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", spec.Addr())
		}
		if err != nil {
			return fmt.Errorf("listen on %s: %w", spec.Addr(), err)
		}
		tcp, ok := l.(*net.TCPListener)
		if !ok {
			return errors.Join(sunya.Errorf(sunya.Internal, "", "%s is no TCP socket", spec.Addr()), l.Close())
		}
		s := newSocket(tcp, spec.Addr())
		m.sockets = append(m.sockets, s)
		fl := front.Listener{Listener: s, Roles: spec.Roles}
		if i >= public {
			fl.TLS = cert
		}
		m.listeners = append(m.listeners, fl)
	}
	return nil
}

// listeners reads the addresses of the configuration: those from public on are
// what the internet sees.
func (c *Config) listeners() (specs []front.Spec, public int, err error) {
	for _, s := range c.Listen {
		spec, err := front.ParseSpec(s)
		if err != nil {
			return nil, 0, fmt.Errorf("--listen: %w", err)
		}
		specs = append(specs, spec)
	}
	public = len(specs)
	for _, addr := range c.Public {
		spec, err := front.ParseSpec(addr + ",roles=apps")
		if err != nil {
			return nil, 0, fmt.Errorf("--public: %w", err)
		}
		specs = append(specs, spec)
	}
	return specs, public, nil
}

// handovers are the sockets as the next server takes them.
func (m *machine) handovers() ([]handover.Socket, error) {
	var out []handover.Socket
	for _, s := range m.sockets {
		f, err := s.File()
		if err != nil {
			for _, open := range out {
				_ = open.File.Close()
			}
			return nil, fmt.Errorf("duplicate socket %s: %w", s.name, err)
		}
		out = append(out, handover.Socket{Name: s.name, File: f})
	}
	return out, nil
}

// settle returns once no socket accepts any more.
func (m *machine) settle() {
	for _, s := range m.sockets {
		_ = s.Close()
	}
}

// reopen lets all sockets accept again.
func (m *machine) reopen() error {
	var err error
	for _, s := range m.sockets {
		err = errors.Join(err, s.reopen())
	}
	return err
}

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
