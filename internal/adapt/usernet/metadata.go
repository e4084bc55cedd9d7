package usernet

import (
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

// metadataAddr is where code looks for a metadata server.
var metadataAddr = netip.AddrPortFrom(metadataIP, 80)

// metadataNames lead there, too.
var metadataNames = []string{"metadata", "metadata.google.internal", "metadata.goog"}

// serveMetadata hands one connection on to whoever answers for metadata.
func (n *Net) serveMetadata(g *guest) { serveConn(g, n.policy.Metadata) }

// serveConn hands one connection on to what answers it.
func serveConn(g *guest, answer func(net.Conn)) {
	conn := gonet.NewTCPConn(&g.wq, g.ep)
	defer conn.Close()
	answer(conn)
}
