package front

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

type peerKey struct{}

// peer is the other end of a connection.
type peer struct {
	loopback  bool
	tunnelled bool                 // it has come through a tunnel
	tls       *tls.ConnectionState // of a connection that net/http took for a plain one

	once   sync.Once // guards the lookup
	lookup func() (int, error)
	uid    int
	err    error
}

// connContext is http.Server.ConnContext: it puts the peer into the context of
// every request of the connection. Looking up the uid waits until a call needs
// it.
func (f *Front) connContext(lookup func(net.Conn) (int, error)) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, c net.Conn) context.Context {
		_, through := c.(*tunnelled)
		p := &peer{tunnelled: through}
		for {
			if l, ok := c.(*leftover); ok {
				p.tls = l.tls
			}
			t, ok := c.(interface{ NetConn() net.Conn }) // of TLS, or tunnelled
			if !ok {
				break
			}
			c = t.NetConn()
		}
		p.loopback = addrOf(c.RemoteAddr()).IsLoopback() && addrOf(c.LocalAddr()).IsLoopback()
		p.lookup = func() (int, error) {
			if lookup == nil {
				return -1, errors.New("no way to look up the peer")
			}
			return lookup(c)
		}
		return context.WithValue(ctx, peerKey{}, p)
	}
}

// owner returns the uid of the process at the other end.
func (p *peer) owner() (int, error) {
	p.once.Do(func() { p.uid, p.err = p.lookup() })
	return p.uid, p.err
}

// peerOf returns the peer of a request, or nil when it came past a Server.
func peerOf(r *http.Request) *peer {
	p, _ := r.Context().Value(peerKey{}).(*peer)
	return p
}

// tlsOf is the TLS that net/http does not know of; nil: there is none.
func tlsOf(r *http.Request) *tls.ConnectionState {
	if p := peerOf(r); p != nil {
		return p.tls
	}
	return nil
}

// localIP is the address of this machine that the request came in on.
func localIP(r *http.Request) netip.Addr {
	a, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return addrOf(a)
}

// addrOf returns the address of a TCP endpoint, IPv4-mapped ones as IPv4; the
// zero Addr for anything else.
func addrOf(a net.Addr) netip.Addr {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return t.AddrPort().Addr().Unmap().WithZone("")
}
