package usernet

import (
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// handleTCP answers one SYN: it dials the destination first and completes the
// guest's handshake only when that worked, so that a guest sees a refusal as a
// refusal. The forwarder gives each call its own goroutine.
func (n *Net) handleTCP(r *tcp.ForwarderRequest) {
	if !n.begin() {
		r.Complete(true)
		return
	}
	defer n.wg.Done()
	if !n.tcp.take() {
		r.Complete(true)
		return
	}
	defer n.tcp.give()
	dst := destination(r.ID())
	serve := n.carryTCP
	switch {
	case dst == dnsAddr:
		serve = n.answerWith(n.serveDNSStream)
	case dst == metadataAddr && n.policy.Metadata != nil:
		serve = n.answerWith(func(g *guest) { serveConn(g, n.policy.Metadata) })
	case dst == apiAddr && n.policy.APIs != nil:
		serve = n.answerWith(func(g *guest) { serveConn(g, n.policy.APIs) })
	case dst.Addr() == gatewayIP && n.policy.Services != nil:
		if answer := n.policy.Services.Serve(dst.Port()); answer != nil {
			serve = n.answerWith(func(g *guest) { serveConn(g, answer) })
		}
	}
	serve(r, dst)
}

// answerWith lets the gateway itself answer a connection.
func (n *Net) answerWith(serve func(*guest)) func(*tcp.ForwarderRequest, netip.AddrPort) {
	return func(r *tcp.ForwarderRequest, _ netip.AddrPort) {
		if g, ok := n.accept(r); ok {
			serve(g)
		}
	}
}

// begin counts a goroutine in, unless the Net is being closed.
func (n *Net) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.wg.Add(1)
	return true
}

// carryTCP connects the guest with the destination it asks for.
func (n *Net) carryTCP(r *tcp.ForwarderRequest, dst netip.AddrPort) {
	host, err := n.dialTCP(dst)
	if err != nil {
		n.log.Debug("connection refused", "component", "usernet", "address", dst.String(), "err", err)
		r.Complete(true)
		return
	}
	defer host.Close()
	g, ok := n.accept(r)
	if !ok {
		abort(host)
		return
	}
	n.splice(g, host)
}

// dialTCP connects to where the policy lets dst lead.
func (n *Net) dialTCP(dst netip.AddrPort) (*net.TCPConn, error) {
	target, err := n.policy.resolve(dst)
	if err != nil {
		return nil, err
	}
	c, err := n.dialer.DialContext(n.ctx, "tcp", target.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// accept completes the guest's handshake.
func (n *Net) accept(r *tcp.ForwarderRequest) (*guest, bool) {
	g, ok := newGuest(r, bufferSize(n.tcp.used.Load()))
	r.Complete(!ok)
	return g, ok
}
