package front

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/http2"
)

// Native serves connections of gRPC's clients that call the API, past net/http.
// Every connection is a *Calls, and every call on it needs that one's Permit.
type Native interface {
	// Serve serves connections until Shutdown.
	Serve(l net.Listener) error
	// Shutdown sends clients elsewhere and waits for the calls under way; those
	// that are not over when ctx ends are broken off.
	Shutdown(ctx context.Context)
}

// nativeAgents are the libraries whose clients own their connections and send
// nothing but gRPC on them, to one host. Others (connect, .NET, whatever passes
// calls on) may send anything next.
var nativeAgents = []string{"grpc-go/", "grpc-c/", "grpc-java-", "grpc-node-js/"}

// opening are the settings that every server behind a listener announces, in the
// order in which net/http does: a client is told of them before it is known whose
// it is.
var opening = []http2.Setting{
	{ID: http2.MaxFrameSize, Value: MaxFrame},
	{ID: http2.MaxConcurrentStreams, Value: MaxStreams},
	{ID: http2.MaxHeaderListSize, Value: MaxHeaderList},
	{ID: http2.HeaderTableSize, Value: 4096},
	{ID: http2.InitialWindowSize, Value: StreamWindow},
}

// What they say.
const (
	MaxFrame      = 1 << 14           // what grpc's transport reads at the most
	MaxStreams    = 250               // calls at once on a connection
	MaxHeaderList = maxHeader + 10*32 // net/http allows ten fields' overhead
	StreamWindow  = 1 << 20           // of what a stream may send unread
)

// Calls is a connection of a client of gRPC, whose first call was for the API.
type Calls struct {
	net.Conn
	hosts hosts
	roles Role
	guard *guard
	from  *http.Request // stands for calls that carry nothing the guard looks at
	host  string        // the last one that was found to be the API's

	served chan struct{} // closed by the first Read
	once   sync.Once
}

// Read implements net.Conn.
func (c *Calls) Read(p []byte) (int, error) {
	c.once.Do(func() { close(c.served) })
	return c.Conn.Read(p)
}

// Close implements net.Conn.
func (c *Calls) Close() error {
	c.once.Do(func() { close(c.served) })
	return c.Conn.Close()
}

// Permit returns nil when a call with these fields, by names in lower case, may be
// made. It is for one goroutine.
func (c *Calls) Permit(fields map[string][]string) error {
	host := ""
	if v := fields[":authority"]; len(v) > 0 {
		host = v[0]
	}
	if host != c.host {
		if !isAPI(c.hosts, host, c.Conn, c.roles) {
			return sunya.Errorf(sunya.Unimplemented, "", "%.80q is not of the API, as the first call of this connection was: call it on a connection of its own", host)
		}
		c.host = host
	}
	r := c.from
	for _, name := range judged {
		if v := fields[name.lower]; len(v) > 0 {
			if r == c.from {
				r = c.from.Clone(c.from.Context())
			}
			r.Header[name.canonical] = v
		}
	}
	return c.guard.permit(r, Local)
}

// judged are the fields that the guard looks at.
var judged = func() (out []struct{ canonical, lower string }) {
	for _, name := range append([]string{"Authorization", "Origin", "Sec-Fetch-Site"}, forwarding...) {
		out = append(out, struct{ canonical, lower string }{name, strings.ToLower(name)})
	}
	return out
}()

// isAPI reports whether a host stands for the API on a connection.
func isAPI(h hosts, host string, c net.Conn, roles Role) bool {
	host, err := CanonicalHost(host)
	return err == nil && roles.Has(API) && h.classify(host, addrOf(c.LocalAddr()), roles) == hostAPI
}

// calls is where an Intake leaves the connections of a Native.
type calls struct {
	accept chan *Calls
	ended  chan struct{} // closed by Close
	end    sync.Once
	addr   net.Addr
	now    func() time.Time
	// wants says whether a connection that begins so is the Native's.
	wants func(c net.Conn, o *http2.Opening) bool
	wrap  func(c net.Conn) *Calls
}

// calls returns where connections of a listener go whose first call is for the
// API.
func (s *Server) calls(l Listener) *calls {
	f := s.front
	return &calls{
		accept: make(chan *Calls), ended: make(chan struct{}), addr: l.Addr(), now: f.now,
		wants: func(c net.Conn, o *http2.Opening) bool { return f.wantsNative(c, o, l.Roles) },
		wrap: func(c net.Conn) *Calls {
			ctx := f.connContext(s.lookup)(context.Background(), c)
			from := (&http.Request{Header: http.Header{}}).WithContext(ctx)
			return &Calls{Conn: c, hosts: f.hosts, roles: l.Roles, guard: &f.guard, from: from, served: make(chan struct{})}
		},
	}
}

// wantsNative reports whether a first request is a call of the API by a client
// that will make nothing else, and comes straight from it.
func (f *Front) wantsNative(c net.Conn, o *http2.Opening, roles Role) bool {
	first, _, ok := strings.Cut(strings.TrimPrefix(o.Get(":path"), "/"), "/")
	if !ok || strings.HasSuffix(first, apiSuffix) || o.Get(":method") != http.MethodPost || !isGRPCType(o.Get("content-type")) {
		return false
	}
	for _, name := range forwarding {
		if o.Get(strings.ToLower(name)) != "" {
			return false
		}
	}
	return madeByNative(o.Get("user-agent")) && isAPI(f.hosts, o.Get(":authority"), c, roles)
}

func madeByNative(agent string) bool {
	for product := range strings.FieldsSeq(agent) {
		for _, name := range nativeAgents {
			if strings.HasPrefix(product, name) {
				return true
			}
		}
	}
	return false
}

// Accept implements net.Listener.
func (l *calls) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *calls) Close() error {
	l.end.Do(func() { close(l.ended) })
	return nil
}

// Addr implements net.Listener.
func (l *calls) Addr() net.Addr { return l.addr }

// give hands a connection over, and returns once it is served: a server that is
// told to end in between would close it.
func (l *calls) give(c *Calls) bool {
	select {
	case l.accept <- c:
		<-c.served
		return true
	case <-l.ended:
		return false
	}
}

// begins reports whether what has been read of a plain connection, if anything,
// can be the beginning of HTTP/2.
func begins(c net.Conn, rest []byte) bool {
	_, plain := c.(*net.TCPConn)
	n := min(len(rest), len(http2.Preface))
	return plain && string(rest[:n]) == http2.Preface[:n]
}

// open reads the first request of a connection of HTTP/2 and gives the connection
// to whom it is for; it reports whether anybody takes it.
func (in *Intake) open(s *Session, rest []byte) bool {
	if !s.peek() {
		return in.leave(s.conn, &leftover{Conn: s.conn, rest: rest})
	}
	o := opener{conn: s.conn, buf: rest}
	opening, ready := o.read(in.calls.now)
	s.peeked()
	if s.conn.SetDeadline(time.Time{}) != nil {
		return false
	}
	c := o.begun()
	if !ready && (o.late || opening == nil && in.closing.Load()) {
		return false // without a request: its client begins another connection
	}
	if ready && in.calls.wants(s.conn, opening) {
		return in.calls.give(in.calls.wrap(c))
	}
	return in.leave(s.conn, c)
}

// opener reads how a connection begins.
type opener struct {
	conn     net.Conn
	buf      []byte // all of it
	answered int    // settings of the client's
	asked    bool   // the client has this server's
	late     bool   // not even the client's settings have come
}

// read reads up to the first request; ready says that there is one. What is not
// there in time, or odd, is left to net/http to judge.
func (o *opener) read(now func() time.Time) (opening *http2.Opening, ready bool) {
	if o.conn.SetDeadline(now().Add(HeaderTimeout)) != nil {
		return nil, false
	}
	for {
		found, state := http2.Read(o.buf)
		if found.Settings > o.answered && (o.asked || state == http2.More) && !o.answer(found.Settings) {
			return nil, false
		}
		if state != http2.More {
			return &found, state == http2.Ready
		}
		var more [2 << 10]byte
		n, err := o.conn.Read(more[:])
		if o.buf = append(o.buf, more[:n]...); n == 0 && err != nil {
			o.late = !o.asked
			return nil, false
		}
	}
}

// answer says that the client's settings have come, so many of them; and the first
// time what this server's are.
func (o *opener) answer(settings int) bool {
	more := settings - o.answered
	out := http2.Answer(opening, more)
	if o.asked {
		out = out[len(out)-more*http2.AckSize:]
	}
	o.asked, o.answered = true, settings
	_, err := o.conn.Write(out)
	return err == nil
}

// begun returns the connection as it is to whom it is given to: all of it from the
// first byte. What that one says at the beginning, the client has heard.
func (o *opener) begun() net.Conn {
	if !o.asked {
		return &leftover{Conn: o.conn, rest: o.buf}
	}
	first, rest := http2.Split(o.buf, o.answered)
	return &begun{Conn: o.conn, first: first, in: leftover{Conn: o.conn, rest: rest}, told: make(chan struct{})}
}

// begun is a connection of HTTP/2 on which the server's settings have been told and
// the client's answered before its server got it.
type begun struct {
	net.Conn
	first []byte   // preface and settings
	in    leftover // all the rest

	out   http2.Drop
	write []byte
	told  chan struct{} // closed when the server has said what the client has heard
	once  sync.Once
}

// Read implements net.Conn. The server sees nothing more before it has answered the
// settings: net/http gives one answer to two that come at once.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	<-b.told // or Close, which every server's own timers come to
	return b.in.Read(p)
}

// Close implements net.Conn.
func (b *begun) Close() error {
	b.once.Do(func() { close(b.told) })
	return b.Conn.Close()
}

// CloseWrite closes the sending half, for net/http.
func (b *begun) CloseWrite() error { return b.in.CloseWrite() }

// Write implements net.Conn.
func (b *begun) Write(p []byte) (int, error) {
	if b.out.Done() {
		return b.Conn.Write(p)
	}
	b.write = b.out.Strip(b.write[:0], p)
	if _, err := b.Conn.Write(b.write); err != nil {
		return 0, err
	}
	if b.out.Done() {
		b.write = nil
		b.once.Do(func() { close(b.told) })
	}
	return len(p), nil
}

// NetConn is the connection itself.
func (b *begun) NetConn() net.Conn { return b.Conn }

// peek says that the session waits for its first request. If it returns false the
// intake ends, and there is nothing to wait for.
func (s *Session) peek() bool {
	s.state.Store(peeking)
	return !s.in.closing.Load()
}

// peeked ends peek; the session is not interrupted any more.
func (s *Session) peeked() {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.state.Store(working)
}

// native returns the server of calls on a listener; nil: there is none.
func (s *Server) native(l Listener) Native {
	if s.front.native == nil || !l.Roles.Has(API) || l.TLS != nil {
		return nil
	}
	return s.front.native()
}
