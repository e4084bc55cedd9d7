package pubsub

import (
	"context"

	"github.com/sunya-cloud/sunya"
)

// CreateSubscription makes a subscription, which gets what is published from
// then on; AlreadyExists, NotFound for its topic.
func (b *Broker) CreateSubscription(ctx context.Context, s Subscription) (*Subscription, error) {
	s.complete()
	if err := s.check(); err != nil {
		return nil, err
	}
	b.defs.Lock()
	defer b.defs.Unlock()
	t, err := b.loadTopic(ctx, s.Topic)
	if err != nil {
		return nil, err
	}
	if err := b.checkDeadLetter(ctx, &s); err != nil {
		return nil, err
	}
	b.commit.turn.Lock()
	defer b.commit.turn.Unlock()
	rec, err := b.store.CreateSubscription(ctx, s, t.next)
	if err != nil {
		return nil, err
	}
	f := newFeed(b, t, rec)
	t.attach(f)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[f.name] = f
	return &rec.Subscription, nil
}

// checkDeadLetter wants the dead letter topic to be there. defs is held.
func (b *Broker) checkDeadLetter(ctx context.Context, s *Subscription) error {
	if s.DeadLetter == nil {
		return nil
	}
	_, err := b.loadTopic(ctx, s.DeadLetter.Topic)
	return err
}

// Subscription returns a subscription; NotFound.
func (b *Broker) Subscription(ctx context.Context, name string) (*Subscription, error) {
	f, err := b.feed(ctx, name)
	if err != nil {
		return nil, err
	}
	def := f.definition()
	return &def, nil
}

func (f *feed) definition() Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.def
}

// ListSubscriptions returns those of a project or of a topic.
func (b *Broker) ListSubscriptions(ctx context.Context, q SubscriptionQuery) ([]Subscription, error) {
	return b.store.ListSubscriptions(ctx, q)
}

// UpdateSubscription changes a subscription. Name, topic, filter and ordering
// cannot be changed; the policy stays.
func (b *Broker) UpdateSubscription(ctx context.Context, name string, change func(*Subscription) error) (*Subscription, error) {
	return b.updateSubscription(ctx, name, func(s *Subscription) error {
		policy := s.Policy
		err := change(s)
		s.Policy = policy
		return err
	})
}

func (b *Broker) updateSubscription(ctx context.Context, name string, change func(*Subscription) error) (*Subscription, error) {
	b.defs.Lock()
	defer b.defs.Unlock()
	f, err := b.loadFeed(ctx, name)
	if err != nil {
		return nil, err
	}
	have := f.definition()
	next := have
	if err := change(&next); err != nil {
		return nil, err
	}
	next.Name, next.Topic = have.Name, have.Topic
	next.keepTrigger(&have)
	next.complete()
	switch {
	case next.trigger() != have.trigger():
		return nil, sunya.Invalid("push_config", "messages of this subscription go where %s leads: change that", have.trigger())
	case next.Filter != have.Filter:
		return nil, sunya.Invalid("filter", "the filter of a subscription cannot be changed: create another subscription")
	case next.Ordered != have.Ordered:
		return nil, sunya.Invalid("enable_message_ordering", "the ordering of a subscription cannot be changed: create another subscription")
	}
	if err := next.check(); err != nil {
		return nil, err
	}
	if err := b.checkDeadLetter(ctx, &next); err != nil {
		return nil, err
	}
	if err := b.store.UpdateSubscription(ctx, next); err != nil {
		return nil, err
	}
	f.redefine(next)
	return &next, nil
}

func (f *feed) redefine(def Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.def = def
	f.wake(len(f.waiters))
	f.startPush()
}

// Detach ends the delivery of a subscription for good; what it holds is
// dropped.
func (b *Broker) Detach(ctx context.Context, name string) error {
	_, err := b.UpdateSubscription(ctx, name, func(s *Subscription) error {
		s.Detached = true
		return nil
	})
	return err
}

// DeleteSubscription removes a subscription and what it has not acknowledged.
func (b *Broker) DeleteSubscription(ctx context.Context, name string) error {
	b.defs.Lock()
	defer b.defs.Unlock()
	f, err := b.loadFeed(ctx, name)
	if err != nil {
		return err
	}
	if err := b.store.DeleteSubscription(ctx, name); err != nil {
		return err
	}
	if t := f.topic(); t != nil {
		t.detach(f)
	}
	b.forget(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleted = true
	f.wake(len(f.waiters))
	return nil
}
