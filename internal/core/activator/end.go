package activator

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya"
)

// patience is how long an instance that is to end may finish its requests.
const patience = 30 * time.Second

// End takes one instance of a revision out of service and returns when nothing
// is left of it. Its requests are finished, for half a minute at most. NotFound
// when no such instance serves.
func (a *Activator) End(ctx context.Context, revision, id, why string) error {
	p, m := a.find(revision, id)
	if m == nil {
		return sunya.Errorf(sunya.NotFound, id, "no such instance serves")
	}
	p.leave(m, why)
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-m.inst.Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx) // it ends all the same
	case <-wait.C:
		a.stop(m.inst, why+", its requests took too long")
		return nil
	}
}

func (a *Activator) find(revision, id string) (*pool, *member) {
	v, ok := a.pools.Load(revision)
	if !ok {
		return nil, nil
	}
	p := v.(*pool)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		if m.inst.ID() == id {
			return p, m
		}
	}
	return nil, nil
}

// leave takes a member out of service; it ends once its requests are over.
func (p *pool) leave(m *member, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.remove(m) {
		return // somebody else was faster: it ends
	}
	m.leaving = why
	if m.used == 0 {
		p.retire(m)
	}
	p.replace()
	p.a.nudge()
}
