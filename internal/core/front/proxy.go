package front

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddr returns the address of the client that made a request: the peer
// of the connection or, when that is a trusted proxy, the nearest address in
// X-Forwarded-For that is not one. It is the zero Addr when that is not known.
func ClientAddr(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := remote.Addr().Unmap().WithZone("")
	p := peerOf(r)
	if p == nil || !trusted(p.proxies, addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return addr // what a proxy wrote ends here
		}
		addr = hop.Unmap().WithZone("")
		if !trusted(p.proxies, addr) {
			return addr
		}
	}
	return addr
}

// Scheme returns http or https: how the client spoke to the outermost trusted
// proxy, or else to this server.
func Scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	if p := peerOf(r); p != nil {
		if remote, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && trusted(p.proxies, remote.Addr()) {
			first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
			if strings.EqualFold(strings.TrimSpace(first), "https") {
				return "https"
			}
		}
	}
	return "http"
}

// trusted says whether an address is in one of the prefixes.
func trusted(prefixes []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
