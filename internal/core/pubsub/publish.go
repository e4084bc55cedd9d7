package pubsub

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Publish stores messages and returns their ids once they are synced, in order.
// When ctx ends earlier they may be stored all the same.
func (b *Broker) Publish(ctx context.Context, name string, messages []Message) ([]string, error) {
	if err := checkPublish(messages); err != nil {
		return nil, err
	}
	p := &publication{messages: messages, done: make(chan error, 1)}
	p.weigh()
	if err := b.enqueue(ctx, name, p); err != nil {
		return nil, err
	}
	select {
	case err := <-p.done:
		return p.ids, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// weigh sets the size from the messages.
func (p *publication) weigh() {
	p.size = 0
	for i := range p.messages {
		p.size += p.messages[i].size()
	}
}

// enqueue hands a publication to the committer.
func (b *Broker) enqueue(ctx context.Context, name string, p *publication) error {
	for {
		t, err := b.topic(ctx, name)
		if err != nil {
			return err
		}
		p.t = t
		if err := b.conform(ctx, t.touch(b.now()), p); err != nil {
			return err
		}
		if err := b.commit.publish(p); err != errRetired {
			return err
		}
	}
}

// touch notes that the topic is in use, and returns the schema that messages
// must match; nil for none.
func (t *topic) touch(now time.Time) *Schema {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used = now
	return t.def.Schema
}

// idle reports whether nothing was published for a while.
func (t *topic) idle(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Sub(t.used) >= idleAfter
}

// wanted reports whether anybody will read what is published.
func (t *topic) wanted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.subs) > 0 || t.def.Retention > 0
}

// stamp returns the time of the next message: now, but never before the last.
func (t *topic) stamp(now time.Time) time.Time {
	if now.Before(t.last) {
		return t.last
	}
	t.last = now
	return now
}

// show lets subscriptions have new messages; next is what comes after them.
func (t *topic) show(messages []Stored, next int64) {
	t.mu.Lock()
	t.head = next
	subs := t.subs
	t.mu.Unlock()
	for _, f := range subs {
		f.arrived(messages)
	}
}

// readable returns the number before which messages can be read.
func (t *topic) readable() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// gone is what is said of a subscription whose topic does not exist any more.
func gone(name string) error {
	return sunya.Errorf(sunya.NotFound, name, "its topic was deleted: create another subscription")
}
