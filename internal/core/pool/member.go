package pool

import (
	"math/bits"
	"strings"
	"time"
)

// Member is an instance in its pool. The caller fills in what is exported and
// leaves it alone from then on.
type Member struct {
	ID    string        // the part after its last hyphen is what a client that comes back prefers
	Owner any           // the caller's own
	Since time.Time     // since when it runs: one that ends young has crashed
	Boot  time.Duration // how long its start took; 0: it was there before

	used       int       // requests that have a slot
	lastUsed   time.Time // when the last one gave it back, or Started
	index      int       // in Pool.members, while serving
	serving    bool      // it is given requests
	retired    bool      // its end was asked for
	doubt      time.Time // until when others are given requests first; zero: it is in no doubt
	leaving    string    // why it ends once its requests are over; empty: it does not
	place      int       // in order.loads, while it has a free slot
	prev, next *Member   // there
}

// Used is how many requests have a slot in it.
func (m *Member) Used() int { return m.used }

// Retired reports whether its end was asked for.
func (m *Member) Retired() bool { return m.retired }

// key is what a client that comes back prefers.
func key(id string) string { return id[strings.LastIndexByte(id, '-')+1:] }

// order holds the members with a free slot by their load, and those of equal
// load by when they came to it. Those in doubt are behind the idle ones.
type order struct {
	loads []equals // by load
	some  []uint64 // bit n: loads[n] is not empty
}

// equals is a list of members of equal load. The newest comes first.
type equals struct{ first, last *Member }

// fullest returns the most loaded member; among equals the one used last, which
// may still be warm. Nil when there is none.
func (o *order) fullest() *Member {
	for i := len(o.some) - 1; i >= 0; i-- {
		if o.some[i] != 0 {
			return o.loads[i*64+bits.Len64(o.some[i])-1].first
		}
	}
	return nil
}

// longestIdle returns the member that has been without a request for longest.
func (o *order) longestIdle() *Member {
	if len(o.loads) == 0 {
		return nil
	}
	m := o.loads[0].last
	for m != nil && m.used > 0 {
		m = m.prev
	}
	return m
}

// add puts m among its equals, which are those without a request when it is in
// doubt at now.
func (o *order) add(now time.Time, m *Member) {
	doubted := now.Before(m.doubt)
	if doubted {
		m.place = 0
	} else {
		m.place, m.doubt = m.used, time.Time{}
	}
	for len(o.loads) <= m.place {
		o.loads = append(o.loads, equals{})
	}
	for len(o.some)*64 <= m.place {
		o.some = append(o.some, 0)
	}
	o.loads[m.place].add(m, doubted)
	o.some[m.place/64] |= 1 << (m.place % 64)
}

// add makes m the first, or the last.
func (l *equals) add(m *Member, last bool) {
	m.prev, m.next = nil, l.first
	if last {
		m.prev, m.next = l.last, nil
	}
	if m.prev != nil {
		m.prev.next = m
	} else {
		l.first = m
	}
	if m.next != nil {
		m.next.prev = m
	} else {
		l.last = m
	}
}

func (o *order) remove(m *Member) {
	l := &o.loads[m.place]
	if m.prev != nil {
		m.prev.next = m.next
	} else {
		l.first = m.next
	}
	if m.next != nil {
		m.next.prev = m.prev
	} else {
		l.last = m.prev
	}
	m.prev, m.next = nil, nil
	if l.first == nil {
		o.some[m.place/64] &^= 1 << (m.place % 64)
	}
}
