package usernet

import (
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Two Nets can share a link while one takes over from the other: both write to
// the packet socket, one reads. The one that reads keeps the frames of the
// connections that it has open and passes the others on, so that no connection of
// the guest breaks, until it is closed; then the other reads for itself.

// diversion is where frames go that belong to no connection of a Net.
type diversion struct {
	to   *os.File
	last atomic.Int64 // when a frame was kept or sent, in nanoseconds since 1970
}

// Divert leaves new connections to another Net: their frames go to the given end
// of a packet socket pair, which n owns from then on. Its other end is for
// AttachAfter.
func (n *Net) Divert(to *os.File) error {
	file, err := pollable(to)
	if err != nil {
		return err
	}
	d := &diversion{to: file}
	d.touch()
	n.link.divertTo(d)
	return nil
}

func (d *diversion) touch() {
	if d != nil {
		d.last.Store(time.Now().UnixNano())
	}
}

// Quiet reports whether none of the connections of n has carried anything for d,
// since Divert.
func (n *Net) Quiet(d time.Duration) bool {
	v := n.link.diverted.Load()
	return n.tcp.used.Load()+n.udp.used.Load() == 0 || v != nil && time.Since(time.Unix(0, v.last.Load())) > d
}

// Undivert makes n the only one on its link again.
func (n *Net) Undivert() { n.link.divertTo(nil) }

// AttachAfter is Attach while another Net still has connections on the link: frames
// are read from what that one diverts until it is closed, and then from fd. It
// takes ownership of both, also when it fails.
func AttachAfter(fd, diverted *os.File, p Policy, log *slog.Logger) (*Net, error) {
	first, err := pollable(diverted)
	if err != nil {
		_ = fd.Close()
		return nil, err
	}
	n, err := attach(fd, first, p, log)
	if err != nil {
		_ = first.Close()
	}
	return n, err
}

func (l *link) divertTo(d *diversion) {
	if old := l.diverted.Swap(d); old != nil {
		_ = old.to.Close()
	}
}

// divert passes a frame on that is not for this Net, and reports whether it did.
func (l *link) divert(frame []byte) bool {
	d := l.diverted.Load()
	if d == nil {
		return false
	}
	if l.isOpen(frame) {
		d.touch()
		return false
	}
	raw, err := d.to.SyscallConn()
	if err != nil {
		return true // it was closed just now: as good as lost on the wire
	}
	_ = raw.Write(func(fd uintptr) bool {
		_, _ = unix.Write(int(fd), frame) // what does not fit is dropped, as by the link
		return true
	})
	return true
}

// isOpen says whether an acceptable frame belongs to a connection that n has.
func (n *Net) isOpen(frame []byte) bool {
	ip := header.IPv4(frame[header.EthernetMinimumSize:])
	if int(ip.HeaderLength()) > len(ip) {
		return true // it is refused like any other
	}
	id, known := endpointID(ip, ip[ip.HeaderLength():])
	if !known {
		return true
	}
	ep, ok := n.stack.FindTransportEndpoint(ipv4.ProtocolNumber, ip.TransportProtocol(), id, nicID).(tcpip.Endpoint)
	if !ok {
		return false
	}
	info, ok := ep.Info().(*stack.TransportEndpointInfo)
	return !ok || info.ID.RemotePort == id.RemotePort // else it listens for anybody
}

// endpointID names the connection of a packet from the guest as the stack does.
func endpointID(ip header.IPv4, payload []byte) (id stack.TransportEndpointID, ok bool) {
	id = stack.TransportEndpointID{LocalAddress: ip.DestinationAddress(), RemoteAddress: ip.SourceAddress()}
	switch {
	case ip.TransportProtocol() == header.TCPProtocolNumber && len(payload) >= header.TCPMinimumSize:
		id.LocalPort, id.RemotePort = header.TCP(payload).DestinationPort(), header.TCP(payload).SourcePort()
	case ip.TransportProtocol() == header.UDPProtocolNumber && len(payload) >= header.UDPMinimumSize:
		id.LocalPort, id.RemotePort = header.UDP(payload).DestinationPort(), header.UDP(payload).SourcePort()
	default:
		return id, false
	}
	return id, true
}
