package node

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya"
)

// tidyEvery is how often layers that no revision uses are looked for.
const tidyEvery = 6 * time.Hour

// tidy removes what nothing refers to any more, at start and from time to time.
func (n *Node) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := n.storage.layers.Collect(ctx, n.layersInUse()); err != nil && ctx.Err() == nil {
			n.log.Warn("remove unused layers", "err", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// layersInUse are the digests of every revision's layers. A layer that a build
// has just made is protected by the store's grace.
func (n *Node) layersInUse() map[string]bool {
	keep := map[string]bool{}
	table := n.serve.catalog.Table()
	for _, s := range table.Services() {
		for _, rev := range table.Revisions(s.Name) {
			for _, l := range rev.Image.Layers {
				keep[l.Digest] = true
			}
		}
	}
	return keep
}

// watchLauncher ends the server when the launcher is gone, and with it every
// instance: the privilege to start another one was given up.
func (n *Node) watchLauncher(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.machine.engine.Lost():
		return sunya.Errorf(sunya.Unavailable, "", "the launcher has ended, and with it every instance: start the server again")
	}
}
