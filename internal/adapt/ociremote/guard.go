package ociremote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/sunya-cloud/sunya"
)

// How long a registry may take.
const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 30 * time.Second
	shortRequest  = 90 * time.Second // for everything but the bytes of a blob
	bodyGrace     = 60 * time.Second // before a body must come at minBodyRate
	minBodyRate   = 16 << 10         // bytes a second
	maxRedirects  = 5
	// maxBody bounds every answer but blobs, also those that nobody reads to
	// the end for its content.
	maxBody = 16 << 20
)

// wholeKey marks the context of a request whose answer may be of any size.
type wholeKey struct{}

// guard makes the connections to one registry, and to where it redirects.
type guard struct {
	home    string // host of the registry, without port
	trusted bool   // the server's owner has named it: it may be anywhere
	private atomic.Bool
	proxies map[string]bool
	rt      *http.Transport
}

// newGuard returns the transport for a registry.
func newGuard(registry string, trusted bool) *guard {
	g := &guard{home: hostOf(registry), trusted: trusted, proxies: proxies()}
	g.rt = &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            g.dial,
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    4,
		DisableCompression:     true, // a digest is over the bytes as they are sent
		ForceAttemptHTTP2:      true,
	}
	return g
}

func (g *guard) close() { g.rt.CloseIdleConnections() }

func hostOf(hostport string) string {
	u := url.URL{Host: hostport}
	return strings.ToLower(u.Hostname())
}

// proxies are the addresses that the environment names as proxies. They are the
// owner's choice, so they may be anywhere.
func proxies() map[string]bool {
	out := map[string]bool{}
	for _, scheme := range []string{"http", "https"} {
		u, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: scheme, Host: "registry.example.com"}})
		if err != nil || u == nil {
			continue
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		out[net.JoinHostPort(u.Hostname(), port)] = true
	}
	return out
}

// RoundTrip implements http.RoundTripper: credentials stay with those they are
// for, and answers are bounded.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	host := hostOf(r.URL.Host)
	basic := strings.HasPrefix(r.Header.Get("Authorization"), "Basic ")
	if (basic || r.Method == http.MethodPost) && !sameSite(g.home, host) {
		return nil, sunya.Errorf(sunya.PermissionDenied, "", "%s wants the password for it to be sent to %s, which belongs to somebody else", g.home, host)
	}
	res, err := g.rt.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	limit := int64(maxBody)
	if r.Context().Value(wholeKey{}) != nil && res.StatusCode == http.StatusOK {
		limit = -1
	}
	res.Body = newPaced(res.Body, limit)
	return res, nil
}

// sameSite reports whether two hosts belong to one owner: they are the same, or
// both below one name that somebody has registered.
func sameSite(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := publicsuffix.EffectiveTLDPlusOne(a)
	y, err2 := publicsuffix.EffectiveTLDPlusOne(b)
	return err1 == nil && err2 == nil && x == y
}

// checkRedirect follows a registry to where its blobs are, but not without end,
// and not from TLS to without.
func checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return sunya.Errorf(sunya.InvalidArgument, "", "it redirects more than %d times", maxRedirects)
	case r.URL.Scheme != "https" && via[0].URL.Scheme == "https":
		return sunya.Errorf(sunya.InvalidArgument, "", "it redirects from HTTPS to %s://%s", r.URL.Scheme, r.URL.Host)
	}
	return nil
}

// dial connects to an address that may be connected to. The name is resolved
// here, so that what was checked is what is used.
func (g *guard) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if g.proxies[addr] {
		return d.DialContext(ctx, network, addr)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, ip := range ips {
		if err := g.check(strings.ToLower(host), ip.Unmap()); err != nil {
			errs = append(errs, err)
			continue
		}
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// never are addresses that no registry has: the metadata services of clouds that
// are not on a link-local address, as instances are kept from them, and IPv6
// ranges in which any IPv4 address can hide.
var never = []netip.Prefix{
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle
	netip.MustParsePrefix("fd00:ec2::254/128"),  // Amazon
	netip.MustParsePrefix("::/96"),              // IPv4-compatible, RFC 4291 §2.5.5.1
	netip.MustParsePrefix("::ffff:0:0:0/96"),    // IPv4-translated, RFC 2765
	netip.MustParsePrefix("64:ff9b::/96"),       // NAT64, RFC 6052
	netip.MustParsePrefix("2002::/16"),          // 6to4, RFC 3056
}

// check says why an address may not be connected to: a registry must not make
// the server ask its own machine, the machine's cloud, or a network that the
// registry is not in itself.
func (g *guard) check(host string, ip netip.Addr) error {
	atHome := host == g.home
	switch {
	case !ip.IsLoopback() && slices.ContainsFunc(never, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return forbidden(host, ip)
	case ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified(), !ip.IsValid():
		return forbidden(host, ip)
	case ip.IsLoopback():
		if !g.loopback() && !(atHome && g.trusted) {
			return forbidden(host, ip)
		}
	case ip.IsPrivate():
		if atHome {
			g.private.Store(true)
		} else if !g.private.Load() && !g.trusted {
			return forbidden(host, ip)
		}
	}
	return nil
}

// loopback reports whether the registry was named as one on this machine.
func (g *guard) loopback() bool {
	if g.home == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(g.home)
	return err == nil && ip.IsLoopback()
}

func forbidden(host string, ip netip.Addr) error {
	return sunya.Errorf(sunya.PermissionDenied, "", "%s is at %s, where this registry may not send the server", host, ip)
}

// paced is a body that must keep coming.
type paced struct {
	body  io.ReadCloser
	limit int64 // of bytes; -1: none
	got   int64
	start time.Time
	slow  *time.Timer
	late  atomic.Bool
}

func newPaced(body io.ReadCloser, limit int64) *paced {
	p := &paced{body: body, limit: limit, start: time.Now()}
	p.slow = time.AfterFunc(bodyGrace, func() {
		p.late.Store(true)
		_ = p.body.Close() // ends the read under way, which tells
	})
	return p
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	n, err := p.body.Read(b)
	p.got += int64(n)
	if p.late.Load() {
		return n, sunya.Errorf(sunya.Unavailable, "", "it sends less than %v a second", sunya.Bytes(minBodyRate))
	}
	if p.limit >= 0 && p.got > p.limit {
		return n, sunya.Errorf(sunya.InvalidArgument, "", "it answers with more than %v", sunya.Bytes(p.limit))
	}
	p.slow.Reset(time.Until(p.start.Add(bodyGrace + time.Duration(p.got/minBodyRate)*time.Second)))
	return n, err
}

// Close implements io.Closer.
func (p *paced) Close() error {
	p.slow.Stop()
	return p.body.Close()
}

// explain says what a caller can do about an error.
func explain(err error) error {
	var own *sunya.Error
	if errors.As(err, &own) {
		return own
	}
	if status, text, ok := answered(err); ok {
		return &sunya.Error{Code: codeOf(status), Message: fmt.Sprintf("it answers %d %s%s", status, http.StatusText(status), text), Err: err}
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &sunya.Error{Code: sunya.Unavailable, Message: "it cannot be reached: " + lastCause(err), Err: err}
}

func codeOf(status int) sunya.Code {
	switch {
	case status == http.StatusNotFound:
		return sunya.NotFound
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return sunya.PermissionDenied
	case status == http.StatusTooManyRequests, status >= 500, status == http.StatusRequestTimeout:
		return sunya.Unavailable
	}
	return sunya.InvalidArgument
}
