package gateway

import (
	"io"
	"net"
	"sync/atomic"
	"time"
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
	bad    bool        // nothing more is read from the client
	poison []byte      // what the server reads instead
	within atomic.Bool // a request, whose rest has not come
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
	c.within.Store(!ok || c.scan.within())
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
func (c *guarded) release() {
	c.scan.state = passing
	c.within.Store(false)
}

// Close implements net.Conn. net/http closes at once after a request that it
// refuses by itself, whose rest would take the answer back.
func (c *guarded) Close() error {
	if !c.within.Load() {
		return c.Conn.Close()
	}
	go func() { // for lingerTime at the most; who closes may hold a lock
		linger(c.Conn, time.Now(), make([]byte, 4<<10))
		c.Conn.Close()
	}()
	return nil
}

const (
	// lingerTime is how long a client may take to read an answer after which its
	// connection is closed.
	lingerTime = 500 * time.Millisecond
	// maxLinger is how much of a refused request is read.
	maxLinger = 256 << 10
)

// linger lets the client read the answer: a connection that is closed while
// something is unread takes back what was written.
func linger(c net.Conn, now time.Time, waste []byte) {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(now.Add(lingerTime)) != nil {
		return
	}
	for read := 0; read < maxLinger; {
		n, err := c.Read(waste)
		if read += n; err != nil {
			return
		}
	}
}
