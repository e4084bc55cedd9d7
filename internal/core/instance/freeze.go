package instance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/freeze"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// ErrStopped is returned by Enter when the instance no longer takes requests.
var ErrStopped = errors.New("instance has stopped")

// freezerTimeout bounds a single freeze or thaw, which takes well under a
// millisecond.
const freezerTimeout = 2 * time.Second

// pageOutTimeout bounds what takes a slow disk a while.
const pageOutTimeout = 30 * time.Second

// Enter counts a request in and thaws the instance if it is frozen, which it
// reports. After a nil error the caller must Leave.
func (i *Instance) Enter(ctx context.Context) (thawed bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if ended(i.box) {
		return false, ErrStopped // supervise has yet to notice
	}
	switch i.state {
	case sunya.InstanceReady:
		if i.beating {
			i.patience.Woken(i.m.now().Sub(i.frozeAt))
		}
		i.beating = false
	case sunya.InstanceFrozen:
		begin := i.m.now()
		if err := i.thaw(ctx); err != nil {
			return false, err
		}
		thawed = true
		now := i.m.now()
		i.patience.Woken(now.Sub(i.frozeAt))
		i.told.Thawed(now, now.Sub(begin))
		i.m.nudge(i)
	default:
		return false, ErrStopped
	}
	if i.inFlight++; i.inFlight == 1 {
		i.told.Busy(i.m.now())
	}
	return thawed, nil
}

// Leave counts a request out.
func (i *Instance) Leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.inFlight--
	if i.inFlight == 0 {
		now := i.m.now()
		i.freezeAt = now.Add(i.patience.After())
		i.told.Idle(now)
		if i.freezeAt.Before(i.lookAt) {
			i.m.due.Latest(&i.due, i.freezeAt)
		}
	}
}

// thaw lets the processes go on; mu is held. The request that wants it may go
// away meanwhile, the thaw is finished all the same.
func (i *Instance) thaw(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), freezerTimeout)
	defer cancel()
	if err := i.box.Thaw(ctx); err != nil {
		return fmt.Errorf("thaw %s: %w", i.ID(), err)
	}
	i.state, i.beating = sunya.InstanceReady, false
	i.frozen.Store(false)
	return nil
}

// tend does what is due for an instance, and returns when to look again; zero
// for never.
func (i *Instance) tend(ctx context.Context, now time.Time) (again time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lookAt = i.tendFreezer(ctx, now)
	return earlier(i.lookAt, i.tendLiveness(ctx, now))
}

// earlier returns the first of two moments; zero stands for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// tendFreezer freezes the instance when it is time, or lets a frozen one go for a
// moment, and returns when to look again; zero for never. mu is held.
func (i *Instance) tendFreezer(ctx context.Context, now time.Time) (again time.Time) {
	switch {
	case i.rev.Scaling.NoFreeze:
		return time.Time{}
	case i.state == sunya.InstanceReady && (i.inFlight > 0 || i.isAsked()):
		return now.Add(freeze.Longest)
	case i.state == sunya.InstanceReady && now.Before(i.freezeAt):
		return i.freezeAt
	case i.state == sunya.InstanceReady:
		return i.freeze(ctx, now)
	case i.state == sunya.InstanceFrozen && now.Before(i.beatAt):
		return i.beatAt
	case i.state == sunya.InstanceFrozen:
		return i.beat(ctx, now)
	}
	return time.Time{}
}

// freeze stops the processes where they are; mu is held. The next heartbeat
// comes at a random moment of the last quarter of the interval, so that
// instances that froze together are not thawed together.
func (i *Instance) freeze(ctx context.Context, now time.Time) (again time.Time) {
	ctx, cancel := context.WithTimeout(ctx, freezerTimeout)
	defer cancel()
	i.frozen.Store(true)
	if err := i.box.Freeze(ctx); err != nil {
		i.frozen.Store(false)
		i.m.log.Warn("freeze", "instance", i.ID(), "err", err)
		i.freezeAt = now.Add(heartbeat)
		return i.freezeAt
	}
	i.state = sunya.InstanceFrozen
	if !i.beating {
		i.frozeAt, i.pagedOut = now, false
		i.look(ctx)
		i.told.Frozen(now, i.used)
	} else if !i.pagedOut && now.Sub(i.frozeAt) >= pageOutAfter && i.m.Crowded != nil && i.m.Crowded() {
		i.pagedOut = true
		go i.pageOut(context.WithoutCancel(ctx))
	}
	i.beatAt = now.Add(heartbeat - rand.N(heartbeat/4+1))
	return i.beatAt
}

// pageOut gives memory back once a sleep has become a long one: heartbeats fetch
// the little that they touch, and the next request what it needs. A request that
// comes meanwhile does not wait for it. It ends within pageOutTimeout.
func (i *Instance) pageOut(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pageOutTimeout)
	defer cancel()
	if p, ok := i.box.(sandbox.Pager); ok {
		if err := p.PageOut(ctx); err != nil {
			i.m.log.Debug("page out", "instance", i.ID(), "err", err)
		}
	}
}

// beat lets a frozen instance go for a moment; mu is held.
func (i *Instance) beat(ctx context.Context, now time.Time) (again time.Time) {
	if err := i.thaw(ctx); err != nil {
		i.m.log.Warn("heartbeat", "instance", i.ID(), "err", err)
		i.beatAt = now.Add(heartbeat)
		return i.beatAt
	}
	i.beating = true
	go i.knock(context.WithoutCancel(ctx))
	i.freezeAt = now.Add(heartbeatFor)
	return i.freezeAt
}

// knock connects to the program and hangs up, so that it wakes and notes that
// it lives. What comes of it does not matter; it ends within freezerTimeout.
func (i *Instance) knock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freezerTimeout)
	defer cancel()
	if conn, err := i.box.Dial(ctx); err == nil {
		conn.Close()
	}
}
