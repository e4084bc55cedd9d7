package instance

import (
	"context"
	"fmt"
	"sync"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Adopt takes over the instances that an earlier server left running; call
// Resume on each. Every other sandbox is stopped: builds begin anew, and what
// belongs to no known revision serves nobody. It calls Engine.Adopt.
func (m *Manager) Adopt(ctx context.Context) ([]*Instance, error) {
	boxes, err := m.Engine.Adopt(ctx)
	if err != nil {
		return nil, fmt.Errorf("adopt sandboxes: %w", err)
	}
	var out []*Instance
	var stops sync.WaitGroup
	defer stops.Wait()
	table := m.Directory.Table()
	for _, box := range boxes {
		spec := box.Spec()
		rev, known := table.Revision(spec.Labels[labelRevision])
		if spec.Kind == Kind && known && rev.ID == spec.Labels[labelRevisionID] && !ended(box) {
			out = append(out, m.newInstance(rev, box))
			continue
		}
		stops.Go(func() { m.stopOrphan(ctx, box) })
	}
	return out, nil
}

// Resume brings an adopted instance back into service; it may have been
// starting or frozen. On error nothing is left of it.
func (i *Instance) Resume(ctx context.Context) error {
	if err := i.resume(ctx); err != nil {
		i.discard(ctx)
		return fmt.Errorf("resume %s: %w", i.ID(), err)
	}
	i.begin()
	return nil
}

func (i *Instance) resume(ctx context.Context) error {
	i.mu.Lock()
	err := i.thaw(ctx)
	i.state = sunya.InstanceStarting
	i.mu.Unlock()
	if err != nil {
		return err
	}
	return i.awaitReady(ctx)
}

func (m *Manager) stopOrphan(ctx context.Context, box sandbox.Sandbox) {
	spec := box.Spec()
	m.log.Info("stop what no one owns", "sandbox", spec.ID, "kind", spec.Kind, "revision", spec.Labels[labelRevision])
	ctx, cancel := context.WithTimeout(ctx, grace+stopSlack)
	defer cancel()
	if err := box.Stop(ctx, grace); err != nil {
		m.log.Error("stop sandbox", "sandbox", spec.ID, "err", err)
	}
}
