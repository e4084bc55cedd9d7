package pubsub

import (
	"container/heap"
	"slices"
	"time"
)

// queue is the deliveries of one subscription: which messages are with a
// consumer, which rest until they are tried again, which wait behind another of
// their ordering key. It has no lock, no goroutine and no clock.
//
// Messages come to it in order, by offer; what it holds of each is a number, so
// that a backlog of any length costs nothing.
type queue struct {
	sub    *Subscription
	filter Filter
	acks   *ackSet
	next   int64 // the first message that was never offered

	tokens   int64
	out      map[int64]*delivery
	leases   moments[*delivery] // those in out that a deadline ends
	resting  moments[*rest]
	restOf   map[int64]*rest // those of single messages
	keys     map[string]*line
	attempts map[int64]int // deliveries that failed
	retries  []Retried     // what of them the store does not know
	parked   int           // messages that wait in lines
}

// delivery is a message with a consumer.
type delivery struct {
	slot
	seq   int64
	token int64
	line  *line // nil without ordering key
	acked bool  // and others before it in its line are not

	budget *budget // of whoever has it; may be nil
	size   int
}

// rest is a message, or a line, that may be delivered again from a moment on.
type rest struct {
	slot
	seq  int64 // when line is nil
	line *line
}

// line is the messages of one ordering key that were looked at: some are with
// one consumer, the others wait behind them.
type line struct {
	key     string
	batch   int64       // that run was handed out in
	run     []*delivery // in order, the first is not acknowledged
	waiting []int64
	due     time.Time // not before
	rest    *rest     // while nothing is in run
}

// maxParked is how many messages may wait in lines before no further are looked
// at: memory stays bounded when one key holds everything up.
const maxParked = 50_000

// maxResting is the same for messages and lines that rest.
const maxResting = 100_000

func newQueue(sub *Subscription, filter Filter, acks *ackSet, retried []Retried) *queue {
	q := &queue{
		sub: sub, filter: filter, acks: acks, next: acks.cursor,
		out: map[int64]*delivery{}, restOf: map[int64]*rest{}, keys: map[string]*line{}, attempts: map[int64]int{},
	}
	for _, r := range retried {
		if acks.has(r.Seq) {
			continue
		}
		q.attempts[r.Seq] = r.Attempts
		if !sub.Ordered {
			q.restUntil(r.Seq, r.Due)
		}
	}
	return q
}

// wants returns the first message to offer, and whether any more are wanted.
func (q *queue) wants() (seq int64, ok bool) {
	q.next = q.acks.nextUnacked(q.next)
	return q.next, q.parked < maxParked && len(q.resting) < maxResting
}

// offer looks at the next message in order. It returns true when the message
// is to be delivered now, in this batch: the caller then calls deliver. A message that does
// not pass the filter counts as acknowledged.
func (q *queue) offer(m *Stored, batch int64) bool {
	q.next = m.Seq + 1
	switch {
	case q.acks.has(m.Seq) || q.restOf[m.Seq] != nil:
		return false
	case !q.filter.Match(m.Attributes):
		q.acks.ack(m.Seq)
		return false
	case !q.sub.Ordered || m.OrderingKey == "":
		return true
	}
	l := q.keys[m.OrderingKey]
	if l == nil {
		q.keys[m.OrderingKey] = &line{key: m.OrderingKey, batch: batch}
		return true
	}
	if l.batch == batch && len(l.waiting) == 0 && l.rest == nil {
		return true
	}
	l.waiting = append(l.waiting, m.Seq)
	q.parked++
	return false
}

// again is a message that may be delivered once more; line is nil without
// ordering key.
type again struct {
	seq  int64
	line *line
}

// ready returns up to n messages whose rest is over, in a batch: the caller
// reads and delivers them in this order, gives back what it does not deliver,
// and says settle at the end.
func (q *queue) ready(now time.Time, n int, batch int64) []again {
	var out []again
	for len(out) < n {
		r, ok := q.resting.first(now)
		if !ok {
			return out
		}
		heap.Pop(&q.resting)
		if r.line == nil {
			delete(q.restOf, r.seq)
			out = append(out, again{seq: r.seq})
			continue
		}
		l := r.line
		l.rest, l.batch = nil, batch
		take := min(n-len(out), len(l.waiting))
		for _, seq := range l.waiting[:take] {
			out = append(out, again{seq: seq, line: l})
		}
		l.waiting = slices.Clone(l.waiting[take:])
		q.parked -= take
	}
	return out
}

// giveBack undoes ready for messages that are not delivered now.
func (q *queue) giveBack(all []again, due time.Time) {
	for _, a := range slices.Backward(all) {
		if a.line == nil {
			q.restUntil(a.seq, due)
			continue
		}
		a.line.waiting = slices.Insert(a.line.waiting, 0, a.seq)
		a.line.due = due
		q.parked++
	}
}

// settle lets the lines go on of which nothing was delivered after all.
func (q *queue) settle(all []again) {
	for _, a := range all {
		if a.line != nil {
			q.proceed(a.line)
		}
	}
}

// deliver hands a message to a consumer until a deadline, and returns the token
// of the delivery and which attempt it is, from 1.
func (q *queue) deliver(m *Stored, deadline time.Time, b *budget) (token int64, attempt int) {
	q.tokens++
	d := &delivery{slot: slot{at: deadline}, seq: m.Seq, token: q.tokens, budget: b, size: m.size()}
	if b != nil {
		b.take(d.size)
	}
	if q.sub.Ordered && m.OrderingKey != "" {
		if d.line = q.keys[m.OrderingKey]; d.line == nil { // known from before a restart
			d.line = &line{key: m.OrderingKey}
			q.keys[m.OrderingKey] = d.line
		}
		d.line.run = append(d.line.run, d)
	}
	q.out[m.Seq] = d
	heap.Push(&q.leases, d)
	return d.token, q.attempts[m.Seq] + 1
}

// holds reports whether a delivery is under way.
func (q *queue) holds(seq, token int64) bool {
	d := q.out[seq]
	return d != nil && d.token == token && !d.acked
}

// ack takes a message as done. It is for exactly-once delivery to look at the
// token first.
func (q *queue) ack(seq int64) {
	if d := q.out[seq]; d != nil {
		q.ackDelivery(d)
		return
	}
	if seq >= q.next {
		q.finish(seq) // it was delivered before a restart
		return
	}
	if r := q.restOf[seq]; r != nil {
		heap.Remove(&q.resting, r.index)
		delete(q.restOf, seq)
		q.finish(seq)
	}
	// One that waits in a line comes again: those before it do.
}

func (q *queue) ackDelivery(d *delivery) {
	q.unlease(d)
	if d.line == nil {
		delete(q.out, d.seq)
		q.finish(d.seq)
		return
	}
	d.acked = true
	l := d.line
	for len(l.run) > 0 && l.run[0].acked {
		delete(q.out, l.run[0].seq)
		q.finish(l.run[0].seq)
		l.run = l.run[1:]
	}
	q.proceed(l)
}

// finish acknowledges and forgets.
func (q *queue) finish(seq int64) {
	q.acks.ack(seq)
	if q.attempts[seq] > 0 {
		delete(q.attempts, seq)
		q.note(Retried{Seq: seq})
	}
}

func (q *queue) note(r Retried) {
	if q.sub.Retry != nil || q.sub.DeadLetter != nil {
		q.retries = append(q.retries, r)
	}
}

// proceed lets a line go on whose run is over.
func (q *queue) proceed(l *line) {
	switch {
	case len(l.run) > 0 || l.rest != nil:
	case len(l.waiting) > 0:
		q.restLine(l, l.due)
	case q.keys[l.key] == l:
		delete(q.keys, l.key)
	}
}

// extend moves the deadline of a delivery; false when it is over.
func (q *queue) extend(seq, token int64, deadline time.Time) bool {
	if !q.holds(seq, token) {
		return false
	}
	d := q.out[seq]
	d.at = deadline
	heap.Fix(&q.leases, d.index)
	return true
}

// failed is a delivery that came to nothing.
type failed struct {
	seq  int64
	dead bool // it is for the dead letter topic, and stays out until buried or revived
}

// nack ends a delivery without success; ok is false when it was over.
func (q *queue) nack(seq, token int64, now time.Time) (f failed, ok bool) {
	if !q.holds(seq, token) {
		return failed{}, false
	}
	return q.fail(q.out[seq], now), true
}

// expire ends the deliveries whose deadline has passed.
func (q *queue) expire(now time.Time) []failed {
	var out []failed
	for {
		d, ok := q.leases.first(now)
		if !ok {
			return out
		}
		out = append(out, q.fail(d, now))
	}
}

func (q *queue) fail(d *delivery, now time.Time) failed {
	q.unlease(d)
	q.attempts[d.seq]++
	n := q.attempts[d.seq]
	due := now.Add(q.sub.backoff(n))
	q.note(Retried{Seq: d.seq, Attempts: n, Due: due})
	if q.sub.DeadLetter != nil && n >= q.sub.DeadLetter.MaxAttempts {
		return failed{seq: d.seq, dead: true}
	}
	q.again(d, due)
	return failed{seq: d.seq}
}

// revive lets a message be delivered again that could not be buried.
func (q *queue) revive(seq int64, due time.Time) {
	if d := q.out[seq]; d != nil {
		q.again(d, due)
	}
}

// again lets a message rest; with it those of its key that were delivered
// after it, which must not come before it.
func (q *queue) again(d *delivery, due time.Time) {
	if d.line == nil {
		delete(q.out, d.seq)
		q.restUntil(d.seq, due)
		return
	}
	l := d.line
	i := slices.Index(l.run, d)
	var back []int64
	for _, later := range l.run[i:] {
		q.unlease(later)
		delete(q.out, later.seq)
		back = append(back, later.seq)
	}
	l.run = l.run[:i]
	l.waiting = append(back, l.waiting...)
	q.parked += len(back)
	l.due = due
	q.proceed(l)
}

// unlease takes a delivery from whoever has it.
func (q *queue) unlease(d *delivery) {
	if d.index < 0 {
		return
	}
	heap.Remove(&q.leases, d.index)
	if d.budget != nil {
		d.budget.free(d.size)
	}
}

func (q *queue) restUntil(seq int64, due time.Time) {
	r := &rest{slot: slot{at: due}, seq: seq}
	q.restOf[seq] = r
	heap.Push(&q.resting, r)
}

func (q *queue) restLine(l *line, due time.Time) {
	l.rest = &rest{slot: slot{at: due}, line: l}
	heap.Push(&q.resting, l.rest)
}

// wake is when something will fall due; zero for never. What has rested already
// waits for a consumer, not for a moment.
func (q *queue) wake(now time.Time) time.Time {
	var t time.Time
	if len(q.leases) > 0 {
		t = q.leases[0].at
	}
	if len(q.resting) > 0 && q.resting[0].at.After(now) && (t.IsZero() || q.resting[0].at.Before(t)) {
		t = q.resting[0].at
	}
	return t
}

// quiet reports whether nothing would be lost but tokens by forgetting it. What
// rests is found again from the cursor on; only a pusher must be woken for it.
func (q *queue) quiet() bool {
	return len(q.out)+len(q.retries)+len(q.acks.dirty) == 0 && !q.acks.changed && (q.sub.Push == nil || len(q.resting) == 0)
}

// slot is a place in a heap of moments.
type slot struct {
	at    time.Time
	index int
}

func (s *slot) place() *slot { return s }

// moments is a heap, the earliest first.
type moments[T interface{ place() *slot }] []T

func (m moments[T]) Len() int           { return len(m) }
func (m moments[T]) Less(i, j int) bool { return m[i].place().at.Before(m[j].place().at) }
func (m moments[T]) Swap(i, j int) {
	m[i], m[j] = m[j], m[i]
	m[i].place().index, m[j].place().index = i, j
}

// Push implements heap.Interface.
func (m *moments[T]) Push(x any) {
	x.(T).place().index = len(*m)
	*m = append(*m, x.(T))
}

// Pop implements heap.Interface.
func (m *moments[T]) Pop() any {
	old := *m
	last := old[len(old)-1]
	var zero T
	old[len(old)-1] = zero
	*m = old[:len(old)-1]
	last.place().index = -1
	return last
}

// first returns the earliest if it is due.
func (m moments[T]) first(now time.Time) (x T, ok bool) {
	if len(m) == 0 || m[0].place().at.After(now) {
		return x, false
	}
	return m[0], true
}
