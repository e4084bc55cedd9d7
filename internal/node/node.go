package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/handover"
	"github.com/sunya-cloud/sunya/internal/adapt/peeruid"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/functions"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/identity"
	"github.com/sunya-cloud/sunya/internal/core/metadata"
)

// Node is a whole server.
type Node struct {
	cfg     Config
	log     *slog.Logger
	started time.Time
	isReady atomic.Bool

	machine  *machine
	storage  *storage
	serve    *serve
	products *products
	tokens   *identity.Tokens
	links    *functions.Links
	admin    string // the token of the server's owner
	server   *front.Server
	inside   http.Handler // what instances reach of the API
	desk     *handover.Desk
	before   *predecessor // whose place this server takes; nil: nobody's
}

// Open makes a server ready to Run. It does what needs root first and then
// gives root up for the whole process. The caller must Run it or Close it.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (n *Node, err error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	n = &Node{cfg: cfg, log: log, started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if cfg.Replace {
		if n.before, err = askPredecessor(ctx, cfg); err != nil {
			return n, err
		}
	}
	if n.machine, err = openMachine(ctx, cfg, n.before, log); err != nil {
		return n, err
	}
	if n.storage, err = openStorage(ctx, cfg, n.machine.dir, log); err != nil {
		return n, err
	}
	n.tokens = identity.New(n.machine.dir.SigningKeys(), time.Now)
	n.serve = newServe(cfg, n.machine, n.storage, n.tokens, log)
	if n.products, err = newProducts(cfg, n.url, n.machine, n.storage, n.serve, log); err != nil {
		return n, err
	}
	if n.products.builds, err = n.newBuilds(); err != nil {
		return n, err
	}
	n.products.schemas = n.newSchemas()
	n.products.pubsub = n.newPubSub(n.log)
	n.products.eventing = n.newEventing(n.log)
	if n.server, err = n.newServer(); err != nil {
		return n, err
	}
	return n, nil
}

func (n *Node) newServer() (*front.Server, error) {
	var err error
	if n.admin, err = n.machine.dir.Token("admin"); err != nil {
		return nil, err
	}
	n.links = functions.NewLinks(n.admin, time.Now)
	a, err := newAPI(n, n.log)
	if err != nil {
		return nil, err
	}
	if n.inside, err = n.insideAPI(a); err != nil {
		return nil, err
	}
	f, err := front.New(front.Config{
		Domain:  n.cfg.Domain,
		Routes:  a.routes,
		Later:   later,
		GRPC:    a.grpc,
		Native:  a.grpc.Native,
		Apps:    n.serve.gateway,
		Direct:  n.serve.gateway,
		Guard:   gateway.GuardConn,
		Owners:  []int{0, n.machine.owner},
		PeerUID: peeruid.Lookup,
		Token:   n.admin,
		Account: n.checkAccount,
		Now:     time.Now,
		Log:     n.log,
	})
	if err != nil {
		return nil, err
	}
	return f.NewServer(n.machine.listeners), nil
}

// outlive runs a part until stop is called, which waits for its end.
func outlive(ctx context.Context, part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = part(ctx) // that it was stopped
	}()
	return func() { cancel(); <-done }
}

// measure counts what is used.
func (n *Node) measure(ctx context.Context) error {
	err := n.storage.meter.Run(ctx)
	if err := n.storage.meter.Close(context.WithoutCancel(ctx)); err != nil {
		n.log.Error("store the last usage: the next start does", "err", err)
	}
	return err
}

// serveGuests answers what instances ask of the platform.
func (n *Node) serveGuests(ctx context.Context) error {
	return n.machine.guests.Run(ctx, metadata.New(n.tokens, whoAsks))
}

// serveInside answers what instances ask of Storage and Pub/Sub.
func (n *Node) serveInside(ctx context.Context) error { return n.machine.apis.Run(ctx, n.inside) }

// serveCallers answers what instances ask of services.
func (n *Node) serveCallers(ctx context.Context) error {
	return n.machine.callers.Run(ctx, n.serve.gateway)
}

// Close gives everything back; a Node that has Run is closed.
func (n *Node) Close() error {
	var err error
	if n.storage != nil {
		err = n.storage.close()
		n.storage = nil
	}
	if n.machine != nil {
		err = errors.Join(err, n.machine.close())
		n.machine = nil
	}
	return errors.Join(err, n.before.close())
}

// ready is nil once requests are served.
func (n *Node) ready() error {
	if !n.isReady.Load() {
		return sunya.Errorf(sunya.Unavailable, "", "the server is starting")
	}
	return nil
}

// url returns the URL under which a label answers.
func (n *Node) url(label string) string {
	host := label + "." + n.cfg.Domain
	l, ok := n.appsListener()
	if !ok {
		return "http://" + host
	}
	scheme, usual := "http", "80"
	if l.TLS != nil {
		scheme, usual = "https", "443"
	}
	if _, port, err := net.SplitHostPort(l.Addr().String()); err == nil && port != usual {
		host = net.JoinHostPort(host, port)
	}
	return scheme + "://" + host
}

// appsListener is the listener that URLs of apps lead to: a public one if there
// is one.
func (n *Node) appsListener() (found front.Listener, ok bool) {
	for _, l := range n.machine.listeners {
		if !l.Roles.Has(front.Apps) {
			continue
		}
		if !ok || l.Roles == front.Apps {
			found, ok = l, true
		}
	}
	return found, ok
}
