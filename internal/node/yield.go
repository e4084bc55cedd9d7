package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/handover"
)

// The times of a succession.
const (
	settleTime  = time.Second            // for what is starting, before the place is given
	retireTime  = 10 * time.Second       // for the launcher
	reclaimTime = 10 * time.Second       // until the launcher knows that the other one is gone
	reclaimWait = 20 * time.Millisecond  // between attempts
	reportEvery = 200 * time.Millisecond // what is still under way
	quietTime   = 3 * time.Second        // without a frame, until connections of programs are cut
)

// yield leaves this server's place to the next one. It returns gone once that one
// serves and the requests of this one are over; without an error and not gone,
// everything is as it was.
func (n *Node) yield(ctx context.Context, c *crew, next *handover.Successor) (gone bool, err error) {
	defer next.Done()
	n.log.Info("make room for the next server", "version", next.Version, "pid", next.PID)
	conns := newPassing()
	n.server.Leave(succeeded, conns.add)
	c.front.stop() // no more is accepted; what comes waits in the kernel's queue
	n.machine.settle()
	n.settle(ctx)
	gift, err := n.retire(ctx, c)
	if err != nil {
		next.Refuse(err)
	} else {
		err = next.Give(gift)
		gift.Close()
	}
	if err != nil {
		n.log.Warn("the next server does not serve: this one goes on", "err", err)
		return false, n.takeBack(ctx, c, conns)
	}
	return true, n.finish(ctx, c, next, conns)
}

// settle waits for a moment until nobody waits for an instance.
func (n *Node) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		if starting, waiting := n.serve.activator.Unsettled(); starting+waiting == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(reclaimWait):
		}
	}
}

// retire gives up what only one server can have. On error some of it may be given
// up: see takeBack.
func (n *Node) retire(ctx context.Context, c *crew) (*handover.Gift, error) {
	within, cancel := context.WithTimeout(ctx, retireTime)
	defer cancel()
	if err := n.machine.engine.Retire(within); err != nil {
		return nil, err
	}
	_ = c.workers.end() // they end because they are told to
	n.serve.output.shut()
	n.storage.state.Hold()
	n.storage.events.Hold()
	n.machine.guests.finish(true)
	n.machine.apis.finish(true)
	n.machine.callers.finish(true)
	networks, err := n.machine.engine.Divert()
	if err != nil {
		return nil, err
	}
	lock, err := duplicate(n.machine.dir.Lock())
	if err != nil {
		return nil, err
	}
	return &handover.Gift{Lock: lock, Networks: networks, Busy: n.busy()}, nil
}

// takeBack undoes retire.
func (n *Node) takeBack(ctx context.Context, c *crew, conns *passing) error {
	if err := n.reclaim(ctx); err != nil {
		n.machine.lent = true
		return fmt.Errorf("another server asked for this one's place, did not come to serve, and did not leave either: %w", err)
	}
	_ = c.workers.end()
	n.machine.guests.finish(false)
	n.machine.apis.finish(false)
	n.machine.callers.finish(false)
	n.storage.state.Resume()
	n.storage.events.Resume()
	n.serve.output.open()
	err := errors.Join(n.machine.dir.Sign(), n.adopt(ctx), n.machine.reopen())
	c.workers = n.workers(ctx)
	before := c.front // it finishes what it still has
	n.server.Leave(drain, nil)
	c.front = muster(ctx, n.server.Run)
	go conns.back(ctx, n.server, before.over)
	return err
}

// reclaim takes the sandboxes back, as soon as the launcher knows that the other
// server is gone.
func (n *Node) reclaim(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reclaimTime)
	defer cancel()
	for {
		err := n.machine.engine.Reclaim(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(reclaimWait):
		}
	}
}

// finish lets the requests of this server come to their end while the next one
// serves, and tells it about them. Streams are among them (a WebSocket is in an
// instance to its end), and the connections that programs have to elsewhere while
// anything passes on them.
func (n *Node) finish(ctx context.Context, c *crew, next *handover.Successor, conns *passing) error {
	n.machine.lent = true
	n.isReady.Store(false)
	if err := n.storage.state.Leave(ctx); err != nil {
		n.log.Warn("uploads under way are refused", "err", err)
	}
	n.storage.meter.Leave(time.Now())
	defer n.storage.state.Resume() // what was used is written last
	n.log.Info("another server has taken over", "version", next.Version, "pid", next.PID)
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	limit := time.NewTimer(succeeded)
	defer limit.Stop()
	for {
		select {
		case <-ctx.Done():
			n.server.Hurry(drain)
			<-c.front.over
			return nil
		case <-limit.C:
			return nil
		case <-conns.more:
			conns.to(next.Pass)
		case <-tick.C:
			over, busy := isOver(c.front), n.busy()
			conns.to(next.Pass)
			_ = next.Busy(busy) // it may be gone again: nothing changes for these requests
			if over && len(busy) == 0 && n.machine.engine.Quiet(quietTime) {
				return nil
			}
		}
	}
}

func isOver(t *team) bool {
	select {
	case <-t.over:
		return true
	default:
		return false
	}
}

// busy is how many requests this server has in instances. One that is starting has
// somebody who waits for it.
func (n *Node) busy() map[string]int {
	out := map[string]int{}
	for _, i := range n.serve.instances.Instances() {
		switch {
		case i.InFlight > 0:
			out[i.ID] = i.InFlight
		case i.State == sunya.InstanceStarting:
			out[i.ID] = 1
		}
	}
	return out
}

// adoptedTime is how long a successor waits for the instances that it adopts.
const adoptedTime = 500 * time.Millisecond

// succeed takes the place of the server before this one, if there is one: from now
// on that one has nothing to take back.
func (n *Node) succeed(ctx context.Context) error {
	if n.before == nil {
		return nil
	}
	n.awaitAdopted(ctx)
	if err := n.before.Serving(); err != nil {
		n.log.Warn("the server before this one is gone", "err", err) // and so is what it may want back
	}
	n.machine.lent = false
	n.log.Info("took over", "from", n.before.PID, "version", n.before.Version)
	return nil
}

func (n *Node) awaitAdopted(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, adoptedTime)
	defer cancel()
	for {
		if starting, _ := n.serve.activator.Unsettled(); starting == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Millisecond):
		}
	}
}
