package gateway

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/http1"
)

const (
	// readSize is the largest head that a link reads, and what it reads of a body
	// beside it.
	readSize = 8 << 10
	// headTime, idleTime: robustness.md rule 27.
	headTime = 10 * time.Second
	idleTime = 120 * time.Second
	// hotTime is how long a connection that is idle keeps its buffers, at most;
	// at least half of it.
	hotTime = 4 * time.Second
)

// link is a client's connection on which the gateway serves common requests
// itself: HTTP/1.1, a body of known and small length or none, to a program that
// speaks HTTP/1.1. One goroutine does all of it, reads and writes in turn, and
// waits for the client only when it must (see watch). Whatever else comes is left
// to net/http, before anything is done about it.
type link struct {
	g    *Gateway
	c    net.Conn
	s    *front.Session
	own  client // whoever is at the other end, whatever it claims to forward
	from request

	*work
	hot      time.Time // until when the read deadline lets wait for a request
	stalls   time.Time // until when the write deadline lets a small response wait
	mineHost string    // the host that was found to be the gateway's, as sent
	one      [1]byte
}

// work is what a link needs while it is busy. Idle ones have none.
type work struct {
	buf  [readSize]byte
	r, w int // buf[r:w] is not served yet
	req  http1.Request
	sees http1.Header // what the program sees, then what the client sees
	ask  []byte       // the request as it goes to the program
	out  []byte       // the response as it goes to the client
	body *[smallBody]byte
	x    exchange
	call
}

var works = sync.Pool{New: func() any { return new(work) }}

// bodies are for those that do not fit beside their head.
var bodies = sync.Pool{New: func() any { return new([smallBody]byte) }}

// ServeConn implements front.Direct.
func (g *Gateway) ServeConn(c net.Conn, s *front.Session) (rest []byte, over bool) {
	l := &link{g: g, c: c, s: s}
	l.from = request{proto: "HTTP/1.1", major: 1, remote: c.RemoteAddr().String()}
	_, l.from.tls = c.(*tls.Conn)
	l.own = g.peer(&l.from)
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("panic", "err", p, "stack", string(debug.Stack()))
			rest, over = nil, false
		}
	}()
	l.work = works.Get().(*work)
	rest, over = l.serve()
	l.putWork()
	return rest, over
}

func (l *link) putWork() {
	w := l.work
	if w == nil {
		return
	}
	l.work = nil
	w.r, w.w = 0, 0
	w.x, w.call = exchange{texts: w.x.texts[:0]}, call{}
	if cap(w.out) > 2*copyBuffer || cap(w.ask) > 2*copyBuffer || cap(w.x.texts) > copyBuffer {
		*w = work{}
	}
	works.Put(w)
}

// serve serves one request after the other.
func (l *link) serve() (rest []byte, over bool) {
	if l.c.SetReadDeadline(l.g.Now().Add(headTime)) != nil {
		return nil, false
	}
	for first := true; ; first = false {
		head, ok := l.readHead(first)
		if !ok {
			return nil, false
		}
		if head == 0 || !l.common(head) {
			return bytes.Clone(l.buf[l.r:l.w]), true
		}
		switch l.answer(head) {
		case leftOver:
			return bytes.Clone(l.buf[l.r:l.w]), true
		case ended:
			return nil, false
		}
	}
}

// readHead reads until there is a whole head, and returns its length; 0 when it
// is larger than those of common requests.
func (l *link) readHead(first bool) (head int, ok bool) {
	if l.r == l.w {
		l.r, l.w = 0, 0
		if !l.s.Rest() || !l.await(first) || !l.s.Wake() {
			return 0, false
		}
	}
	seen := 0
	for {
		if head = http1.HeadLen(l.buf[l.r:l.w], seen); head > 0 {
			return head, true
		}
		if l.w == len(l.buf) {
			if l.r == 0 {
				return 0, true
			}
			l.w = copy(l.buf[:], l.buf[l.r:l.w])
			l.r = 0
			continue
		}
		if bareLineFeed(l.buf[l.r:l.w]) {
			return 0, true // it would not end
		}
		if seen == 0 && !first {
			l.hot = time.Time{}
			if l.c.SetReadDeadline(l.g.Now().Add(headTime)) != nil {
				return 0, false
			}
		}
		seen = l.w - l.r
		n, err := l.c.Read(l.buf[l.w:])
		if l.w += n; n == 0 && err != nil {
			return 0, false // nobody to tell, or too slow
		}
	}
}

// bareLineFeed reports whether a line ends with a line feed alone.
func bareLineFeed(p []byte) bool {
	for i := bytes.IndexByte(p, '\n'); i >= 0; i = bytes.IndexByte(p, '\n') {
		if i == 0 || p[i-1] != '\r' {
			return true
		}
		p = p[i+1:]
	}
	return false
}

// await waits for the first bytes of a request. Who waits for long does so
// without buffers.
func (l *link) await(first bool) bool {
	if !first && l.hot.Sub(l.x.ended()) < hotTime/2 {
		l.hot = l.g.Now().Add(hotTime)
		if l.c.SetReadDeadline(l.hot) != nil {
			return false
		}
	}
	n, err := l.c.Read(l.buf[:])
	if l.w = n; n > 0 {
		return true
	}
	if first || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	l.putWork()
	l.hot = time.Time{}
	if l.c.SetReadDeadline(l.g.Now().Add(idleTime)) != nil {
		return false
	}
	n, _ = l.c.Read(l.one[:])
	l.work = works.Get().(*work)
	l.buf[0], l.w = l.one[0], n
	return n > 0
}

// common reads a head and reports whether it is of a request that is served
// here, as far as it tells.
func (l *link) common(head int) bool {
	if l.req.Parse(l.buf[l.r:l.r+head]) != nil || l.req.Method == http.MethodConnect || l.req.Length > smallBody {
		return false
	}
	if l.req.Host != l.mineHost {
		host, err := front.CanonicalHost(l.req.Host)
		if err != nil || !l.s.Mine(host) {
			return false
		}
		l.mineHost = strings.Clone(l.req.Host)
	}
	return true
}

// outcome is what becomes of the connection.
type outcome int

const (
	goesOn   outcome = iota
	leftOver         // the request is net/http's
	ended            // nothing more is read
)

// errLeftOver is a request that is net/http's.
var errLeftOver = errors.New("left to net/http")

// answer serves the request in buf[r:] whose head has been read into req.
func (l *link) answer(head int) outcome {
	x := &l.x
	*x = exchange{g: l.g, request: l.from, texts: x.texts[:0]}
	x.method, x.target, x.path, x.host, x.header = l.req.Method, l.req.Target, l.req.Path, l.req.Host, l.req.Header
	if x.wantsWebSocket() {
		return leftOver
	}
	if l.req.Escaped {
		var err error
		if x.path, err = url.PathUnescape(l.req.Path); err != nil {
			return leftOver
		}
	}
	c := l.own
	if len(l.g.opts.TrustedProxies) > 0 {
		c = l.g.clientOf(&x.request)
	}
	x.start(c)
	l.call = call{close: l.req.Close || l.s.Ending()}
	err := l.try(head)
	if err == errLeftOver { //nolint:errorlint // it is this very value
		return leftOver
	}
	if err != nil {
		l.refuse(err, head)
	}
	l.unwatch()
	l.r += head
	if l.body == nil {
		l.r = min(l.r+int(l.req.Length), l.w)
	}
	x.record()
	if l.body != nil {
		bodies.Put(l.body)
		l.body = nil
	}
	if x.cut || l.close || l.gone.Load() {
		return ended
	}
	return goesOn
}

// ended is when the request was over.
func (x *exchange) ended() time.Time { return x.begin.Add(x.over.Latency) }

// refuse answers a request that no instance answered. One whose body has not come
// yet is the last: what comes would be taken for a request.
func (l *link) refuse(err error, head int) {
	p, ok := l.x.failed(err, l.gone.Load())
	if !ok {
		l.close = true
		return
	}
	unread := l.body == nil && l.w < l.r+head+int(l.req.Length)
	last := unread || p.header.Get("Connection") == "close"
	l.close = l.close || last
	p.header.Del("Connection")
	l.send(p)
	if last {
		l.unwatch()
		linger(l.c, l.g.Now(), l.out[:cap(l.out)]) // buf holds what is said of the request
	}
}

// try does the request; its error has not been told to the client.
func (l *link) try(head int) error {
	x := &l.x
	if err := x.choose(); err != nil {
		return err
	}
	if x.rev.Protocol != sunya.HTTP1 {
		return errLeftOver
	}
	m, _, err := x.match()
	if err != nil {
		return err
	}
	if m.Rule != nil {
		if _, redirects := x.redirect(m.Rule); redirects || m.Rule.Static != nil {
			return errLeftOver
		}
	}
	target, ok := x.innerTarget()
	if !ok {
		return errLeftOver
	}
	body, err := l.readBody(head)
	if err != nil {
		return err
	}
	x.received = int64(len(body))
	return l.forward(target, body)
}

// innerTarget is path and query as the program sees them: the client's own bytes
// (rule 23). It fails where the client has escaped a slash of what addresses the
// function.
func (x *exchange) innerTarget() (target string, ok bool) {
	if x.prefix == "" {
		return x.target, true
	}
	rest, ok := strings.CutPrefix(x.target, x.prefix)
	switch {
	case !ok:
		return "", false
	case rest == "" || rest[0] == '?':
		mark := len(x.texts)
		x.texts = append(append(x.texts, '/'), rest...)
		return x.text(mark), true
	}
	return rest, rest[0] == '/'
}

// readBody reads the body before an instance is bothered with it (rule 25).
func (l *link) readBody(head int) ([]byte, error) {
	size := int(l.req.Length)
	begin := l.r + head
	if l.w >= begin+size {
		return l.buf[begin : begin+size], nil
	}
	l.hot = time.Time{}
	if l.c.SetReadDeadline(l.x.begin.Add(min(l.x.timeout(), smallBodyTime))) != nil {
		return nil, &clientGone{err: net.ErrClosed}
	}
	if begin+size <= len(l.buf) {
		var err error
		for err == nil && l.w < begin+size {
			var n int
			n, err = l.c.Read(l.buf[l.w:])
			l.w += n
		}
		return l.buf[begin : begin+size], l.badBody(err, l.w-begin, size)
	}
	l.body = bodies.Get().(*[smallBody]byte)
	n := copy(l.body[:], l.buf[begin:l.w])
	l.w = begin // what follows is the next request
	for n < size {
		m, err := l.c.Read(l.body[n:size])
		if n += m; err != nil && n < size {
			return nil, l.badBody(err, n, size)
		}
	}
	return l.body[:size], nil
}

func (l *link) badBody(err error, got, want int) error {
	if got >= want {
		return nil
	}
	l.x.received = int64(got)
	return badBody(err)
}
