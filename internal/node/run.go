package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"github.com/sunya-cloud/sunya/internal/adapt/handover"
)

// The times of an end.
const (
	drain       = 10 * time.Second // how long requests may go on after the end was asked for
	stopTimeout = 25 * time.Second // for the stop of all instances; their own grace is within it
	// succeeded is how long requests may go on once another server serves: the
	// longest that a service may allow them (Cloud Run: an hour).
	succeeded = time.Hour
)

// team is a part of the server that ends as a whole.
type team struct {
	stop context.CancelFunc
	over chan struct{} // closed when all of it has ended
	err  error         // why, once over is closed
}

func muster(ctx context.Context, parts ...func(context.Context) error) *team {
	t := &team{over: make(chan struct{})}
	ctx, t.stop = context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	for _, part := range parts {
		group.Go(func() error { return part(ctx) })
	}
	go func() {
		defer close(t.over)
		t.err = group.Wait()
	}()
	return t
}

// end stops the team and waits for it.
func (t *team) end() error {
	t.stop()
	<-t.over
	return t.err
}

// Run serves until ctx ends, then drains, stops every instance and closes. It also
// ends when another server has taken its place and its own requests are over.
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
	if err := n.succeed(ctx); err != nil {
		return err
	}
	var err error
	if n.desk, err = handover.Open(n.machine.dir.Join("run"), n.cfg.Version, n.log); err != nil {
		return err
	}
	return n.serveUntil(ctx)
}

// crew is what runs while the server serves.
type crew struct {
	front   *team // answers requests from outside
	inside  *team // answers those of instances, and other servers
	workers *team // change the state and the instances
}

// workers are the parts that only one server may have.
func (n *Node) workers(ctx context.Context) *team {
	return muster(ctx,
		n.watchLauncher,
		n.tidy,
		n.shrink,
		n.storage.logs.Run,
		n.serve.instances.Run,
		n.serve.activator.Run,
		n.serve.metrics.Run,
		n.products.objects.Run,
		n.products.runner.Run,
		n.products.tasks.Run,
		n.products.builds.Run,
		n.products.pubsub.Run,
		n.relayObjects,
		n.products.eventing.Run,
	)
}

// serveUntil serves until ctx ends, a part fails, or another server has taken over.
func (n *Node) serveUntil(ctx context.Context) error {
	yields := make(chan *handover.Successor)
	c := &crew{
		inside:  muster(ctx, n.serveGuests, n.serveInside, n.serveCallers, n.besides(), n.hearSuccessors(yields)),
		workers: n.workers(ctx),
	}
	n.server.Leave(drain, nil)
	c.front = muster(ctx, n.server.Run)
	n.isReady.Store(true)
	defer n.isReady.Store(false)
	n.notify("READY=1")
	for {
		select {
		case <-c.front.over:
		case <-c.inside.over:
		case <-c.workers.over:
		case next := <-yields:
			gone, err := n.yield(ctx, c, next)
			if err == nil && !gone {
				continue
			}
			if gone {
				_ = c.inside.end() // as it was told
				return err
			}
			return errors.Join(err, n.stopAll(ctx, c))
		}
		return n.stopAll(ctx, c)
	}
}

// stopAll ends everything, the front first, and then the instances.
func (n *Node) stopAll(ctx context.Context, c *crew) error {
	n.notify("STOPPING=1")
	err := errors.Join(c.front.end(), c.inside.end(), c.workers.end())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(err, n.serve.activator.Shutdown(ctx))
}

// besides looks after what another server still has, if there was one.
func (n *Node) besides() func(context.Context) error {
	before := n.before
	n.before = nil
	return func(ctx context.Context) error {
		if before == nil {
			return nil
		}
		return n.finishBeside(ctx, before)
	}
}

// hearSuccessors passes on those who want this server's place.
func (n *Node) hearSuccessors(yields chan<- *handover.Successor) func(context.Context) error {
	return func(ctx context.Context) error {
		return n.desk.Run(ctx, &place{n: n, yields: yields})
	}
}

// place is what is to be had of this server.
type place struct {
	n      *Node
	yields chan<- *handover.Successor
}

// Sockets implements handover.Server.
func (p *place) Sockets() ([]handover.Socket, error) {
	if p.n.machine.dir.Ephemeral() {
		return nil, fmt.Errorf("its data directory goes with it (--ephemeral)")
	}
	return p.n.machine.handovers()
}

// Yield implements handover.Server.
func (p *place) Yield(ctx context.Context, s *handover.Successor) {
	select {
	case p.yields <- s:
		<-s.Over()
	case <-ctx.Done():
	}
}

// notify tells a service manager how this server is, where one listens (sd_notify).
func (n *Node) notify(state string) {
	if _, err := daemon.SdNotify(false, fmt.Sprintf("MAINPID=%d\n%s", os.Getpid(), state)); err != nil {
		n.log.Debug("notify the service manager", "err", err)
	}
}
