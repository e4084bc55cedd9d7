package front

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Direct serves common requests past net/http.
type Direct interface {
	// ServeConn serves the requests of a connection until it is to be closed, or
	// until one comes that is left to net/http: then rest is what has been read
	// of that and of what follows it, and over is true.
	ServeConn(c net.Conn, s *Session) (rest []byte, over bool)
}

// Session is a connection that a Direct serves.
type Session struct {
	// Mine reports whether requests for a host, in its canonical form, are those
	// of the Direct.
	Mine func(host string) bool

	conn  net.Conn
	in    *Intake
	state atomic.Int32
	known atomic.Bool // it has had a request
}

// The states of a session.
const (
	working int32 = iota
	resting
	leaving // resting, and to go elsewhere unless a request has begun
	peeking // waiting for the first request of HTTP/2
	closed  // by the intake
)

// Rest says that no request is under way, and nothing of the next one has been
// read. If it returns false none will be: the connection is to be closed.
func (s *Session) Rest() bool {
	s.state.Store(resting)
	if !s.in.closing.Load() {
		return true
	}
	if s.in.passes(s) {
		s.state.CompareAndSwap(resting, leaving)
	}
	return false
}

// Wake says that a request has begun. If it returns false it came too late.
func (s *Session) Wake() bool {
	s.known.Store(true)
	return s.state.CompareAndSwap(resting, working) || s.state.CompareAndSwap(leaving, working)
}

// Ending reports whether the present request is the last of the connection.
func (s *Session) Ending() bool { return s.in.closing.Load() }

// Intake takes in the connections of a listener and lets a Direct serve them. As
// a net.Listener it gives what that leaves over.
type Intake struct {
	net.Listener
	// Pass, when not nil, takes connections over that rest when the intake shuts
	// down, so that whoever sends at that moment is served elsewhere. The intake
	// closes its own end of them afterwards. It is set before Shutdown.
	Pass func(net.Conn)

	direct Direct
	guard  func(net.Conn) net.Conn // nil: none
	mine   func(local netip.Addr) func(host string) bool
	calls  *calls // nil: net/http serves those, too

	left    chan net.Conn
	ended   chan struct{} // closed by Close
	end     sync.Once
	closing atomic.Bool

	mu       sync.Mutex
	sessions map[*Session]struct{}
	wait     sync.WaitGroup // one for each session; Add only with mu held and not closing
}

// NewIntake returns an Intake of a listener, which may be one of TLS. Run makes it
// take connections in. guard wraps connections that are left to net/http, unless
// they speak HTTP/2 over TLS; mine says which hosts are the Direct's on
// connections to an address of this machine.
func NewIntake(l net.Listener, direct Direct, guard func(net.Conn) net.Conn, mine func(local netip.Addr) func(host string) bool) *Intake {
	return &Intake{
		Listener: l,
		direct:   direct,
		guard:    guard,
		mine:     mine,
		left:     make(chan net.Conn),
		ended:    make(chan struct{}),
		sessions: map[*Session]struct{}{},
	}
}

// Run takes connections in until the listener is closed or breaks.
func (in *Intake) Run() error {
	var pause time.Duration
	for {
		c, err := in.Listener.Accept()
		if err == nil {
			pause = 0
			in.take(c)
			continue
		}
		if in.closing.Load() || errors.Is(err, net.ErrClosed) && in.isEnded() {
			return nil
		}
		// As net/http: out of descriptors, say, it goes on when there are some.
		if t, ok := err.(interface{ Temporary() bool }); !ok || !t.Temporary() {
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-in.ended:
			return nil
		}
	}
}

func (in *Intake) isEnded() bool {
	select {
	case <-in.ended:
		return true
	default:
		return false
	}
}

// take serves a connection on a goroutine of its own.
func (in *Intake) take(c net.Conn) {
	s := &Session{Mine: in.mine(addrOf(c.LocalAddr())), conn: c, in: in}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closing.Load() {
		_ = c.Close() // nobody to tell
		return
	}
	in.sessions[s] = struct{}{}
	in.wait.Go(func() { in.serve(s) })
}

// serve lets the Direct serve and gives net/http what that leaves over.
func (in *Intake) serve(s *Session) {
	rest, over := in.served(s)
	switch {
	case !over:
	case in.calls != nil && begins(s.conn, rest):
		over = in.open(s, rest)
	default:
		over = in.leave(s.conn, &leftover{Conn: s.conn, rest: rest})
	}
	if !over {
		if s.state.Load() == leaving {
			in.Pass(s.conn)
		}
		_ = s.conn.Close() // nobody to tell
	}
	in.mu.Lock()
	delete(in.sessions, s)
	in.mu.Unlock()
}

func (in *Intake) served(s *Session) (rest []byte, over bool) {
	if t, ok := s.conn.(*tls.Conn); ok {
		if !shakeHands(t) {
			return nil, false
		}
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			return nil, true
		}
	}
	return in.direct.ServeConn(s.conn, s)
}

func shakeHands(t *tls.Conn) bool {
	ctx, cancel := context.WithTimeout(context.Background(), HeaderTimeout)
	defer cancel()
	return t.HandshakeContext(ctx) == nil
}

// leave gives a connection to whoever accepts, with what has been read of it, and
// reports whether anybody does.
func (in *Intake) leave(c, read net.Conn) bool {
	if c.SetDeadline(time.Time{}) != nil {
		return false
	}
	t, secure := c.(*tls.Conn)
	if !secure || t.ConnectionState().NegotiatedProtocol != "h2" { // else net/http looks for the TLS connection itself
		if l, ok := read.(*leftover); ok && secure {
			state := t.ConnectionState()
			l.tls = &state
		}
		c = read
		if in.guard != nil {
			c = in.guard(c)
		}
	}
	select {
	case in.left <- c:
		return true
	case <-in.ended:
		return false
	}
}

// Accept implements net.Listener.
func (in *Intake) Accept() (net.Conn, error) {
	select {
	case c := <-in.left:
		return c, nil
	case <-in.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Sessions go on; see Shutdown.
func (in *Intake) Close() error {
	in.end.Do(func() { close(in.ended) })
	return in.Listener.Close()
}

// Shutdown takes nothing in any more, closes the connections that rest, and waits
// for the requests that are under way; when ctx ends it breaks them off.
func (in *Intake) Shutdown(ctx context.Context) error {
	in.mu.Lock()
	in.closing.Store(true)
	for s := range in.sessions {
		in.dismiss(s)
	}
	in.mu.Unlock()
	_ = in.Listener.Close() // it may be closed already
	done := make(chan struct{})
	go func() {
		in.wait.Wait()
		close(done)
	}()
	if in.await(ctx, done) {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for s := range in.sessions {
		_ = s.conn.Close() // which its requests notice
	}
	return ctx.Err()
}

// passes reports whether a connection can be served elsewhere: what TLS has agreed
// on cannot.
func (in *Intake) passes(s *Session) bool {
	_, plain := s.conn.(*net.TCPConn)
	return plain && in.Pass != nil
}

// dismiss ends a session that rests. One that has not had a request yet is about
// to have one.
func (in *Intake) dismiss(s *Session) {
	switch {
	case in.passes(s):
		s.state.CompareAndSwap(resting, leaving)
	case s.known.Load() && s.state.CompareAndSwap(resting, closed):
		_ = s.conn.Close() // nobody to tell
	}
}

// interruptEvery is how often sessions that are to leave are interrupted: one may
// set its own deadline at the same moment.
const interruptEvery = 5 * time.Millisecond

// await waits for the end of all sessions; false when ctx ends first.
func (in *Intake) await(ctx context.Context, done <-chan struct{}) bool {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-done:
			return true
		case <-ctx.Done():
			return false
		case <-again.C:
			if in.interrupt() {
				again.Reset(interruptEvery)
			}
		}
	}
}

// interrupt wakes the sessions that are to leave, or wait for a first request, and
// reports whether there are any.
func (in *Intake) interrupt() (any bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for s := range in.sessions {
		if state := s.state.Load(); state == leaving || state == peeking {
			_ = s.conn.SetReadDeadline(time.Unix(1, 0))
			any = true
		}
	}
	return any
}

// leftover is a connection of which something has been read.
type leftover struct {
	net.Conn
	rest []byte
	tls  *tls.ConnectionState // nil without
}

// Read implements net.Conn.
func (l *leftover) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		return l.Conn.Read(p)
	}
	n := copy(p, l.rest)
	if l.rest = l.rest[n:]; len(l.rest) == 0 {
		l.rest = nil
	}
	return n, nil
}

// ReadFrom lets a file go from the disk to the socket without passing through
// memory.
func (l *leftover) ReadFrom(r io.Reader) (int64, error) {
	if rf, ok := l.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{l.Conn}, r)
}

// CloseWrite closes the sending half, for net/http.
func (l *leftover) CloseWrite() error {
	if half, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// NetConn is the connection itself.
func (l *leftover) NetConn() net.Conn { return l.Conn }
