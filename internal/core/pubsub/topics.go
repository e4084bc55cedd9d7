package pubsub

import (
	"context"
	"slices"

	"github.com/sunya-cloud/sunya"
)

// CreateTopic makes a topic; AlreadyExists.
func (b *Broker) CreateTopic(ctx context.Context, t Topic) (*Topic, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := b.attachSchema(ctx, &t, nil); err != nil {
		return nil, err
	}
	b.defs.Lock()
	defer b.defs.Unlock()
	rec, err := b.store.CreateTopic(ctx, t)
	if err != nil {
		return nil, err
	}
	return &rec.Topic, nil
}

// Topic returns a topic; NotFound.
func (b *Broker) Topic(ctx context.Context, name string) (*Topic, error) {
	t, err := b.topic(ctx, name)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	def := t.def
	t.mu.Unlock()
	return &def, b.showSchema(ctx, &def)
}

// ListTopics returns those of a project in byte order after a name, at most limit.
func (b *Broker) ListTopics(ctx context.Context, project, after string, limit int) ([]Topic, error) {
	list, err := b.store.ListTopics(ctx, project, after, limit)
	for i := range list {
		if err == nil {
			err = b.showSchema(ctx, &list[i])
		}
	}
	return list, err
}

// UpdateTopic changes a topic; its name and policy stay.
func (b *Broker) UpdateTopic(ctx context.Context, name string, change func(*Topic) error) (*Topic, error) {
	def, err := b.updateTopic(ctx, name, func(def *Topic) error {
		old := *def
		if err := change(def); err != nil {
			return err
		}
		def.Policy = old.Policy
		return b.attachSchema(ctx, def, old.Schema)
	})
	if err != nil {
		return nil, err
	}
	return def, b.showSchema(ctx, def)
}

func (b *Broker) updateTopic(ctx context.Context, name string, change func(*Topic) error) (*Topic, error) {
	b.defs.Lock()
	defer b.defs.Unlock()
	t, err := b.loadTopic(ctx, name)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	def := t.def
	t.mu.Unlock()
	if err := change(&def); err != nil {
		return nil, err
	}
	def.Name = name
	if err := def.check(); err != nil {
		return nil, err
	}
	if err := b.store.UpdateTopic(ctx, def); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.def = def
	return &def, nil
}

// DeleteTopic removes a topic. Its subscriptions stay, without messages, until
// they are deleted.
func (b *Broker) DeleteTopic(ctx context.Context, name string) error {
	b.defs.Lock()
	defer b.defs.Unlock()
	t, err := b.loadTopic(ctx, name)
	if err != nil {
		return err
	}
	if err := b.removeTopic(ctx, t); err != nil {
		return err
	}
	for _, f := range t.feeds() {
		f.orphan()
	}
	return nil
}

// removeTopic removes a topic between two commits.
func (b *Broker) removeTopic(ctx context.Context, t *topic) error {
	b.commit.turn.Lock()
	defer b.commit.turn.Unlock()
	if err := b.store.DeleteTopic(ctx, t.name); err != nil {
		return err
	}
	for _, p := range b.commit.drop(t) {
		if p.bury != nil {
			p.bury.spare(p.seq)
		}
		p.end(sunya.Errorf(sunya.NotFound, t.name, "the topic does not exist"))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.topics, t.name)
	return nil
}

// drop takes out what waits to be published to a topic that is gone, and lets
// nothing more in.
func (c *committer) drop(t *topic) (dropped []*publication) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.deleted = true
	c.queue = slices.DeleteFunc(c.queue, func(p *publication) bool {
		if p.t == t {
			dropped = append(dropped, p)
			c.bytes -= p.size
		}
		return p.t == t
	})
	return dropped
}

func (t *topic) feeds() []*feed {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.subs
}

// attach adds a subscription; the list is never changed in place.
func (t *topic) attach(f *feed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subs = append(slices.Clone(t.subs), f)
}

func (t *topic) detach(f *feed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subs = slices.DeleteFunc(slices.Clone(t.subs), func(g *feed) bool { return g == f })
}

// orphan takes the topic away from a subscription.
func (f *feed) orphan() {
	f.fetching.Lock()
	defer f.fetching.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t, f.def.Topic = nil, DeletedTopic
	f.q, f.ahead, f.aheadN = nil, nil, 0
	f.wake(len(f.waiters))
}
