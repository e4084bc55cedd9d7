package node

import (
	"fmt"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/front"
)

// Banner is what somebody sees who has started a server.
func (n *Node) Banner() string {
	var b strings.Builder
	report := n.machine.engine.Report()
	fmt.Fprintf(&b, "Sunya %s   ready in %.1f s\n", n.cfg.Version, time.Since(n.started).Seconds())
	fmt.Fprintf(&b, "  apps       %s\n", n.url("<name>"))
	for _, l := range n.machine.listeners {
		if l.Roles.Has(front.API) {
			fmt.Fprintf(&b, "  APIs       http://%s   eval \"$(%s)\"\n", l.Addr(), envCommand(l.Addr().String()))
		}
	}
	kept := "durable; --ephemeral to discard"
	if n.machine.dir.Ephemeral() {
		kept = "ephemeral: gone when the server stops"
	}
	fmt.Fprintf(&b, "  data       %s   (%s)\n", n.machine.dir.Path(), kept)
	fmt.Fprintf(&b, "  isolation  %s\n", report.Level)
	for _, m := range report.Missing {
		fmt.Fprintf(&b, "             missing: %s\n", m)
	}
	return b.String()
}

// envCommand points other programs at the server: sunya looks for it at the
// default address.
func envCommand(addr string) string {
	if addr == DefaultListen {
		return "sunya env"
	}
	return "sunya env --server http://" + addr
}
