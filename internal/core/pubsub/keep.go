package pubsub

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
)

const (
	// idleAfter is how long what nobody uses stays in memory.
	idleAfter = time.Minute
	// trimEvery is how often messages are removed that nobody wants any more.
	trimEvery    = time.Minute
	trimAllEvery = 60
	trimBatch    = 2000
)

// keep forgets what is not in use and removes what is not wanted, until ctx
// ends.
func (b *Broker) keep(ctx context.Context) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n%trimAllEvery == 0 {
			b.Tidy(ctx)
		} else {
			b.tidy(ctx, b.inUse())
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// Tidy removes messages that are acknowledged by all or too old, and forgets
// what is not in use. Run does so every hour, and every minute for what is in
// use.
func (b *Broker) Tidy(ctx context.Context) {
	if err := b.store.ExpireSnapshots(ctx, b.now()); err != nil && ctx.Err() == nil {
		b.log.ErrorContext(ctx, "remove snapshots", "err", err)
	}
	if err := b.expire(ctx); err != nil && ctx.Err() == nil {
		b.log.ErrorContext(ctx, "remove unused subscriptions", "err", err)
	}
	names, err := b.store.Backlogged(ctx)
	if err != nil && ctx.Err() == nil {
		b.log.ErrorContext(ctx, "look for messages to remove", "err", err)
	}
	b.tidy(ctx, names)
}

func (b *Broker) tidy(ctx context.Context, topics []string) {
	for _, name := range topics {
		err := b.trim(ctx, name)
		if err != nil && ctx.Err() == nil && sunya.CodeOf(err) != sunya.NotFound {
			b.log.ErrorContext(ctx, "remove messages", "topic", name, "err", err)
		}
	}
	b.rest()
}

func (b *Broker) inUse() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.topics))
}

// trim removes the messages of a topic that nobody wants.
func (b *Broker) trim(ctx context.Context, name string) error {
	t, err := b.topic(ctx, name)
	if err != nil {
		return err
	}
	low, err := b.wantedFrom(ctx, t)
	if err != nil {
		return err
	}
	for {
		n, err := b.store.Trim(ctx, t.number, low, trimBatch)
		if err != nil || n < trimBatch {
			return err
		}
	}
}

// wantedFrom returns the first message that somebody may still want.
func (b *Broker) wantedFrom(ctx context.Context, t *topic) (int64, error) {
	low := t.readable()
	kept, err := b.store.SnapshotsFrom(ctx, t.number)
	if err != nil {
		return 0, err
	}
	if kept > 0 {
		low = min(low, kept)
	}
	t.mu.Lock()
	keep, feeds := t.def.Retention, t.subs
	t.mu.Unlock()
	if keep > 0 {
		since, err := b.store.FirstSince(ctx, t.number, b.now().Add(-keep))
		if err != nil {
			return 0, err
		}
		low = min(low, since)
	}
	for _, f := range feeds {
		wants, err := f.wantedFrom(ctx, t)
		if err != nil {
			return 0, err
		}
		low = min(low, wants)
	}
	return low, nil
}

// wantedFrom drops what is older than the subscription keeps, and returns the
// first message that it may want.
func (f *feed) wantedFrom(ctx context.Context, t *topic) (int64, error) {
	def := f.definition()
	since, err := f.b.store.FirstSince(ctx, t.number, f.b.now().Add(-def.Retention))
	if err != nil {
		return 0, err
	}
	f.fetching.Lock()
	defer f.fetching.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if def.Detached {
		return t.readable(), nil
	}
	if err := f.open(ctx); err != nil {
		return 0, err
	}
	f.q.acks.ackBelow(since)
	f.changed()
	if def.RetainAcked {
		return since, nil
	}
	return f.q.acks.cursor, nil
}

// rest forgets what is not in use.
func (b *Broker) rest() {
	b.defs.Lock()
	defer b.defs.Unlock()
	b.mu.Lock()
	topics := make([]*topic, 0, len(b.topics))
	for _, t := range b.topics {
		topics = append(topics, t)
	}
	lone := make([]*feed, 0)
	for _, f := range b.subs {
		if f.topic() == nil {
			lone = append(lone, f)
		}
	}
	b.mu.Unlock()
	for _, t := range topics {
		b.restTopic(t)
	}
	for _, f := range lone {
		if f.sleep() && retireAll([]*feed{f}) {
			b.forget(f)
		}
	}
}

func (b *Broker) restTopic(t *topic) {
	b.commit.turn.Lock()
	defer b.commit.turn.Unlock()
	feeds := t.feeds()
	for _, f := range feeds {
		if !f.sleep() {
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !t.idle(b.now()) || !retireAll(feeds) {
		return
	}
	if !b.commit.retire(t, feeds) {
		unretire(feeds)
		return
	}
	delete(b.topics, t.name)
	for _, f := range feeds {
		delete(b.subs, f.name)
	}
}

// retire lets nothing more be published to a topic in memory; false when
// something waits to be stored.
func (c *committer) retire(t *topic, feeds []*feed) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.queue {
		if p.t == t {
			return false
		}
	}
	for _, f := range feeds {
		if _, dirty := c.dirty[f]; dirty {
			return false
		}
	}
	t.retired = true
	return true
}

// retireAll closes feeds for good, all or none.
func retireAll(feeds []*feed) bool {
	for i, f := range feeds {
		f.mu.Lock()
		ok := f.q == nil && f.users == 0 && !f.pushing
		f.retired = ok
		f.mu.Unlock()
		if !ok {
			unretire(feeds[:i])
			return false
		}
	}
	return true
}

func unretire(feeds []*feed) {
	for _, f := range feeds {
		f.mu.Lock()
		f.retired = false
		f.mu.Unlock()
	}
}

// sleep closes the queue; false while it is in use.
func (f *feed) sleep() bool {
	if !f.fetching.TryLock() {
		return false
	}
	defer f.fetching.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.q == nil:
		return f.users == 0 && !f.pushing
	case f.users > 0 || f.pushing || !f.q.quiet() || f.b.now().Sub(f.used) < idleAfter:
		return false
	}
	f.q, f.ahead, f.aheadN = nil, nil, 0
	return true
}
