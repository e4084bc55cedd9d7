package usernet

import (
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

const nicID tcpip.NICID = 1

// Buffers of one TCP connection towards the guest, each direction. They shrink
// as connections grow in number, so that all of a sandbox together stay near
// bufferBudget.
const (
	maxBuffer    = 512 << 10
	minBuffer    = 16 << 10
	bufferBudget = 32 << 20
)

// newStack builds a stack whose only link is l and that accepts packets to
// every address.
func (n *Net) newStack(l *link) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	if err := tune(s); err != nil {
		s.Destroy()
		return nil, err
	}
	if err := join(s, l); err != nil {
		s.Destroy()
		return nil, err
	}
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, tcp.NewForwarder(s, maxBuffer, maxDialing, n.handleTCP).HandlePacket)
	s.SetTransportProtocolHandler(udp.ProtocolNumber, udp.NewForwarder(s, n.handleUDP).HandlePacket)
	return s, nil
}

// tune sets what a short, lossless link needs.
func tune(s *stack.Stack) error {
	sack := tcpip.TCPSACKEnabled(true)
	moderate := tcpip.TCPModerateReceiveBufferOption(false)
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: maxBuffer, Max: maxBuffer}
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: maxBuffer, Max: maxBuffer}
	// Nothing is delayed or duplicated between two ends on one machine; the
	// default minute would hold every closed connection's memory that long.
	timeWait := tcpip.TCPTimeWaitTimeoutOption(time.Second)
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &send, &receive, &timeWait} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("set %T: %s", o, err)
		}
	}
	return nil
}

// join puts the link in place.
func join(s *stack.Stack, l *link) error {
	if err := s.CreateNIC(nicID, l); err != nil {
		return fmt.Errorf("create interface: %s", err)
	}
	for _, addr := range []string{sandbox.GatewayIP, sandbox.MetadataIP} {
		a := tcpip.ProtocolAddress{
			Protocol:          ipv4.ProtocolNumber,
			AddressWithPrefix: tcpip.AddrFrom4(netip.MustParseAddr(addr).As4()).WithPrefix(),
		}
		if err := s.AddProtocolAddress(nicID, a, stack.AddressProperties{}); err != nil {
			return fmt.Errorf("add address %s: %s", addr, err)
		}
	}
	if err := s.SetPromiscuousMode(nicID, true); err != nil {
		return fmt.Errorf("accept all addresses: %s", err)
	}
	if err := s.SetSpoofing(nicID, true); err != nil {
		return fmt.Errorf("answer from all addresses: %s", err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: allIPv4(), NIC: nicID}})
	return nil
}

// allIPv4 is 0.0.0.0/0.
func allIPv4() tcpip.Subnet {
	return tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4([4]byte{}), PrefixLen: 0}.Subnet()
}

// bufferSize is the size of each buffer of a connection when open connections
// exist.
func bufferSize(open int64) int64 {
	return min(maxBuffer, max(minBuffer, bufferBudget/max(1, open)))
}

// destination is where a guest's packet wants to go.
func destination(id stack.TransportEndpointID) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(id.LocalAddress.As4()), id.LocalPort)
}
