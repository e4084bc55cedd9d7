package usernet

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

const (
	dnsPort       = 53
	maxQuery      = 1500 // bytes; a question is at most 271, the rest is options
	dnsStreamIdle = 10 * time.Second
)

// dnsAddr is where the guest's resolver is told to ask.
var dnsAddr = netip.AddrPortFrom(metadataIP, dnsPort)

// serveDNS answers datagrams to dnsAddr until the Net is closed.
func (n *Net) serveDNS() error {
	addr := tcpip.FullAddress{NIC: nicID, Addr: tcpip.AddrFrom4(metadataIP.As4()), Port: dnsPort}
	conn, err := gonet.DialUDP(n.stack, &addr, nil, ipv4.ProtocolNumber)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", dnsAddr, err)
	}
	n.wg.Go(func() {
		defer conn.Close()
		buf := make([]byte, maxQuery)
		for {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			n.answerDatagram(conn, append([]byte(nil), buf[:size]...), from)
		}
	})
	return nil
}

// answerDatagram answers one query without holding up the next. Above maxDNS
// queries at once it is dropped: the guest's resolver asks again.
func (n *Net) answerDatagram(conn net.PacketConn, query []byte, to net.Addr) {
	if !n.queries.take() {
		return
	}
	if !n.begin() {
		n.queries.give()
		return
	}
	go func() {
		defer n.wg.Done()
		defer n.queries.give()
		if reply := n.dns.answer(n.ctx, "udp", query); reply != nil {
			_, _ = conn.WriteTo(reply, to)
		}
	}()
}

// serveDNSStream answers the queries of one TCP connection in order (RFC 7766).
func (n *Net) serveDNSStream(g *guest) {
	conn := gonet.NewTCPConn(&g.wq, g.ep)
	defer conn.Close()
	for n.ctx.Err() == nil {
		_ = conn.SetDeadline(time.Now().Add(dnsStreamIdle))
		query, err := readMessage(conn, maxQuery)
		if err != nil {
			return
		}
		reply := n.dns.answer(n.ctx, "tcp", query)
		if reply == nil || writeMessage(conn, reply) != nil {
			return
		}
	}
}

// readMessage reads a DNS message with its length in front.
func readMessage(r io.Reader, limit int) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(length[:]))
	if size > limit {
		return nil, fmt.Errorf("read message: %d bytes are more than %d", size, limit)
	}
	msg := make([]byte, size)
	_, err := io.ReadFull(r, msg)
	return msg, err
}

// writeMessage writes a DNS message with its length in front, in one piece.
func writeMessage(w io.Writer, msg []byte) error {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, len(msg)+2), uint16(len(msg)))
	_, err := w.Write(append(b, msg...))
	return err
}
