package pubsub

import (
	"context"
	"time"
)

// Deliverer makes the requests of subscriptions that are a trigger's.
type Deliverer interface {
	// Deliver hands a message over and reports whether it is done with: taken,
	// or given up. One that is not comes again as the subscription says. While
	// it works the message is nobody else's, however long that takes.
	Deliver(ctx context.Context, s *Subscription, m *Received) bool
}

// trigger is send for a trigger's subscription. What the end of the server
// interrupts has not failed: it comes again with the next one.
func (p *pusher) trigger(ctx context.Context, def *Subscription, m *Received) bool {
	h, _ := parseHandle(m.AckID)
	one, ids := []handle{h}, []string{m.AckID}
	release := p.keepLeased(ctx, def.AckDeadline, func() { p.modify(one, ids, def.AckDeadline) })
	done := p.b.trig.Deliver(ctx, def, m)
	release()
	switch {
	case done:
		p.acknowledge(one, ids)
	case ctx.Err() == nil:
		p.modify(one, ids, 0)
	}
	return done
}

// keepLeased extends a delivery, well before its deadline, until release is
// called.
func (p *pusher) keepLeased(ctx context.Context, deadline time.Duration, extend func()) (release func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(deadline / 2)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-ctx.Done():
				return
			case <-tick.C:
				extend()
			}
		}
	}()
	return func() { close(over); <-ended }
}
