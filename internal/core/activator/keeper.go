package activator

import (
	"context"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/agenda"
	"github.com/sunya-cloud/sunya/internal/core/autoscale"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/pool"
	"github.com/sunya-cloud/sunya/internal/core/room"
)

// keeper keeps the pool of one revision: it tells it what happens and does what
// comes of it.
type keeper struct {
	a    *Activator
	rev  *sunya.Revision
	next agenda.Entry[*keeper]

	mu      sync.Mutex
	pool    *pool.Pool
	held    []instance.Reason // of starts that wait for room
	gone    bool              // no longer in Activator.keepers
	planned time.Time         // when next is due, or zero: none
}

// waiter is a request without a slot.
type waiter struct {
	pool.Waiter
	over chan struct{} // buffered; gets one value when Member or Err is set
}

func newKeeper(a *Activator, rev *sunya.Revision) *keeper {
	c := pool.Config{
		Policy: autoscale.Policy{
			Concurrency: max(rev.Concurrency, 1),
			TargetUtil:  rev.Scaling.TargetUtil,
			Max:         a.most(rev),
			MaxIdle:     rev.Scaling.MaxIdle,
			Idle:        a.opts.Idle,
		},
		MinPending:   rev.Scaling.MinPending,
		MaxPending:   rev.Scaling.MaxPending,
		MaxQueue:     a.opts.MaxQueue,
		QueueTimeout: a.opts.QueueTimeout,
		StartLimit:   instance.StartTimeout(rev) + startSlack,
		NoEvict:      rev.Scaling.NoFreeze,
	}
	if rev.Scaling.Idle > 0 {
		c.Idle = rev.Scaling.Idle
	}
	k := &keeper{a: a, rev: rev, pool: pool.New(c)}
	k.next.Item = k
	return k
}

// startSlack is what a start may take around the program's own time.
const startSlack = 15 * time.Second

// settle does what the pool wants after an event, and plans its next Tick. why
// is the reason of a start for those who have a better one than the pool. mu is
// held.
func (k *keeper) settle(why instance.Reason) {
	open := true
	var starts []pool.Reason // after all others: they may lead to further actions
	for acts := k.pool.Actions(); len(acts) > 0; acts = k.pool.Actions() {
		starts = starts[:0]
		for _, act := range acts {
			switch {
			case act.Wake != nil:
				act.Wake.Owner.(*waiter).over <- struct{}{}
			case act.Stop != nil:
				k.stop(act.Stop, act.Why)
			default:
				starts = append(starts, act.Start)
			}
		}
		for _, r := range starts {
			open = k.start(because(r, why)) && open
		}
	}
	if !open {
		k.close()
	}
	if due := k.pool.Due(); !due.IsZero() && (k.planned.IsZero() || due.Before(k.planned)) {
		k.planned = due
		k.a.agenda.Move(&k.next, due)
	}
}

// reasons are the pool's, in the words of the log.
var reasons = [...]instance.Reason{
	pool.ColdStart: instance.ColdStart,
	pool.ScaleOut:  instance.ScaleOut,
	pool.Spare:     instance.Spare,
	pool.Minimum:   instance.Minimum,
}

func because(r pool.Reason, better instance.Reason) instance.Reason {
	if better != "" {
		return better
	}
	return reasons[r]
}

// starter begins the life of an instance.
type starter func(ctx context.Context) (*instance.Instance, error)

func (k *keeper) starter(why instance.Reason) starter {
	return func(ctx context.Context) (*instance.Instance, error) {
		return k.a.instances.Start(ctx, k.rev, why)
	}
}

// start starts an instance, or lets it wait for room. It fails only when the
// activator is closed. mu is held.
func (k *keeper) start(why instance.Reason) bool {
	switch k.a.lobby.ask(k) {
	case room.Go:
		if k.pool.Begin(k.a.now()) {
			return k.launch(k.starter(why), false)
		}
		k.a.lobby.cancel(k.rev.Name)
	case room.Wait:
		k.held = append(k.held, why)
	default:
		k.pool.NoRoom(k.a.now(), 1)
	}
	return true
}

// launch begins the life of an instance in the background; it fails only when
// the activator is closed.
func (k *keeper) launch(start starter, adopted bool) bool {
	return k.a.spawn(func() { k.live(start, adopted) })
}

// live is the life of one instance in its pool, from start to end.
func (k *keeper) live(start starter, adopted bool) {
	begin := k.a.now()
	inst, err := start(k.a.starts)
	if !adopted {
		k.a.lobby.tell(func(r *room.Room) { r.Booted(k.rev.Name, 0) })
	}
	if err != nil {
		k.on(func() { k.pool.Failed(k.a.now(), err) })
		k.a.lobby.tell(func(r *room.Room) { r.Ended(k.rev.Name, false) })
		return
	}
	m := &pool.Member{ID: inst.ID(), Owner: inst, Since: inst.Status().StartTime}
	if !adopted {
		m.Boot = k.a.now().Sub(begin)
	}
	k.on(func() { k.pool.Started(k.a.now(), m) })
	k.a.weigh(k.a.starts, inst)
	<-inst.Done()
	k.on(func() { k.pool.Ended(k.a.now(), m) })
	k.a.lobby.tell(func(r *room.Room) { r.Ended(k.rev.Name, m.Retired()) })
}

// on tells the pool of an event and does what comes of it.
func (k *keeper) on(event func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	event()
	k.settle("")
}

// stop ends an instance in the background. Shutdown waits for live, which waits
// for the end. mu is held, so that live has not ended yet.
func (k *keeper) stop(m *pool.Member, why string) {
	inst := m.Owner.(*instance.Instance)
	k.a.lobby.tell(func(r *room.Room) { r.Leaving(k.rev.Name) })
	k.a.wg.Go(func() { k.a.stop(inst, why) })
}

// close takes everything out of service for good. mu is held.
func (k *keeper) close() {
	k.pool.Close(k.a.now(), "the server shuts down")
	k.settle("")
}

// tick lets the pool look at what time has brought, and drops it when nothing is
// left.
func (k *keeper) tick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return
	}
	now := k.a.now()
	k.planned = time.Time{}
	k.pool.Tick(now)
	k.settle("")
	if k.pool.AtRest(now) {
		k.gone = true
		k.a.keepers.CompareAndDelete(k.rev.Name, k)
	}
}
