package gateway

import (
	"io"
	"net"
)

// GuardConn wraps a connection so that requests whose end two servers could see
// in different places never reach a handler: Content-Length beside
// Transfer-Encoding, bare line feeds and carriage returns, folded headers (rule
// 22). They are answered with 400 and the connection is closed, which net/http
// alone does not do. HTTP/2 passes untouched. A TLS connection must not be
// wrapped: net/http looks for it itself.
func GuardConn(c net.Conn) net.Conn { return &guarded{Conn: c} }

// guarded is a connection whose incoming bytes are followed.
type guarded struct {
	net.Conn
	scan   scanner
	bad    bool   // nothing more is read from the client
	poison []byte // what the server reads instead
}

// poison makes any server refuse the head, chunk or trailer it stands in.
const poison = "\x00\r\n\x00\r\n\r\n"

// Read implements net.Conn. Bytes before a violation are passed on, so that
// requests before the bad one are answered.
func (c *guarded) Read(p []byte) (int, error) {
	if c.bad {
		return c.readPoison(p)
	}
	n, err := c.Conn.Read(p)
	good, ok := c.scan.scan(p[:n])
	if ok {
		return n, err
	}
	c.bad, c.poison = true, []byte(poison)
	if good > 0 {
		return good, nil
	}
	return c.readPoison(p)
}

func (c *guarded) readPoison(p []byte) (int, error) {
	if len(c.poison) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.poison)
	c.poison = c.poison[n:]
	return n, nil
}

// ReadFrom lets a file go from the disk to the socket without passing through
// memory; only what is read is followed.
func (c *guarded) ReadFrom(r io.Reader) (int64, error) {
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// CloseWrite closes the sending half, for net/http.
func (c *guarded) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// NetConn returns the connection that is followed.
func (c *guarded) NetConn() net.Conn { return c.Conn }

// release ends the following: the connection no longer speaks HTTP.
func (c *guarded) release() { c.scan.state = passing }
