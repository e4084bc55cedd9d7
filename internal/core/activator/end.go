package activator

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance"
)

// patience is how long an instance that is to end may finish its requests.
const patience = 30 * time.Second

// End takes one instance of a revision out of service and returns when nothing
// is left of it. Its requests are finished, for half a minute at most. NotFound
// when no such instance serves.
func (a *Activator) End(ctx context.Context, revision, id, why string) error {
	inst := a.leave(revision, id, why)
	if inst == nil {
		return sunya.Errorf(sunya.NotFound, id, "no such instance serves")
	}
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-inst.Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx) // it ends all the same
	case <-wait.C:
		a.stop(inst, why+", its requests took too long")
		return nil
	}
}

// leave takes an instance out of service and returns it; nil when none is there.
func (a *Activator) leave(revision, id, why string) *instance.Instance {
	v, ok := a.keepers.Load(revision)
	if !ok {
		return nil
	}
	k := v.(*keeper)
	k.mu.Lock()
	defer k.mu.Unlock()
	m := k.pool.Find(id)
	if m == nil {
		return nil
	}
	k.pool.Leave(a.now(), m, why)
	k.settle("")
	return m.Owner.(*instance.Instance)
}
