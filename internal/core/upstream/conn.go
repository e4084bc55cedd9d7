package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/http1"
)

const (
	bufferSize = 16 << 10
	// maxHead is the largest head of a response (robustness.md rule 26).
	maxHead = 256 << 10
)

var errHead = fmt.Errorf("the head of the response is larger than %d KiB", maxHead>>10)

// buffers are those of connections in use, all of bufferSize.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// Conn is a connection to a program. Deadlines are its user's: what returns
// os.ErrDeadlineExceeded may be called again and goes on where it was.
type Conn struct {
	net.Conn
	// Response is what ReadHead has read. Its strings live until Wait.
	Response http1.Response

	pool  *Pool
	ask   Ask   // nil: it is written and read, and nobody knows what has come before
	fresh bool  // no request was sent over it before the present one
	begun bool  // something has come since the request
	ended error // what the next read would say, had it not been said already
	used  time.Time
	until time.Time // what Soon has set; zero: something else was

	own  *[bufferSize]byte // from buffers; nil while idle
	buf  []byte            // own, or larger while a head is
	r, w int               // buf[r:w] is not consumed
	seen int               // of it, for the end of a head

	frame frame
	left  int64 // of the body, where its length is known
	chunk http1.Chunked
	other *http.Response // of an uncommon one
}

// frame is how the end of a body is told.
type frame uint8

const (
	noFrame  frame = iota // nothing is to come
	byLength              // left
	byChunks
	byClose
	byOther // net/http knows
	broken  // it cannot be told any more
)

// Fresh reports whether the present request is the connection's first. One that
// is not may have been closed by the program just before.
func (c *Conn) Fresh() bool { return c.fresh }

// Close closes the connection.
func (c *Conn) Close() error {
	c.giveBuffer()
	return c.Conn.Close()
}

func (c *Conn) wake() {
	c.own = buffers.Get().(*[bufferSize]byte)
	c.buf = c.own[:]
	c.r, c.w, c.seen, c.begun, c.ended = 0, 0, 0, false, nil
	c.frame = broken // until a response is over
}

func (c *Conn) sleep(now time.Time) {
	c.giveBuffer()
	c.used, c.fresh = now, false
}

func (c *Conn) giveBuffer() {
	if c.own != nil {
		buffers.Put(c.own)
	}
	c.own, c.buf = nil, nil
}

// reusable reports whether another request may follow.
func (c *Conn) reusable() bool {
	return c.frame == noFrame && !c.Response.Close && c.r == c.w && c.other == nil && c.own != nil
}

// SetDeadline sets until when may be waited.
func (c *Conn) SetDeadline(t time.Time) error {
	c.until = time.Time{}
	return c.Conn.SetDeadline(t)
}

// Soon makes the deadline one to two moments after from. A connection that is used
// all the time seldom needs another one than it has.
func (c *Conn) Soon(from time.Time, moment time.Duration) error {
	if left := c.until.Sub(from); moment <= left && left <= 2*moment {
		return nil
	}
	c.until = from.Add(2 * moment)
	return c.Conn.SetDeadline(c.until)
}

// Interrupt ends what somebody else waits for, and whatever is tried later.
func (c *Conn) Interrupt() { _ = c.Conn.SetDeadline(time.Unix(1, 0)) }

// Send sends a request, or the beginning of one that is not whole. On a connection
// that was used before it may wait for the answer, too. ErrStale asks for another
// connection; os.ErrDeadlineExceeded may be met by sending the rest with Write.
func (c *Conn) Send(p []byte, whole bool) (n int, err error) {
	if c.fresh || c.ask == nil {
		return c.Write(p)
	}
	var answer []byte
	if whole {
		answer = c.buf
	}
	n, c.w, err = c.ask(p, answer)
	c.begun = c.w > 0
	switch {
	case n == len(p) && err != nil && !errors.Is(err, ErrStale):
		c.ended, err = err, nil
	case n < len(p) && err == nil:
		var m int
		m, err = c.Write(p[n:])
		n += m
	}
	return n, err
}

// Begun reports whether anything has come since the request.
func (c *Conn) Begun() bool { return c.begun }

// fill reads more.
func (c *Conn) fill() error {
	switch {
	case c.r == c.w:
		c.r, c.w, c.seen = 0, 0, 0
	case c.w == len(c.buf) && c.r > 0:
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	case c.w == len(c.buf):
		if len(c.buf) >= maxHead {
			return errHead
		}
		larger := make([]byte, 2*len(c.buf))
		copy(larger, c.buf[:c.w])
		c.buf = larger
	}
	if c.ended != nil {
		return c.ended
	}
	n, err := c.Conn.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		c.begun = true
		return nil // the error comes again
	}
	return err
}

// ReadHead reads the head of the next response to a request with a method into
// Response. Of informational responses there may be many before the final one.
// http1.ErrUncommon asks to go on with ReadUncommon. io.EOF before anything has
// come is a connection that was closed.
func (c *Conn) ReadHead(method string) error {
	for {
		if n := headLen(c.buf[c.r:c.w], c.seen); n > 0 {
			head := c.buf[c.r : c.r+n]
			if err := c.Response.Parse(head); err != nil {
				return err
			}
			c.r += n
			c.seen = 0
			c.begin(method)
			return nil
		}
		if !plausible(c.buf[c.r:c.w]) {
			return http1.ErrUncommon
		}
		c.seen = c.w - c.r
		if err := c.fill(); err != nil {
			return unexpected(err, c.w > c.r)
		}
	}
}

// unexpected is an end in the middle of something.
func unexpected(err error, begun bool) error {
	if begun && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// headLen returns the length of the head that p begins with; 0: it is not
// complete. Programs exist that end their lines with a line feed alone.
func headLen(p []byte, from int) int {
	for i := max(from-2, 0); ; i++ {
		next := bytes.IndexByte(p[i:], '\n')
		if next < 0 {
			return 0
		}
		i += next
		switch rest := p[i+1:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 2
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 3
		}
	}
}

// plausible reports whether p may be the beginning of a response.
func plausible(p []byte) bool {
	const begin = "HTTP/1."
	return len(p) == 0 || string(p[:min(len(p), len(begin))]) == begin[:min(len(p), len(begin))]
}

// begin notes how the body that follows is framed (RFC 9112 §6.3).
func (c *Conn) begin(method string) {
	switch r := &c.Response; {
	case r.Status < 200:
		c.frame = broken // the final response is still to come
	case method == http.MethodHead || r.Status == http.StatusNoContent || r.Status == http.StatusNotModified:
		c.frame = noFrame
	case r.Chunked:
		c.frame, c.chunk = byChunks, http1.Chunked{}
	case r.Length > 0:
		c.frame, c.left = byLength, r.Length
	case r.Length == 0:
		c.frame = noFrame
	default:
		c.frame = byClose
		r.Close = true
	}
}

// ReadUncommon reads with net/http what ReadHead has refused, until a final response.
// Fields whose names net/http takes for the sake of old servers, with spaces, are
// left out: others would read "Content-Length :" as a length (RFC 9112 §5.1). The connection is
// not used again: where a response has both a length and chunks, say, the chunks
// count (RFC 9112 §6.3), and what follows them is nobody's.
func (c *Conn) ReadUncommon(method string) error {
	rest := io.MultiReader(bytes.NewReader(bytes.Clone(c.buf[c.r:c.w])), c.Conn)
	limited := &io.LimitedReader{R: rest, N: maxHead}
	resp, err := final(bufio.NewReader(limited), method)
	if err != nil {
		if limited.N <= 0 {
			return errHead
		}
		return err
	}
	limited.N = 1<<63 - 1
	c.other, c.frame = resp, byOther
	c.r, c.w = 0, 0 // resp has a copy
	c.Response = http1.Response{
		Status:  resp.StatusCode,
		Reason:  http.StatusText(resp.StatusCode),
		Minor:   resp.ProtoMinor,
		Header:  c.Response.Header[:0],
		Length:  resp.ContentLength,
		Chunked: len(resp.TransferEncoding) > 0,
		Close:   true,
	}
	for name, values := range resp.Header {
		if name == "Content-Length" || !http1.IsToken(name) {
			continue
		}
		for _, v := range values {
			c.Response.Header.Add(name, v)
		}
	}
	for name := range resp.Trailer {
		if !http1.IsToken(name) {
			continue
		}
		c.Response.Header.Add("Trailer", name)
	}
	return nil
}

var errStatus = errors.New("malformed HTTP status code")

// final reads a response that is not informational; those before it are not for
// anybody, for lack of a common form.
func final(r *bufio.Reader, method string) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode < 100:
			return nil, errStatus
		case resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols:
			return resp, nil
		}
	}
}

// Buffered returns the next part of the body of what has come already; io.EOF at
// the end, nothing where Wait comes before it. The part lives until then.
func (c *Conn) Buffered() ([]byte, error) {
	var data []byte
	switch c.frame {
	case noFrame:
		return nil, io.EOF
	case broken:
		return nil, io.ErrUnexpectedEOF
	case byChunks:
		return c.chunkBuffered()
	case byLength:
		data = c.buf[c.r:min(int64(c.w), int64(c.r)+c.left)]
		if c.left -= int64(len(data)); c.left == 0 {
			c.frame = noFrame
		}
	default:
		data = c.buf[c.r:c.w]
	}
	c.r += len(data)
	return data, nil
}

func (c *Conn) chunkBuffered() ([]byte, error) {
	for {
		data, n, err := c.chunk.Next(c.buf[c.r:c.w])
		c.r += n
		switch {
		case err != nil:
			c.frame = broken
			return nil, err
		case len(data) > 0:
			return data, nil
		case c.chunk.Done():
			c.frame = noFrame
			return nil, io.EOF
		case n == 0:
			return nil, nil
		}
	}
}

// Wait waits for more of the body.
func (c *Conn) Wait() error {
	if c.frame == byOther {
		return c.waitOther()
	}
	err := c.fill()
	if !errors.Is(err, io.EOF) {
		return err
	}
	if c.frame == byClose {
		c.frame = noFrame
		return nil
	}
	c.frame = broken
	return io.ErrUnexpectedEOF
}

func (c *Conn) waitOther() error {
	n, err := c.other.Body.Read(c.buf)
	c.r, c.w = 0, n
	switch {
	case n > 0:
		return nil // the error comes again
	case err == io.EOF:
		c.frame = noFrame
		return nil
	}
	return err
}

// Trailer adds to h the trailer of a body that is over.
func (c *Conn) Trailer(h *http1.Header) {
	if c.other == nil {
		if c.Response.Chunked {
			c.chunk.Trailer(h)
		}
		return
	}
	for name, values := range c.other.Trailer {
		if !http1.IsToken(name) {
			continue
		}
		for _, v := range values {
			h.Add(name, v)
		}
	}
}
