package gateway

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/http1"
)

// client is who asks, and how.
type client struct {
	ip      string
	scheme  string
	via     string // value of X-Forwarded-For for the instance
	proxied bool   // a trusted proxy said what the scheme is

	addr netip.Addr // of the other end; invalid: unknown
}

// clientOf believes X-Forwarded-For and X-Forwarded-Proto only from trusted
// proxies.
func (g *Gateway) clientOf(r *request) client {
	c := g.peer(r)
	if c.addr.IsValid() && g.trusts(c.addr) && r.caller == nil {
		c.believe(r.header, g.trusts)
	}
	return c
}

// peer is who is at the other end of the connection.
func (g *Gateway) peer(r *request) client {
	c := client{ip: r.remote, scheme: "http"}
	if r.tls {
		c.scheme = "https"
	}
	if peer, err := netip.ParseAddrPort(r.remote); err == nil {
		c.addr = peer.Addr().Unmap().WithZone("")
		c.ip = c.addr.String()
	}
	c.via = c.ip
	return c
}

func (g *Gateway) trusts(a netip.Addr) bool {
	for _, p := range g.opts.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// believe takes what a trusted proxy says: the client is the last address in
// the chain that is not a trusted proxy itself.
func (c *client) believe(h http1.Header, trusted func(netip.Addr) bool) {
	if p := strings.ToLower(h.Get("X-Forwarded-Proto")); p == "http" || p == "https" {
		c.scheme, c.proxied = p, true
	}
	chain := strings.Split(strings.Join(slices.Collect(h.Values("X-Forwarded-For")), ","), ",")
	var known []string
	for i := len(chain) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(chain[i]))
		if err != nil {
			break
		}
		a = a.Unmap().WithZone("")
		known = append([]string{a.String()}, known...)
		c.ip = a.String()
		if !trusted(a) {
			break
		}
	}
	c.via = strings.Join(append(known, c.via), ", ")
}

// appendForwarded appends the value of Forwarded (RFC 7239 §4).
func (c client) appendForwarded(b []byte, host string) []byte {
	b = append(b, "for="...)
	if strings.IndexByte(c.ip, ':') >= 0 {
		b = append(append(append(b, `"[`...), c.ip...), `]"`...)
	} else {
		b = append(b, c.ip...)
	}
	b = append(b, `;host="`...)
	for _, c := range []byte(host) {
		if quotable(c) {
			b = append(b, c)
		}
	}
	return append(append(b, `";proto=`...), c.scheme...)
}

// quotable reports whether a byte may stand in a quoted string as it is. What may
// not is left out; no host has it.
func quotable(c byte) bool { return c != '"' && c != '\\' && c >= ' ' && c <= '~' }
