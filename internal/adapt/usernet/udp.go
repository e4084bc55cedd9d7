package usernet

import (
	"context"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// udpBuffer is the room for datagrams in each direction of a flow.
const udpBuffer = 128 << 10

// handleUDP starts the flow that a guest's first datagram asks for. Refusing it
// makes the stack answer "port unreachable". It runs on the link's reader.
func (n *Net) handleUDP(r *udp.ForwarderRequest) bool {
	dst := destination(r.ID())
	target, err := n.policy.resolve(dst)
	if err != nil {
		n.log.Debug("datagram refused", "component", "usernet", "address", dst.String(), "err", err)
		return false
	}
	if !n.udp.take() {
		return true // dropped: flows end, and the guest may try again
	}
	g, ok := newGuest(r, udpBuffer)
	if !ok || !n.begin() {
		n.udp.give()
		return true
	}
	go func() {
		defer n.wg.Done()
		defer n.udp.give()
		n.flow(g, target)
	}()
	return true
}

// flow carries datagrams both ways until none has passed for udpIdle, or the
// other side is unreachable.
func (n *Net) flow(g *guest, target netip.AddrPort) {
	defer g.ep.Close()
	c, err := n.dialer.DialContext(n.ctx, "udp", target.String())
	if err != nil {
		return
	}
	host := c.(*net.UDPConn)
	end := func() {
		g.ep.Close()
		_ = host.Close()
	}
	defer context.AfterFunc(n.ctx, end)()
	idle := time.AfterFunc(udpIdle, end)
	defer idle.Stop()

	done := make(chan struct{})
	go func() {
		defer close(done)
		defer end()
		_ = g.each(func(b []byte) error {
			idle.Reset(udpIdle)
			_, err := host.Write(b)
			return err
		})
	}()
	hostDatagrams(g, host, func() { idle.Reset(udpIdle) })
	end()
	<-done
}

// hostDatagrams brings back what the host's peer answers, calling passed for
// each.
func hostDatagrams(g *guest, host *net.UDPConn, passed func()) {
	raw, err := host.SyscallConn()
	if err != nil {
		return
	}
	for {
		buf, n, err := readReady(raw)
		if err == nil {
			passed()
			g.write(buf[:n]) // what does not fit is dropped
		}
		if buf != nil {
			chunks.Put(buf)
		}
		if err != nil {
			return
		}
	}
}
