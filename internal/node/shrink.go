package node

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/footprint"
)

// shrinkAfter is how long after a start its memory is looked at: what it has
// begun is done by then.
const shrinkAfter = 10 * time.Second

// shrink gives back, once, what only the start has needed.
func (n *Node) shrink(ctx context.Context) error {
	timer := time.NewTimer(shrinkAfter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	}
	if err := footprint.Shrink(); err != nil {
		n.log.Debug("give back memory", "err", err)
	}
	return nil
}
