package pubsub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestAckSet(t *testing.T) {
	const first, n = 4000, 20_000
	s := newAckSet(first)
	order := rand.New(rand.NewPCG(1, 2)).Perm(n)
	for i, k := range order {
		seq := int64(first + k)
		if s.has(seq) || !s.ack(seq) || s.ack(seq) || !s.has(seq) {
			t.Fatalf("ack of %d", seq)
		}
		if i%1000 == 0 {
			if got := s.unacked(first + n); got != int64(n-i-1) {
				t.Fatalf("%d are left, want %d", got, n-i-1)
			}
			s = restore(s.whole(1)) // loses nothing
		}
		if next := s.nextUnacked(first); next < first+n && s.has(next) {
			t.Fatalf("%d is not unacknowledged", next)
		}
	}
	if s.cursor != first+n || len(s.chunks) > 1 {
		t.Errorf("cursor %d with %d chunks, want %d", s.cursor, len(s.chunks), first+n)
	}
}

func TestAckSetTakesChanges(t *testing.T) {
	s, stored := newAckSet(1), map[int64][]byte{}
	cursor := int64(1)
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		for range r.IntN(20) {
			s.ack(1 + r.Int64N(30_000))
		}
		p, ok := s.take(7)
		if !ok {
			continue
		}
		cursor = p.Cursor
		for n, b := range p.Chunks {
			stored[n] = b
		}
	}
	again := restore(Progress{Cursor: cursor, Chunks: stored})
	for seq := range int64(30_001) {
		if seq > 0 && again.has(seq) != s.has(seq) {
			t.Fatalf("%d: stored %v, want %v", seq, again.has(seq), s.has(seq))
		}
	}
}

func TestHandles(t *testing.T) {
	for _, h := range []handle{{}, {1, 2, 3}, {1 << 22, 1 << 39, 1 << 60}} {
		if got, ok := parseHandle(h.String()); !ok || got != h {
			t.Errorf("%v comes back as %v, %v", h, got, ok)
		}
	}
}

func FuzzHandle(f *testing.F) {
	f.Add(handle{1, 2, 3}.String())
	f.Fuzz(func(t *testing.T, id string) {
		if h, ok := parseHandle(id); ok && h.String() != id {
			t.Errorf("%q is taken for %q", id, h.String())
		}
	})
}

// TestQueueAtRandom does to a queue what consumers may do, in any order, and
// looks at what must hold: everything is delivered until it is acknowledged,
// nothing twice at once, and each key in order.
func TestQueueAtRandom(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runQueue(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

// queueRun drives one queue.
type queueRun struct {
	*queue
	t    *testing.T
	r    *rand.Rand
	now  time.Time
	log  []Stored
	held map[int64]int64 // seq to token
	done map[int64]bool
	n    int64 // batches
}

func runQueue(t *testing.T, r *rand.Rand) {
	sub := &Subscription{Ordered: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		sub.Retry = &Retry{Min: time.Second, Max: time.Minute}
	}
	x := &queueRun{
		queue: newQueue(sub, Filter{}, newAckSet(1), nil), t: t, r: r, now: time.Unix(1e9, 0),
		held: map[int64]int64{}, done: map[int64]bool{},
	}
	for range 3000 {
		x.step(false)
	}
	for range 20_000 {
		if x.step(true); x.acks.cursor == int64(len(x.log))+1 {
			break
		}
	}
	if x.acks.cursor != int64(len(x.log))+1 || len(x.out)+len(x.keys)+len(x.resting)+x.parked != 0 {
		t.Errorf("%d of %d are acknowledged; out %d, keys %d, resting %d, parked %d",
			x.acks.cursor-1, len(x.log), len(x.out), len(x.keys), len(x.resting), x.parked)
	}
}

// step does one thing; at the end nothing new comes and nothing fails.
func (x *queueRun) step(ending bool) {
	x.now = x.now.Add(time.Duration(x.r.IntN(2000)) * time.Millisecond)
	seq, token, some := x.any()
	switch x.r.IntN(6) {
	case 0:
		if !ending {
			m := Stored{Seq: int64(len(x.log)) + 1, Message: Message{Data: []byte("x")}}
			if x.r.IntN(3) > 0 {
				m.OrderingKey = string(rune('a' + x.r.IntN(4)))
			}
			x.log = append(x.log, m)
		}
	case 1, 2:
		x.fetch()
	case 3, 4:
		if some {
			x.ack(seq)
			delete(x.held, seq)
			x.done[seq] = true
		}
	case 5:
		if some && !ending {
			x.nack(seq, token, x.now)
		}
	}
	x.expire(x.now)
	for seq, token := range x.held {
		if !x.holds(seq, token) {
			delete(x.held, seq) // with others of its key, or expired
		}
	}
}

func (x *queueRun) any() (seq, token int64, ok bool) {
	var all []int64
	for seq := range x.held {
		all = append(all, seq)
	}
	if len(all) == 0 {
		return 0, 0, false
	}
	slices.Sort(all)
	seq = all[x.r.IntN(len(all))]
	return seq, x.held[seq], true
}

func (x *queueRun) fetch() {
	x.n++
	list := x.ready(x.now, 1+x.r.IntN(5), x.n)
	for i, a := range list {
		if x.r.IntN(4) == 0 {
			x.giveBack(list[i:], x.now)
			break
		}
		x.hand(&x.log[a.seq-1])
	}
	x.settle(list)
	for range x.r.IntN(5) {
		from, ok := x.wants()
		if !ok || from > int64(len(x.log)) {
			return
		}
		if m := &x.log[from-1]; x.offer(m, x.n) {
			x.hand(m)
		}
	}
}

func (x *queueRun) hand(m *Stored) {
	if _, held := x.held[m.Seq]; held {
		x.t.Fatalf("%d is delivered twice at once", m.Seq)
	}
	if x.sub.Ordered && m.OrderingKey != "" {
		for _, before := range x.log[:m.Seq-1] {
			_, held := x.held[before.Seq]
			if before.OrderingKey == m.OrderingKey && !held && !x.done[before.Seq] {
				x.t.Fatalf("%d is delivered before %d of its key", m.Seq, before.Seq)
			}
		}
	}
	token, _ := x.deliver(m, x.now.Add(10*time.Second), nil)
	x.held[m.Seq] = token
}
