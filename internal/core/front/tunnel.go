package front

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/sunya-cloud/sunya"
)

// tunnel answers CONNECT to the API of this very listener: what comes through is
// served as if it had been sent without. There are clients that can be told a
// proxy for names that nobody knows and that then ask it for tunnels (gcloud, in
// some of its parts). Nothing else is connected to, and who calls stays who he is.
// A tunnel holds no other one, which would cost memory without end, and none is
// for requests that a proxy or a web page has passed on: what comes through would
// not show it any more.
func (f *Front) tunnel(w http.ResponseWriter, r *http.Request, class hostClass) {
	srv, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if class != hostAPI || !f.own(r) || r.TLS != nil || srv == nil || proxied(r) || marked(r) || inTunnel(r) {
		fail(w, r, &methodError{method: r.Method, path: r.Host})
		return
	}
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, r, sunya.Errorf(sunya.Unimplemented, "", "a tunnel needs HTTP/1.1"))
		return
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		_ = conn.Close() // the client is gone
		return
	}
	inner := &tunnelled{Conn: conn, rest: buf.Reader}
	if err := srv.Serve(&once{conn: inner}); err == http.ErrServerClosed { //nolint:errorlint // Serve documents this very value
		_ = conn.Close()
	}
}

// inTunnel reports whether a request has come through a tunnel already.
func inTunnel(r *http.Request) bool {
	p := peerOf(r)
	return p != nil && p.tunnelled
}

// own reports whether a request is for the port that it came in on.
func (f *Front) own(r *http.Request) bool {
	_, port, err := net.SplitHostPort(r.Host)
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return err == nil && ok && port == strconv.Itoa(local.Port)
}

// tunnelled is a connection whose first bytes may have been read ahead.
type tunnelled struct {
	net.Conn
	rest *bufio.Reader
}

// Read implements net.Conn.
func (t *tunnelled) Read(p []byte) (int, error) {
	if t.rest.Buffered() > 0 {
		return t.rest.Read(p)
	}
	return t.Conn.Read(p)
}

// NetConn is the connection itself, as of a tls.Conn.
func (t *tunnelled) NetConn() net.Conn { return t.Conn }

// once is a listener with one connection.
type once struct{ conn net.Conn }

// Accept implements net.Listener: a server goes on serving what it has accepted
// when there is nothing more to accept.
func (o *once) Accept() (net.Conn, error) {
	if c := o.conn; c != nil {
		o.conn = nil
		return c, nil
	}
	return nil, io.EOF
}

// Close implements net.Listener. The connection is the server's.
func (o *once) Close() error { return nil }

// Addr implements net.Listener.
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }
