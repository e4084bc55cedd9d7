package instance

import (
	"context"
	"fmt"
	"sync"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Adopt takes over those of the sandboxes that an earlier server left running
// which are instances of revisions that there still are; call Resume on each. An
// instance of anything else serves nobody and is stopped. Sandboxes of another
// Kind are none of its business.
func (m *Manager) Adopt(ctx context.Context, boxes []sandbox.Sandbox) []*Instance {
	var out []*Instance
	var stops sync.WaitGroup
	defer stops.Wait()
	table := m.Directory.Table()
	for _, box := range boxes {
		spec := box.Spec()
		if spec.Kind != Kind {
			continue
		}
		rev, known := table.Revision(spec.Labels[labelRevision])
		if known && rev.ID == spec.Labels[labelRevisionID] && !ended(box) {
			out = append(out, m.newInstance(rev, box))
			continue
		}
		stops.Go(func() { m.stopOrphan(ctx, box) })
	}
	return out
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
	return i.awaitReady(ctx, 0)
}

func (m *Manager) stopOrphan(ctx context.Context, box sandbox.Sandbox) {
	spec := box.Spec()
	m.log.Info("stop what no one owns", "sandbox", spec.ID, "revision", spec.Labels[labelRevision])
	ctx, cancel := context.WithTimeout(ctx, grace+stopSlack)
	defer cancel()
	if err := box.Stop(ctx, grace); err != nil {
		m.log.Error("stop sandbox", "sandbox", spec.ID, "err", err)
	}
}
