package usernet

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

var (
	gatewayIP  = netip.MustParseAddr(sandbox.GatewayIP)
	metadataIP = netip.MustParseAddr(sandbox.MetadataIP)
	loopback4  = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// denied lists the ranges that no sandbox reaches, whatever the host's routes
// say.
var denied = []struct {
	prefix netip.Prefix
	why    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified address"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local address"},
	{netip.PrefixFrom(gatewayIP, sandbox.LinkBits).Masked(), "sandbox link"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved address"}, // with 255.255.255.255
	{netip.MustParsePrefix("::/128"), "unspecified address"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("fe80::/10"), "link-local address"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	// Metadata services of clouds that are not on a link-local address:
	// whoever reaches one holds the machine's credentials.
	{netip.MustParsePrefix("100.100.100.200/32"), "cloud metadata service"}, // Alibaba
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata service"},   // Azure
	{netip.MustParsePrefix("192.0.0.192/32"), "cloud metadata service"},     // Oracle
	{netip.MustParsePrefix("fd00:ec2::254/128"), "cloud metadata service"},  // Amazon
}

// embeddings are IPv6 ranges that carry an IPv4 address, at the byte given.
var embeddings = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible, RFC 4291 §2.5.5.1
	{netip.MustParsePrefix("::ffff:0:0/96"), 12},   // IPv4-mapped, RFC 4291 §2.5.5.2
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated, RFC 2765
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4, RFC 3056
}

// deniedError is why a destination is refused.
type deniedError struct {
	addr netip.Addr
	why  string
}

func (e *deniedError) Error() string { return fmt.Sprintf("%s is denied: %s", e.addr, e.why) }

// resolve returns the address to dial for a destination that a guest named, or
// why it is refused.
func (p *Policy) resolve(dst netip.AddrPort) (netip.AddrPort, error) {
	if dst.Addr() == gatewayIP {
		dst = netip.AddrPortFrom(loopback4, dst.Port())
	}
	if slices.Contains(p.Allow, dst) {
		return dst, nil
	}
	if why := rangeDenied(dst.Addr()); why != "" {
		return dst, &deniedError{dst.Addr(), why}
	}
	if why := hostDenied(dst.Addr()); why != "" {
		return dst, &deniedError{dst.Addr(), why}
	}
	return dst, nil
}

// rangeDenied returns why an address is denied on every machine, or "".
func rangeDenied(a netip.Addr) string {
	a = a.WithZone("")
	for _, d := range denied {
		if d.prefix.Contains(a) {
			return d.why
		}
	}
	if !a.Is6() {
		return ""
	}
	b := a.As16()
	for _, e := range embeddings {
		// netip keeps mapped addresses apart from the prefixes of plain IPv6.
		if e.prefix.Contains(a) || a.Is4In6() && e.at == 12 {
			return rangeDenied(netip.AddrFrom4([4]byte(b[e.at : e.at+4])))
		}
	}
	return ""
}

// hostDenied returns why this machine's kernel would not send a packet to a
// away from itself, or "". The kernel's own routing decides, each time anew:
// that covers every address of every interface, also those added since, and
// subnet broadcasts.
func hostDenied(a netip.Addr) string {
	routes, err := netlink.RouteGet(a.AsSlice())
	if err != nil || len(routes) == 0 {
		return "no route"
	}
	switch routes[0].Type {
	case unix.RTN_UNICAST:
		return ""
	case unix.RTN_LOCAL:
		return "address of this host"
	case unix.RTN_BROADCAST:
		return "broadcast address"
	}
	return "no unicast route"
}

// isLinkService says whether the gateway itself answers on an address.
func isLinkService(a netip.Addr) bool { return a == gatewayIP || a == metadataIP }
