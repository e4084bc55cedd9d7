package node

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// outlet lets what programs print through to the log. While it is shut, it stays
// in their pipes, for another server to read.
type outlet struct {
	mu    sync.Mutex
	ctx   context.Context // ends when it is shut
	end   context.CancelFunc
	again chan struct{} // closed when it is open again
}

func newOutlet() *outlet {
	o := &outlet{again: make(chan struct{})}
	o.ctx, o.end = context.WithCancel(context.Background())
	return o
}

func (o *outlet) shut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end()
}

func (o *outlet) open() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.again)
	o.again = make(chan struct{})
	o.ctx, o.end = context.WithCancel(context.Background())
}

func (o *outlet) state() (ctx context.Context, again <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ctx, o.again
}

// carry collects r to its end, with a collector of its own each time that the
// outlet is open.
func (o *outlet) carry(r io.Reader, collector func() *logs.Collector) {
	for o.carryOnce(r, collector()) {
		_, again := o.state()
		<-again
		if d, ok := r.(interface{ SetReadDeadline(time.Time) error }); ok {
			_ = d.SetReadDeadline(time.Time{})
		}
	}
}

// carryOnce collects r to its end or until the outlet is shut, which it reports.
func (o *outlet) carryOnce(r io.Reader, c *logs.Collector) (shut bool) {
	ctx, _ := o.state()
	// It ends with its stream: there is nobody to tell and nothing to do.
	err := c.Run(ctx, r)
	return err != nil && ctx.Err() != nil
}
