package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Robustness rule 27, and what a header may weigh (a Google front end takes
// about as much).
const (
	HeaderTimeout = 10 * time.Second
	IdleTimeout   = 120 * time.Second
	maxHeader     = 64 << 10
)

// Listener is an open socket and what is served on it.
type Listener struct {
	net.Listener
	Roles Role
	// TLS, when not nil, makes it an HTTPS listener.
	TLS *Certificate
}

// Server serves a Front on listeners that somebody else has opened (before the
// process gave up its privileges).
type Server struct {
	// Drain is how long requests may go on after the end was asked for; 0: they
	// are cut off. See Leave.
	Drain time.Duration

	front     *Front
	lookup    func(net.Conn) (int, error)
	listeners []Listener
	hurry     chan time.Duration // what is left of Drain, for each that drains

	mu      sync.Mutex // guards Drain, too, once Run was called
	pass    func(listener string, c net.Conn)
	intakes map[string]*Intake // by address, while they take connections in
}

// NewServer returns a Server, which owns the listeners from then on.
func (f *Front) NewServer(listeners []Listener) *Server {
	return &Server{front: f, listeners: listeners, lookup: f.lookup, hurry: make(chan time.Duration)}
}

// Run serves until ctx ends or a listener breaks. It then accepts no more, lets
// requests that are under way finish within Drain, and cuts off the rest. It may
// be called again on listeners that can be used again after Close.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range s.listeners {
		group.Go(func() error { return s.serve(ctx, l) })
	}
	return group.Wait()
}

// serve serves one listener. Nothing more comes in when the drain begins, so that
// no connection which was just accepted is missed.
func (s *Server) serve(ctx context.Context, l Listener) error {
	srv := s.httpServer(l)
	in := s.intake(l, srv.TLSConfig)
	native := s.native(l)
	if native != nil {
		in.calls = s.calls(l)
	}
	s.enlist(l, in)
	ended := make(chan error, 1)
	go func() { ended <- in.Run() }()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(in) }()
	called := make(chan error, 1)
	if native == nil {
		called <- nil
	} else {
		go func() { called <- native.Serve(in.calls) }()
	}
	select {
	case <-ctx.Done():
		_ = l.Close() // which ends Run
		<-ended
		s.enlist(l, nil)
		if pass, addr := s.passer(), l.Addr().String(); pass != nil {
			in.Pass = func(c net.Conn) { pass(addr, c) }
		}
	case err := <-ended:
		if native != nil {
			cut, cancel := context.WithCancel(ctx)
			cancel()
			native.Shutdown(cut)
		}
		return errors.Join(fmt.Errorf("listen on %s: %w", l.Addr(), err), srv.Close(), <-called)
	}
	err := s.shutdown(ctx, in, srv, native)
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve %s: %w", l.Addr(), e))
	}
	if e := <-called; e != nil {
		err = errors.Join(err, fmt.Errorf("serve calls on %s: %w", l.Addr(), e))
	}
	return err
}

// Leave says what is to become of what there is when Run is told to end: how long
// requests may go on, and who takes over connections without one, by the address of
// their listener; nil: nobody.
func (s *Server) Leave(drain time.Duration, pass func(listener string, c net.Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Drain, s.pass = drain, pass
}

func (s *Server) passer() func(string, net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pass
}

func (s *Server) patience() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Drain
}

func (s *Server) enlist(l Listener, in *Intake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.intakes == nil {
		s.intakes = map[string]*Intake{}
	}
	s.intakes[l.Addr().String()] = in
}

// admitEvery is how often a connection that was passed on looks for its listener.
const admitEvery = time.Millisecond

// Admit serves a connection that another server has passed on, as if it had come
// in by the listener with this address, once that is served. When it is not before
// ctx ends, the connection is closed.
func (s *Server) Admit(ctx context.Context, listener string, c net.Conn) {
	for {
		s.mu.Lock()
		in := s.intakes[listener]
		s.mu.Unlock()
		if in != nil {
			in.take(c)
			return
		}
		select {
		case <-ctx.Done():
			_ = c.Close() // nobody to tell
			return
		case <-time.After(admitEvery):
		}
	}
}

// intake stands between a listener and its HTTP server.
func (s *Server) intake(l Listener, conf *tls.Config) *Intake {
	sock := l.Listener
	if conf != nil {
		sock = tls.NewListener(sock, conf)
	}
	direct := s.front.direct
	if direct == nil || !l.Roles.Has(Apps) {
		direct = nothing{}
	}
	return NewIntake(sock, direct, s.front.wrap, func(local netip.Addr) func(string) bool {
		return func(host string) bool { return s.front.hosts.classify(host, local, l.Roles) == hostApps }
	})
}

// nothing leaves every connection to net/http.
type nothing struct{}

// ServeConn implements Direct.
func (nothing) ServeConn(net.Conn, *Session) ([]byte, bool) { return nil, true }

// shutdown ends a server in order, and after Drain without.
func (s *Server) shutdown(ctx context.Context, in *Intake, srv *http.Server, native Native) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	limit := time.AfterFunc(s.patience(), cancel)
	defer limit.Stop()
	go func() {
		select {
		case left := <-s.hurry:
			limit.Reset(left)
		case <-ctx.Done():
		}
	}()
	_ = in.Shutdown(ctx) // what it leaves over meanwhile is still served
	var calls sync.WaitGroup
	if native != nil {
		calls.Go(func() { native.Shutdown(ctx) })
	}
	defer calls.Wait()
	if err := srv.Shutdown(ctx); err == nil {
		return nil
	}
	return srv.Close()
}

// Hurry leaves so much time to what drains now.
func (s *Server) Hurry(left time.Duration) {
	for range s.listeners {
		select {
		case s.hurry <- left:
		default: // that one has ended
		}
	}
}

// httpServer returns the HTTP server of one listener.
func (s *Server) httpServer(l Listener) *http.Server {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler:           s.front.Handler(l.Roles),
		Protocols:         &p,
		ReadHeaderTimeout: HeaderTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxReadFrameSize: MaxFrame, MaxConcurrentStreams: MaxStreams, MaxReceiveBufferPerStream: StreamWindow},
		ConnContext:       s.front.connContext(s.lookup),
		ErrorLog:          slog.NewLogLogger(s.front.log.Handler(), slog.LevelDebug),
	}
	if l.TLS != nil {
		srv.TLSConfig = l.TLS.Config()
	}
	return srv
}
