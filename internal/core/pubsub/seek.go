package pubsub

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya"
)

// SeekTime has a subscription get everything that was published at a time or later
// and is still kept, and nothing before.
func (b *Broker) SeekTime(ctx context.Context, name string, at time.Time) error {
	f, t, err := b.seekable(ctx, name)
	if err != nil {
		return err
	}
	defer f.release()
	first, err := b.store.FirstSince(ctx, t.number, at)
	if err != nil {
		return err
	}
	return f.reset(ctx, newAckSet(first))
}

// SeekSnapshot has a subscription be as another of its topic was when the
// snapshot was taken.
func (b *Broker) SeekSnapshot(ctx context.Context, name, snapshot string) error {
	f, t, err := b.seekable(ctx, name)
	if err != nil {
		return err
	}
	defer f.release()
	s, p, err := b.store.Snapshot(ctx, snapshot)
	if err != nil {
		return err
	}
	if s.Topic != t.name {
		return sunya.Errorf(sunya.FailedPrecondition, snapshot, "the snapshot is of topic %s, the subscription of %s", s.Topic, t.name)
	}
	return f.reset(ctx, restore(p))
}

// seekable holds a subscription that has a topic.
func (b *Broker) seekable(ctx context.Context, name string) (*feed, *topic, error) {
	f, err := b.hold(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	t := f.topic()
	switch {
	case t == nil:
		err = gone(name)
	case f.definition().Detached:
		err = sunya.Errorf(sunya.FailedPrecondition, name, "the subscription is detached from its topic")
	default:
		return f, t, nil
	}
	f.release()
	return nil, nil, err
}

// reset begins anew with another set of acknowledged messages, and returns once
// that is stored.
func (f *feed) reset(ctx context.Context, acks *ackSet) error {
	if err := f.replace(ctx, acks); err != nil {
		return err
	}
	return f.await(ctx)
}

func (f *feed) replace(ctx context.Context, acks *ackSet) error {
	f.fetching.Lock()
	defer f.fetching.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.open(ctx); err != nil {
		return err
	}
	old := f.q
	acks.changed, acks.renewed = true, true
	for n := range acks.chunks {
		acks.dirty[n] = true
	}
	f.q = newQueue(&f.def, old.filter, acks, nil)
	f.q.tokens = old.tokens
	for seq := range old.attempts {
		f.q.note(Retried{Seq: seq})
	}
	f.ahead, f.aheadN = nil, 0
	f.wake(len(f.waiters))
	f.startPush()
	return nil
}

// CreateSnapshot keeps the state of a subscription under a name; AlreadyExists.
func (b *Broker) CreateSnapshot(ctx context.Context, s Snapshot, subscription string) (*Snapshot, error) {
	if _, err := CheckName(Snapshots, s.Name); err != nil {
		return nil, err
	}
	if err := checkLabels(s.Labels); err != nil {
		return nil, err
	}
	f, t, err := b.seekable(ctx, subscription)
	if err != nil {
		return nil, err
	}
	defer f.release()
	f.mu.Lock()
	err = f.open(ctx)
	var p Progress
	if err == nil {
		p = f.q.acks.whole(0)
	}
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if s.Expire, err = b.snapshotEnd(ctx, t, p.Cursor); err != nil {
		return nil, err
	}
	s.Topic = t.name
	out, err := b.store.CreateSnapshot(ctx, s, p)
	return &out, err
}

// snapshotEnd is 7 days, less the age of the oldest message that is not
// acknowledged (google.pubsub.v1.Snapshot.expire_time).
func (b *Broker) snapshotEnd(ctx context.Context, t *topic, cursor int64) (time.Time, error) {
	now := b.now()
	oldest, err := b.store.Read(ctx, t.number, cursor, 1, 1)
	if err != nil {
		return time.Time{}, err
	}
	left := snapshotLife
	if len(oldest) == 1 {
		left -= now.Sub(oldest[0].PublishTime)
	}
	if left < snapshotLeast {
		return time.Time{}, sunya.Errorf(sunya.FailedPrecondition, t.name, "the oldest unacknowledged message is too old: the snapshot would live less than an hour")
	}
	return now.Add(left), nil
}

// Snapshot returns a snapshot; NotFound.
func (b *Broker) Snapshot(ctx context.Context, name string) (*Snapshot, error) {
	s, _, err := b.store.Snapshot(ctx, name)
	return &s, err
}

// ListSnapshots returns those of a project, or of a topic if it is not empty.
func (b *Broker) ListSnapshots(ctx context.Context, project, topic, after string, limit int) ([]Snapshot, error) {
	return b.store.ListSnapshots(ctx, project, topic, after, limit)
}

// UpdateSnapshot changes the labels or the end of a snapshot.
func (b *Broker) UpdateSnapshot(ctx context.Context, name string, change func(*Snapshot) error) (*Snapshot, error) {
	return b.updateSnapshot(ctx, name, func(s *Snapshot) error {
		policy := s.Policy
		err := change(s)
		s.Policy = policy
		return err
	})
}

func (b *Broker) updateSnapshot(ctx context.Context, name string, change func(*Snapshot) error) (*Snapshot, error) {
	b.defs.Lock()
	defer b.defs.Unlock()
	s, _, err := b.store.Snapshot(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := change(&s); err != nil {
		return nil, err
	}
	if err := checkLabels(s.Labels); err != nil {
		return nil, err
	}
	return &s, b.store.UpdateSnapshot(ctx, s)
}

// DeleteSnapshot removes a snapshot; NotFound.
func (b *Broker) DeleteSnapshot(ctx context.Context, name string) error {
	return b.store.DeleteSnapshot(ctx, name)
}
