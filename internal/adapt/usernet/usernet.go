// Package usernet is the outbound network of a sandbox, in user space: a TCP/IP
// stack that answers at the far end of the sandbox's Ethernet link and carries
// each connection on through an ordinary socket of this process. It needs no
// privilege and leaves nothing on the host: no bridge, no firewall rule, no
// address; closing the Net ends all of it.
//
// The link is an AF_PACKET socket that whoever built the sandbox bound to the
// peer of the sandbox's interface. Reading waits in Go's poller, writing is
// done by whoever has a packet, so an idle or frozen sandbox holds a few parked
// goroutines and no running timer.
package usernet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// What one sandbox may use at most. Beyond it a connection is refused and a
// datagram dropped: a sandbox can only exhaust itself.
const (
	maxTCP     = 2048 // connections, being dialled or open
	maxDialing = 256  // of these, not yet answered by the other side
	maxUDP     = 512  // flows
	maxDNS     = 64   // queries waiting for a resolver

	dialTimeout = 30 * time.Second
	udpIdle     = 60 * time.Second // RFC 4787 §4.3 asks for two minutes where memory allows; sandboxes are many
)

// Policy says where a sandbox may connect. The zero value allows public and
// private addresses and denies the host's own, loopback, link-local and the
// like.
type Policy struct {
	// Allow lists destinations that are let through although the rules deny
	// them: a package proxy on the host's loopback, say. A loopback entry is
	// reached from inside at the gateway's address and the same port, because
	// a sandbox's own loopback never leaves it.
	Allow []netip.AddrPort
	// Resolvers answer DNS queries; when empty, those of /etc/resolv.conf do,
	// and the file is read again whenever it has changed.
	Resolvers []netip.AddrPort
	// Metadata, when not nil, answers connections to the metadata server. It
	// owns the connection and returns when it has closed it; the connection
	// breaks when the Net is closed.
	Metadata func(net.Conn)
	// APIs, when not nil, answers connections to sandbox.APIPort there, as
	// Metadata does.
	APIs func(net.Conn)
	// Services, when not nil, are what the platform itself serves for the guest
	// at the gateway's address.
	Services Services
}

// Services are services of the platform that a guest reaches by name.
type Services interface {
	// Named reports whether a name leads to them: lower case, without the dot
	// at its end.
	Named(name string) bool
	// Serve returns what answers a connection to a port, or nil where nothing
	// does. It owns the connection as Policy.Metadata does.
	Serve(port uint16) func(net.Conn)
}

// Net is the network of one sandbox. Its methods are safe for concurrent use.
type Net struct {
	policy Policy
	dialer net.Dialer
	dns    *forwarder
	link   *link
	stack  *stack.Stack
	log    *slog.Logger

	ctx  context.Context // ends with Close: the life of flows, not of a call
	stop context.CancelFunc
	wg   sync.WaitGroup // every goroutine that this package starts

	tcp, udp, queries gauge

	mu     sync.Mutex // guards the next field and wg.Add against Close
	closed bool
}

// Attach runs a network on fd, a raw packet socket bound to the gateway's end
// of a sandbox's link. It takes ownership of fd, also when it fails; the caller
// owns the Net and must Close it.
func Attach(fd *os.File, p Policy, log *slog.Logger) (*Net, error) {
	return attach(fd, nil, p, log)
}

// attach reads from first, which is the caller's while it fails, until its end.
func attach(fd, first *os.File, p Policy, log *slog.Logger) (*Net, error) {
	l, err := newLink(fd)
	if err != nil {
		return nil, fmt.Errorf("attach network: %w", err)
	}
	l.first = first
	ctx, stop := context.WithCancel(context.Background())
	n := &Net{
		policy:  p,
		dialer:  net.Dialer{Timeout: dialTimeout},
		link:    l,
		log:     log,
		ctx:     ctx,
		stop:    stop,
		tcp:     gauge{max: maxTCP},
		udp:     gauge{max: maxUDP},
		queries: gauge{max: maxDNS},
	}
	n.link.isOpen = n.isOpen
	n.dns = newForwarder(p)
	if n.stack, err = n.newStack(l); err != nil {
		stop()
		return nil, errors.Join(fmt.Errorf("attach network: %w", err), l.close())
	}
	if err := n.serveDNS(); err != nil {
		return nil, errors.Join(fmt.Errorf("attach network: %w", err), n.Close())
	}
	n.wg.Go(func() { n.link.readLoop(log) })
	return n, nil
}

// Close ends every connection and returns when no goroutine of the Net is left.
// Closing twice is not an error.
func (n *Net) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.stop()
	err := n.link.close()
	n.stack.Close()
	n.wg.Wait()
	n.stack.Wait()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
