package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/metadata"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// guests answers what instances ask from inside. Connections come from the
// networks of sandboxes, so it is known whose each is without any credential.
type guests struct {
	conns chan net.Conn
	done  chan struct{} // closed when Run ends
	log   *slog.Logger
	once  atomic.Bool // a connection ends with its request
}

func newGuests(log *slog.Logger) *guests {
	return &guests{conns: make(chan net.Conn), done: make(chan struct{}), log: log}
}

// finish lets connections end with the request that is under way, or not.
func (g *guests) finish(yes bool) { g.once.Store(yes) }

// guestConn is a connection from inside a sandbox.
type guestConn struct {
	net.Conn
	spec   sandbox.Spec
	once   sync.Once
	closed chan struct{}
}

// Close implements net.Conn.
func (c *guestConn) Close() error {
	defer c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// serve returns what answers the connections of one sandbox; it returns when
// the connection has been closed.
func (g *guests) serve(spec sandbox.Spec) func(net.Conn) {
	return g.serveOver(spec, func(c net.Conn) net.Conn { return c })
}

// serveOver does so with a layer above each connection: TLS, or a guard.
func (g *guests) serveOver(spec sandbox.Spec, layer func(net.Conn) net.Conn) func(net.Conn) {
	return func(conn net.Conn) {
		c := &guestConn{Conn: conn, spec: spec, closed: make(chan struct{})}
		select {
		case g.conns <- layer(c):
			<-c.closed
		case <-g.done:
			c.Close()
		}
	}
}

// specOf finds the sandbox that a connection comes from, below its layers.
func specOf(c net.Conn) (sandbox.Spec, bool) {
	for {
		switch t := c.(type) {
		case *guestConn:
			return t.spec, true
		case interface{ NetConn() net.Conn }:
			c = t.NetConn()
		default:
			return sandbox.Spec{}, false
		}
	}
}

// Accept implements net.Listener.
func (g *guests) Accept() (net.Conn, error) {
	select {
	case c := <-g.conns:
		return c, nil
	case <-g.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener; Run ends it.
func (g *guests) Close() error { return nil }

// Addr implements net.Listener.
func (g *guests) Addr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(sandbox.MetadataIP), Port: 80} }

type specKey struct{}

// Run answers with h until ctx ends, over HTTP/1.1 and HTTP/2.
func (g *guests) Run(ctx context.Context, h http.Handler) error {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if g.once.Load() {
				w.Header().Set("Connection", "close") // HTTP/2: GOAWAY
			}
			h.ServeHTTP(w, r)
		}),
		Protocols:         &p,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			spec, ok := specOf(c)
			if !ok {
				return ctx
			}
			return context.WithValue(ctx, specKey{}, spec)
		},
	}
	stop := context.AfterFunc(ctx, func() {
		close(g.done)
		srv.Close()
	})
	defer stop()
	if err := srv.Serve(g); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// location is where everything runs: there are no regions.
const location = "local"

// whoAsks finds the instance, or the task of a job, that a request comes from. What it says of itself
// is on its sandbox: an instance that finishes its last requests is still
// somebody when its revision is gone.
func whoAsks(r *http.Request) (metadata.Instance, bool) {
	spec, ok := r.Context().Value(specKey{}).(sandbox.Spec)
	project, account := spec.Labels[instance.LabelProject], spec.Labels[instance.LabelAccount]
	if !ok || spec.Kind != instance.Kind && spec.Kind != jobs.Kind || project == "" || account == "" {
		return metadata.Instance{}, false
	}
	region := cmp.Or(spec.Labels[jobs.LabelLocation], location)
	return metadata.Instance{
		ID:             cmp.Or(spec.Labels[instance.LabelInstance], spec.ID),
		Project:        project,
		ProjectNumber:  sunya.ProjectNumber(project),
		Region:         region,
		Zone:           region + "-a",
		ServiceAccount: account,
	}, true
}
