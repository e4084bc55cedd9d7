package pubsub

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/agenda"
)

// feed is a subscription in use: its queue, when it is open, and who waits for
// messages.
type feed struct {
	b      *Broker
	name   string
	number int64
	call   agenda.Entry[*feed] // the alarm's

	// fetching is held by whoever takes messages: they are read while mu is
	// free, so that acknowledging never waits for the disk.
	fetching sync.Mutex
	batch    int64 // of the last fetch

	mu       sync.Mutex
	t        *topic // nil: it was deleted
	def      Subscription
	deleted  bool
	retired  bool            // forgotten: another may take its place
	q        *queue          // nil until somebody needs it
	ahead    []Stored        // messages read but not offered, in order
	aheadN   int             // their bytes
	waiters  []chan struct{} // of capacity 1, the longest waiting first
	savers   []chan error    // of capacity 1: tell when what is acknowledged is stored
	handed   Handed          // exactly-once: what the store knows
	holdTill time.Time       // exactly-once: others may hold messages below handed
	pushing  bool
	used     time.Time
	users    int // consumers and pushers
}

func newFeed(b *Broker, t *topic, rec SubscriptionRecord) *feed {
	f := &feed{
		b: b, t: t, name: rec.Name, number: rec.Number, def: rec.Subscription,
		handed: Handed{Subscription: rec.Number, Below: rec.Handed, Until: rec.HandedUntil}, holdTill: rec.HandedUntil,
	}
	f.call.Item = f
	return f
}

// topic returns the topic; nil when that was deleted.
func (f *feed) topic() *topic {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.t
}

// The bounds of what is read ahead for a subscription.
const (
	aheadMessages = 512
	aheadBytes    = 4 << 20
)

// open makes the queue of what is stored. mu is held; it reads.
func (f *feed) open(ctx context.Context) error {
	switch {
	case f.deleted:
		return sunya.Errorf(sunya.NotFound, f.name, "the subscription does not exist")
	case f.q != nil:
		return nil
	}
	filter, err := ParseFilter(f.def.Filter)
	if err != nil {
		return err
	}
	p, retried, err := f.b.store.Load(ctx, f.number)
	if err != nil {
		return fmt.Errorf("load subscription: %w", err)
	}
	f.q = newQueue(&f.def, filter, restore(p), retried)
	f.q.tokens = f.b.now().UnixMicro() // above those of earlier servers
	return nil
}

// arrived is told of new messages.
func (f *feed) arrived(messages []Stored) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.q == nil {
		f.startPush()
		return
	}
	if len(messages) > 0 && len(f.waiters) > 0 && messages[0].Seq == f.readTo() && f.aheadN < aheadBytes {
		f.readAhead(messages)
	}
	f.wake(len(messages))
	f.startPush()
}

// readTo is the first message that was not read. mu is held.
func (f *feed) readTo() int64 {
	if n := len(f.ahead); n > 0 {
		return f.ahead[n-1].Seq + 1
	}
	return f.q.next
}

func (f *feed) readAhead(messages []Stored) {
	f.ahead = append(f.ahead, messages...)
	for i := range messages {
		f.aheadN += messages[i].size()
	}
}

// wake lets some of those who wait look again. mu is held.
func (f *feed) wake(n int) {
	n = min(n, len(f.waiters))
	for _, w := range f.waiters[:n] {
		select {
		case w <- struct{}{}:
		default: // it has been told of something else
		}
	}
	f.waiters = slices.Delete(f.waiters, 0, n)
}

// ring is the alarm: deadlines have passed, or messages have rested.
func (f *feed) ring() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.q == nil {
		return
	}
	now := f.b.now()
	f.settle(f.q.expire(now))
	f.wake(len(f.waiters))
	f.startPush()
	f.changed()
}

// changed is called after every change of the queue. mu is held.
func (f *feed) changed() {
	now := f.b.now()
	if t := f.q.wake(now); !t.IsZero() {
		f.b.alarm.Latest(&f.call, t)
	}
	if f.holdTill.After(now) {
		f.b.alarm.Latest(&f.call, f.holdTill)
	}
	if f.q.acks.changed || len(f.q.acks.dirty)+len(f.q.retries) > 0 {
		f.b.commit.note(f, false)
	}
}

// settle acts on deliveries that failed. mu is held.
func (f *feed) settle(all []failed) {
	for _, x := range all {
		if x.dead {
			f.b.bury(f, x.seq)
		}
	}
}

// saving is what a feed has in a batch.
type saving struct {
	f        *feed
	progress Progress
	has      bool
	retries  []Retried
	waiters  []chan error
}

// save adds what changed to a batch.
func (f *feed) save(b *Batch) *saving {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &saving{f: f, waiters: f.savers}
	f.savers = nil
	if f.q == nil || f.deleted {
		return s
	}
	if s.progress, s.has = f.q.acks.take(f.number); s.has {
		b.Progress = append(b.Progress, s.progress)
	}
	s.retries, f.q.retries = f.q.retries, nil
	for _, r := range s.retries {
		b.Retries = append(b.Retries, RetryChange{Subscription: f.number, Retried: r})
	}
	if f.def.ExactlyOnce && f.handed.Below > 0 {
		b.Handed = append(b.Handed, f.handed)
	}
	return s
}

func (s *saving) succeeded() {
	for _, w := range s.waiters {
		w <- nil
	}
}

// failed keeps what was not stored for the next attempt.
func (s *saving) failed(err error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	if q := s.f.q; q != nil {
		q.acks.changed = q.acks.changed || s.has
		q.acks.renewed = q.acks.renewed || s.progress.Reset
		for n := range s.progress.Chunks {
			if q.acks.chunks[n] != nil {
				q.acks.dirty[n] = true
			}
		}
		q.retries = append(s.retries, q.retries...)
	}
	for _, w := range s.waiters {
		w <- err
	}
}

// await returns once everything that was acknowledged before is stored.
func (f *feed) await(ctx context.Context) error {
	done := make(chan error, 1)
	f.mu.Lock()
	f.savers = append(f.savers, done)
	f.mu.Unlock()
	f.b.commit.note(f, true)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ackQuietly acknowledges within a commit that is under way.
func (f *feed) ackQuietly(seq int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.q != nil {
		f.q.ack(seq)
	}
}

// Received is a message as it is delivered.
type Received struct {
	Message
	AckID string
	// Attempt counts deliveries from 1; 0 without a dead letter policy.
	Attempt int
	// Tries counts deliveries from 1, whatever the policy. A restart begins
	// anew where there is neither a retry nor a dead letter policy.
	Tries int
}

// fetch takes messages that may be delivered now, as many as the parcel holds.
// It returns none when there are none.
func (f *feed) fetch(ctx context.Context, p parcel, deadline time.Duration) ([]Received, error) {
	p.f, p.deadline = f, f.b.now().Add(deadline)
	later, err := p.fill(ctx)
	if later && err == nil {
		err = f.await(ctx)
	}
	return p.out, err
}

// fill takes what there is; later says that a restart would have to know.
func (p *parcel) fill(ctx context.Context) (later bool, err error) {
	f := p.f
	f.fetching.Lock()
	defer f.fetching.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.open(ctx); err != nil || f.t == nil || f.def.Detached {
		return false, err
	}
	f.batch++
	err = p.again(ctx)
	if err == nil {
		err = p.fresh(ctx)
	}
	f.changed()
	if len(p.out) == 0 {
		return false, err
	}
	return f.handOut(p.deadline), nil
}

// parcel is the messages of one fetch.
type parcel struct {
	f        *feed
	room     int     // messages, at most
	bytes    int     // at most, after the first message
	budget   *budget // whose they are; may be nil
	deadline time.Time
	out      []Received
}

// add delivers a message; false when it is too much for this parcel.
func (p *parcel) add(m *Stored) bool {
	size := m.size()
	if p.room == 0 || size > p.bytes && len(p.out) > 0 {
		return false
	}
	p.room, p.bytes = p.room-1, p.bytes-size
	f := p.f
	token, tries := f.q.deliver(m, p.deadline, p.budget)
	attempt := tries
	if f.def.DeadLetter == nil {
		attempt = 0
	}
	p.out = append(p.out, Received{
		Message: m.Message, Attempt: attempt, Tries: tries,
		AckID: handle{sub: f.number, seq: m.Seq, token: token}.String(),
	})
	return true
}

// again takes what has rested. mu is held, and free while messages are read.
func (p *parcel) again(ctx context.Context) error {
	q, now := p.f.q, p.f.b.now()
	list := q.ready(now, min(p.room, aheadMessages), p.f.batch)
	defer q.settle(list)
	near := newWindow(p.f, list)
	for i, a := range list {
		m, err := near.message(ctx, a.seq)
		switch {
		case err != nil:
			q.giveBack(list[i:], now.Add(retryPause))
			return err
		case m == nil:
			q.finish(a.seq) // its retention has passed
		case q.acks.has(a.seq): // meanwhile
		case !p.add(m):
			q.giveBack(list[i:], now)
			return nil
		}
	}
	return nil
}

// fresh takes what was never looked at. mu is held, and free while messages are
// read.
func (p *parcel) fresh(ctx context.Context) error {
	f := p.f
	for p.room > 0 {
		if f.holding() {
			return nil
		}
		from, ok := f.q.wants()
		if !ok {
			return nil
		}
		f.dropAhead(from)
		if len(f.ahead) == 0 {
			found, err := f.read(ctx, from, aheadMessages)
			if err != nil || len(found) == 0 {
				return err
			}
			f.ahead, f.aheadN = nil, 0 // what arrived meanwhile is in found, or will be
			f.readAhead(found)
		}
		if !p.offer() {
			return nil
		}
	}
	return nil
}

// offer looks at the first message that was read ahead.
func (p *parcel) offer() bool {
	f := p.f
	m := &f.ahead[0]
	if m.size() > p.bytes && len(p.out) > 0 {
		return false
	}
	if f.q.offer(m, f.batch) {
		p.add(m)
	}
	f.aheadN -= m.size()
	f.ahead = f.ahead[1:]
	return true
}

// dropAhead forgets what was read and is not wanted. mu is held.
func (f *feed) dropAhead(below int64) {
	for len(f.ahead) > 0 && f.ahead[0].Seq < below {
		f.aheadN -= f.ahead[0].size()
		f.ahead = f.ahead[1:]
	}
}

// read reads messages while mu, which is held, is free.
func (f *feed) read(ctx context.Context, from int64, limit int) ([]Stored, error) {
	t := f.t
	f.mu.Unlock()
	defer f.mu.Lock()
	if from >= t.readable() {
		return nil, nil
	}
	return f.b.store.Read(ctx, t.number, from, limit, aheadBytes)
}

// holding reports whether messages that come next may be with a consumer of an
// earlier server (exactly-once delivery). mu is held.
func (f *feed) holding() bool {
	if f.holdTill.IsZero() || !f.def.ExactlyOnce {
		return false
	}
	if f.b.now().Before(f.holdTill) {
		next, _ := f.q.wants()
		return next < f.handed.Below
	}
	f.holdTill = time.Time{}
	return false
}
