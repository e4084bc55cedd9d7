package instance

import (
	"context"
	"fmt"
	"slices"
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
	for _, box := range join(boxes) {
		spec := box.Spec()
		rev, known := table.Revision(spec.Labels[labelRevision])
		if known && rev.ID == spec.Labels[labelRevisionID] && !ended(box) && m.isWhole(rev, box) {
			out = append(out, m.newInstance(rev, box))
			continue
		}
		stops.Go(func() { m.stopOrphan(ctx, box) })
	}
	return out
}

// join puts the sandboxes of each instance together. Sidecars without the one
// that answers requests are left over.
func join(boxes []sandbox.Sandbox) []sandbox.Sandbox {
	sidecars := map[string][]*sidecar{}
	for _, box := range boxes {
		if labels := box.Spec().Labels; labels[labelContainer] != "" {
			sidecars[labels[LabelInstance]] = append(sidecars[labels[LabelInstance]], &sidecar{box: box})
		}
	}
	var out []sandbox.Sandbox
	for _, box := range boxes {
		spec := box.Spec()
		id := spec.Labels[LabelInstance]
		switch {
		case spec.Kind != Kind || spec.Labels[labelContainer] != "":
		case len(sidecars[id]) > 0:
			out = append(out, &group{Sandbox: box, sidecars: sidecars[id]})
			delete(sidecars, id)
		default:
			out = append(out, box)
		}
	}
	for _, alone := range sidecars {
		for _, s := range alone {
			out = append(out, s.box)
		}
	}
	return out
}

// isWhole completes the sidecars of an adopted instance, and reports whether it
// has all that its revision wants.
func (m *Manager) isWhole(rev *sunya.Revision, box sandbox.Sandbox) bool {
	g, ok := box.(*group)
	if !ok {
		return len(rev.Sidecars) == 0 && box.Spec().Labels[labelContainer] == ""
	}
	for _, s := range g.sidecars {
		name := s.box.Spec().Labels[labelContainer]
		n := slices.IndexFunc(rev.Sidecars, func(c sunya.Container) bool { return c.ContainerName == name })
		if n < 0 {
			return false
		}
		s.c = &rev.Sidecars[n]
	}
	if len(g.sidecars) != len(rev.Sidecars) {
		return false
	}
	for _, s := range g.sidecars {
		s.out = m.carryOutput(rev, box.Spec().ID, s.c.ContainerName, s.box)
	}
	return true
}

// Resume brings an adopted instance back into service; it may have been
// starting or frozen. On error nothing is left of it.
func (i *Instance) Resume(ctx context.Context) error {
	if err := i.resume(ctx); err != nil {
		i.discard(ctx)
		return fmt.Errorf("resume %s: %w", i.ID(), err)
	}
	i.begin(func() {
		i.look(ctx)
		i.told.Adopted(i.m.now(), i.used)
	})
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
