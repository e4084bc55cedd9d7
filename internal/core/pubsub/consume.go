package pubsub

import (
	"context"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
)

// pullBytes bounds what one answer carries: most clients take no message above
// 4 MiB unless told, and Google's subscribers are told 20 MiB.
const pullBytes = 10 << 20

// MaxPull is how many messages one Pull returns at most.
const MaxPull = 1000

// Pull returns messages, at most n, as soon as there are any; none when wait
// has passed.
func (b *Broker) Pull(ctx context.Context, name string, n int, wait time.Duration) ([]Received, error) {
	if n <= 0 {
		return nil, sunya.Invalid("max_messages", "%d is too few: at least 1", n)
	}
	f, err := b.pulled(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.release()
	c := f.consumer()
	defer c.Close()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		got, err := c.fetch(ctx, parcel{room: min(n, MaxPull), bytes: pullBytes}, f.ackDeadline())
		if err != nil || len(got) > 0 || wait <= 0 {
			return got, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, nil
		case <-c.woken:
		}
	}
}

// pulled holds a subscription that may be pulled.
func (b *Broker) pulled(ctx context.Context, name string) (*feed, error) {
	f, err := b.hold(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := f.checkPull(); err != nil {
		f.release()
		return nil, err
	}
	return f, nil
}

func (f *feed) checkPull() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.deleted:
		return sunya.Errorf(sunya.NotFound, f.name, "the subscription does not exist")
	case f.def.Detached:
		return sunya.Errorf(sunya.FailedPrecondition, f.name, "the subscription is detached from its topic")
	case f.def.Push != nil:
		return sunya.Errorf(sunya.FailedPrecondition, f.name, "messages of this subscription are pushed: remove its push endpoint to pull them")
	}
	return nil
}

func (f *feed) ackDeadline() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.def.AckDeadline
}

// consumer is somebody who takes messages, one fetch at a time.
type consumer struct {
	*feed
	woken chan struct{} // capacity 1
}

func (f *feed) consumer() *consumer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	return &consumer{feed: f, woken: make(chan struct{}, 1)}
}

// fetch is the feed's. When it returns nothing woken tells when to try again.
func (c *consumer) fetch(ctx context.Context, p parcel, deadline time.Duration) ([]Received, error) {
	c.wait() // first, so that what arrives during the fetch wakes
	got, err := c.feed.fetch(ctx, p, deadline)
	if len(got) > 0 || err != nil {
		c.leave(len(got) > 0)
	}
	return got, err
}

// wait puts the consumer among those who are woken.
func (c *consumer) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.woken:
	default:
	}
	if !slices.Contains(c.waiters, c.woken) {
		c.waiters = append(c.waiters, c.woken)
	}
}

// leave takes it out again. Another is woken in its place when it was, and when
// there may be more.
func (c *consumer) leave(more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.waiters, c.woken); i >= 0 {
		c.waiters = slices.Delete(c.waiters, i, i+1)
	} else {
		more = true
	}
	if more {
		c.wake(1)
	}
}

// Close ends the consumer. What it holds is delivered again once its deadline
// has passed.
func (c *consumer) Close() {
	c.leave(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users--
	c.used = c.b.now()
}

// Acknowledgement says what became of ack ids.
type Acknowledgement struct {
	// Invalid are those of deliveries that are over, with exactly-once
	// delivery only: elsewhere it is no error to be late.
	Invalid []string
}

// Acknowledge takes messages as done. With exactly-once delivery, or durable, it returns once that is
// stored; else soon after. A malformed id is InvalidArgument, and then nothing
// is acknowledged.
func (b *Broker) Acknowledge(ctx context.Context, name string, ackIDs []string, durable bool) (Acknowledgement, error) {
	f, handles, err := b.handles(ctx, name, ackIDs)
	if err != nil {
		return Acknowledgement{}, err
	}
	defer f.release()
	out, exactly := f.acknowledge(handles, ackIDs)
	if durable || exactly {
		err = f.await(ctx)
	}
	return out, err
}

// handles holds a subscription and reads ack ids of it.
func (b *Broker) handles(ctx context.Context, name string, ackIDs []string) (*feed, []handle, error) {
	f, err := b.hold(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	out, err := f.parse(ackIDs)
	if err == nil {
		f.mu.Lock()
		err = f.open(ctx)
		f.mu.Unlock()
	}
	if err != nil {
		f.release()
		return nil, nil, err
	}
	return f, out, nil
}

func (f *feed) parse(ackIDs []string) ([]handle, error) {
	out := make([]handle, len(ackIDs))
	for i, id := range ackIDs {
		h, ok := parseHandle(id)
		if !ok {
			return nil, sunya.Invalid("ack_ids", "%.80q is not an ack id", id)
		}
		if h.sub != f.number {
			return nil, sunya.Invalid("ack_ids", "%.80q is an ack id of another subscription", id)
		}
		out[i] = h
	}
	return out, nil
}

func (f *feed) acknowledge(handles []handle, ids []string) (out Acknowledgement, exactly bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, h := range handles {
		if f.def.ExactlyOnce && !f.q.holds(h.seq, h.token) && !f.heldBefore(h) {
			out.Invalid = append(out.Invalid, ids[i])
			continue
		}
		f.q.ack(h.seq)
	}
	f.wakeLines()
	f.changed()
	f.b.usage.note(f.number)
	return out, f.def.ExactlyOnce
}

// heldBefore reports whether a delivery of an earlier server is still good:
// nobody else has had the message since. mu is held.
func (f *feed) heldBefore(h handle) bool {
	return !f.holdTill.IsZero() && f.b.now().Before(f.holdTill) &&
		h.seq < f.handed.Below && h.seq >= f.q.next && !f.q.acks.has(h.seq)
}

// wakeLines wakes when lines may go on, or messages have been given back. mu is held.
func (f *feed) wakeLines() {
	if _, ok := f.q.resting.first(f.b.now()); ok {
		f.wake(1)
	}
}

// ModifyAckDeadline gives deliveries d from now; none ends them, and the messages are
// delivered again.
func (b *Broker) ModifyAckDeadline(ctx context.Context, name string, ackIDs []string, d time.Duration) (Acknowledgement, error) {
	if err := within("ack_deadline_seconds", d, 0, maxModifyAckDeadline); err != nil {
		return Acknowledgement{}, err
	}
	f, handles, err := b.handles(ctx, name, ackIDs)
	if err != nil {
		return Acknowledgement{}, err
	}
	defer f.release()
	out, later := f.modify(handles, ackIDs, d)
	if later {
		err = f.await(ctx)
	}
	return out, err
}

// modify reports whether a restart would have to know.
func (f *feed) modify(handles []handle, ids []string, d time.Duration) (out Acknowledgement, later bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.b.now()
	for i, h := range handles {
		ok := false
		if d > 0 {
			ok = f.q.extend(h.seq, h.token, now.Add(d))
		} else {
			var x failed
			if x, ok = f.q.nack(h.seq, h.token, now); ok {
				f.settle([]failed{x})
			}
		}
		if !ok && f.def.ExactlyOnce {
			out.Invalid = append(out.Invalid, ids[i])
		}
	}
	later = f.handOut(now.Add(d))
	f.wakeLines()
	f.changed()
	return out, later
}

// handOut notes until when messages may be with a consumer (exactly-once
// delivery), and reports whether that is news. mu is held.
func (f *feed) handOut(until time.Time) bool {
	if !f.def.ExactlyOnce || f.q.next <= f.handed.Below && !until.After(f.handed.Until) {
		return false
	}
	f.handed.Below = max(f.handed.Below, f.q.next)
	if until.After(f.handed.Until) {
		f.handed.Until = until
	}
	return true
}
