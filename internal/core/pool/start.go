package pool

import (
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
)

// Begin says that a start begins now that had to wait for its turn. False: it is
// no longer wanted, and nothing follows.
func (p *Pool) Begin(now time.Time) bool {
	wanted := autoscale.Desired(p.cfg.Policy, p.observe(now))
	p.held--
	p.dueForWaiters(time.Time{})
	if !p.closed && len(p.members)+p.starting-p.held <= wanted {
		return true
	}
	p.starting--
	p.dueAt(now)
	return false
}

// NoRoom says that n starts are not made, because the machine has no room. Who
// waits is told, unless other instances will serve them.
func (p *Pool) NoRoom(now time.Time, n int) {
	p.starting -= n
	p.held -= n
	p.roomAt = now.Add(roomPause)
	if p.starting == 0 && len(p.members) == 0 {
		for p.queue.first != nil {
			p.refuseFirst(noRoom(now.Sub(p.queue.first.since)))
		}
	}
	p.dueForWaiters(time.Time{})
	p.dueAt(p.roomAt)
}

// roomPause is how long none is asked for after that, and roomAfter when a client
// may try again.
const (
	roomPause = time.Second
	roomAfter = 10 * time.Second
)

func noRoom(waited time.Duration) *Refusal {
	return &Refusal{Cause: NoRoom, After: roomAfter, Waited: waited}
}

// Started takes an instance into service that was to be started, or one that was
// there before.
func (p *Pool) Started(now time.Time, m *Member) {
	p.startOver()
	m.lastUsed = now
	if p.closed {
		p.stop(m, "the server shuts down")
		return
	}
	p.backoff.Ready()
	p.booted(m.Boot)
	p.windows.Observe(now, p.inFlight)
	p.serve(now, m)
	p.dispatch(now, m, true)
	if p.queue.n > 0 {
		p.scale(now, Spare) // it was not enough
	}
	p.dueAt(now.Add(p.stay(true)))
	p.dueForWaiters(time.Time{})
}

// startOver counts a start out. Who tells of no Begin has none held.
func (p *Pool) startOver() {
	p.starting--
	p.held = min(p.held, p.starting)
}

// booted keeps the average of what starts take.
func (p *Pool) booted(took time.Duration) {
	if p.boot == 0 || took == 0 {
		p.boot = max(p.boot, took)
		return
	}
	p.boot += (took - p.boot) / 4
}

// Adopt announces an instance that is there already and gets ready: Started or
// Failed follows.
func (p *Pool) Adopt(now time.Time) {
	p.lastSeen = now
	p.starting++
}

// Failed records a start that came to nothing. Who waits is told, unless other
// instances will serve them.
func (p *Pool) Failed(now time.Time, err error) {
	p.startOver()
	p.backoff.Failed(now)
	p.lastErr = err
	if p.starting == 0 && len(p.members) == 0 {
		p.refuse(&Refusal{Cause: NoStart, Err: err})
	}
	p.dueForWaiters(time.Time{})
	p.dueAt(now.Add(p.backoff.Wait(now)))
}
