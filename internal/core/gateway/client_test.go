package gateway

import (
	"net/netip"
	"testing"
)

func TestClientOf(t *testing.T) {
	g := &Gateway{opts: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}}}
	for _, tt := range []struct {
		name, remote, xff, proto string
		ip, scheme, via          string
	}{
		{"direct", "203.0.113.5:99", "", "", "203.0.113.5", "http", "203.0.113.5"},
		{"a client's own claim", "203.0.113.5:99", "1.2.3.4", "https", "203.0.113.5", "http", "203.0.113.5"},
		{"one proxy", "10.0.0.1:99", "198.51.100.7", "https", "198.51.100.7", "https", "198.51.100.7, 10.0.0.1"},
		{"two proxies", "10.0.0.1:99", "198.51.100.7, 10.9.9.9", "https", "198.51.100.7", "https", "198.51.100.7, 10.9.9.9, 10.0.0.1"},
		{"a claim through a proxy", "10.0.0.1:99", "1.2.3.4, 198.51.100.7", "http", "198.51.100.7", "http", "198.51.100.7, 10.0.0.1"},
		{"nonsense from a proxy", "10.0.0.1:99", "unknown", "", "10.0.0.1", "http", "10.0.0.1"},
		{"a scheme that is none", "10.0.0.1:99", "198.51.100.7", "gopher", "198.51.100.7", "http", "198.51.100.7, 10.0.0.1"},
		{"IPv4-mapped", "[::ffff:10.0.0.1]:99", "198.51.100.7", "https", "198.51.100.7", "https", "198.51.100.7, 10.0.0.1"},
		{"no header", "[::1]:99", "", "", "::1", "http", "::1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request{remote: tt.remote}
			if tt.xff != "" {
				r.header.Add("X-Forwarded-For", tt.xff)
			}
			if tt.proto != "" {
				r.header.Add("X-Forwarded-Proto", tt.proto)
			}
			got, want := g.clientOf(&r), client{ip: tt.ip, scheme: tt.scheme, via: tt.via, proxied: tt.scheme == tt.proto && tt.proto != ""}
			if got.addr = want.addr; got != want {
				t.Errorf("client = %+v, want %+v", got, want)
			}
		})
	}
}
