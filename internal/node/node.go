package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya"
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
	if n.machine, err = openMachine(ctx, cfg, log); err != nil {
		return n, err
	}
	if n.storage, err = openStorage(ctx, n.machine.dir, log); err != nil {
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
	n.products.pubsub = n.newPubSub(n.log)
	if n.server, err = n.newServer(); err != nil {
		return n, err
	}
	return n, nil
}

// drain is how long requests may go on after the end was asked for.
const drain = 10 * time.Second

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
	f, err := front.New(front.Config{
		Domain:  n.cfg.Domain,
		Routes:  a.routes,
		Later:   later,
		GRPC:    a.grpc,
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
	s := f.NewServer(n.machine.listeners)
	s.Drain = drain
	return s, nil
}

// Run serves until ctx ends, then drains, stops every instance and closes.
func (n *Node) Run(ctx context.Context) error {
	err := n.run(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, n.Close())
}

// run starts the parts in the order in which they need each other. The request
// log and the meter must outlive the requests and the instances, so they stop
// last.
func (n *Node) run(ctx context.Context) error {
	defer outlive(ctx, n.serve.hub.Run)()
	defer outlive(ctx, n.measure)()

	if err := n.serve.catalog.Load(ctx); err != nil {
		return err
	}
	if err := n.products.runner.Recover(ctx); err != nil {
		return err
	}
	if err := n.adopt(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, part := range []func(context.Context) error{
		n.watchLauncher,
		n.tidy,
		n.storage.logs.Run,
		n.serve.instances.Run,
		n.serve.activator.Run,
		n.serve.metrics.Run,
		n.products.objects.Run,
		n.products.runner.Run,
		n.products.tasks.Run,
		n.products.builds.Run,
		n.products.pubsub.Run,
		n.serveGuests,
		n.serveCallers,
		n.server.Run,
	} {
		group.Go(func() error { return part(ctx) })
	}
	n.isReady.Store(true)
	err := group.Wait()
	n.isReady.Store(false)
	return errors.Join(err, n.stopInstances(ctx))
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

// serveCallers answers what instances ask of services.
func (n *Node) serveCallers(ctx context.Context) error {
	return n.machine.callers.Run(ctx, n.serve.gateway)
}

// stopTimeout bounds the stop of all instances; their own grace is within it.
const stopTimeout = 25 * time.Second

func (n *Node) stopInstances(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return n.serve.activator.Shutdown(ctx)
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
	return err
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
