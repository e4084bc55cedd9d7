package node

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// adopters take over what an earlier server left running, each the sandboxes of
// its Kind.
func (n *Node) adopters() map[string]func(context.Context, []sandbox.Sandbox) {
	return map[string]func(context.Context, []sandbox.Sandbox){
		instance.Kind: n.serve.activator.Adopt,
		jobs.Kind:     n.products.tasks.Adopt,
	}
}

// adopt hands out what an earlier server left running. What nobody takes, such
// as the step of a build, begins anew and is stopped.
func (n *Node) adopt(ctx context.Context) error {
	boxes, err := n.machine.engine.Adopt(ctx)
	if err != nil {
		return fmt.Errorf("adopt sandboxes: %w", err)
	}
	adopters := n.adopters()
	for kind, take := range adopters {
		take(ctx, slices.DeleteFunc(slices.Clone(boxes), func(b sandbox.Sandbox) bool { return b.Spec().Kind != kind }))
	}
	var stops sync.WaitGroup
	defer stops.Wait()
	for _, box := range boxes {
		if _, taken := adopters[box.Spec().Kind]; !taken {
			stops.Go(func() { n.stopOrphan(ctx, box) })
		}
	}
	return nil
}

// orphanTimeout bounds the stop of a sandbox that nobody has taken over.
const orphanTimeout = 20 * time.Second

func (n *Node) stopOrphan(ctx context.Context, box sandbox.Sandbox) {
	spec := box.Spec()
	n.log.Info("stop what no one owns", "sandbox", spec.ID, "kind", spec.Kind)
	ctx, cancel := context.WithTimeout(ctx, orphanTimeout)
	defer cancel()
	if err := box.Stop(ctx, orphanTimeout/2); err != nil {
		n.log.Error("stop sandbox", "sandbox", spec.ID, "err", err)
	}
}
