package usernet

import (
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// metadataAddr is where code looks for a metadata server.
var metadataAddr = netip.AddrPortFrom(metadataIP, 80)

// apiAddr is where it finds the APIs of this server.
var apiAddr = netip.AddrPortFrom(metadataIP, sandbox.APIPort)

// metadataNames lead there, too.
var metadataNames = []string{"metadata", "metadata.google.internal", "metadata.goog"}

// serveConn hands one connection on to what answers it.
func serveConn(g *guest, answer func(net.Conn)) {
	conn := gonet.NewTCPConn(&g.wq, g.ep)
	defer conn.Close()
	answer(conn)
}
