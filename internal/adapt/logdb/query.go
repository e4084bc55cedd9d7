package logdb

import (
	"container/heap"
	"context"
	"fmt"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// Query implements logs.Store. Entries come in the order of timestamp and
// insert id. Only the segments that the answer needs are opened, newest or
// oldest first; entries that arrive meanwhile may or may not be part of it.
func (s *Store) Query(ctx context.Context, q logs.Query) ([]logs.Entry, error) {
	select {
	case s.queries <- struct{}{}:
		defer func() { <-s.queries }()
	case <-ctx.Done():
		return nil, fmt.Errorf("query logs: %w", context.Cause(ctx))
	}
	segments, release := s.hold()
	defer release()
	m := &merge{ctx: ctx, store: s, q: &q}
	defer m.close()
	for _, seg := range segments {
		lo, hi, err := seg.bounds(ctx)
		if damaged(err) {
			s.quarantine(seg, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("query logs: %w", err)
		}
		if lo <= hi {
			m.addSegment(seg, lo, hi)
		}
	}
	heap.Init(m)
	found, err := m.run()
	if err != nil {
		return nil, fmt.Errorf("query logs: %w", err)
	}
	return found, nil
}

// merge joins sorted sources: segments that were not needed yet, and the open
// cursors of those that were.
type merge struct {
	ctx     context.Context
	store   *Store
	q       *logs.Query
	sources []*source // a heap

	last  place
	begun bool
	bytes int64
}

// place is where an entry stands in the order.
type place struct {
	ts int64
	id string
}

func (p place) less(o place) bool { return p.ts < o.ts || p.ts == o.ts && p.id < o.id }

// addSegment adds a segment unopened, at the place where its entries may
// begin, unless they are all outside the query's times.
func (m *merge) addSegment(seg *segment, lo, hi int64) {
	r := m.timeRange()
	if hi < r.since || lo >= r.until {
		return
	}
	at := place{ts: lo}
	if m.q.Newest {
		at = place{ts: hi}
	}
	m.sources = append(m.sources, &source{seg: seg, at: at})
}

func (m *merge) run() (found []logs.Entry, err error) {
	for len(m.sources) > 0 {
		src := m.sources[0]
		if src.cursor == nil {
			heap.Pop(m)
			if err := m.openSegment(src.seg); err != nil {
				return nil, err
			}
			continue
		}
		if e, ok := m.accept(src); ok {
			found = append(found, e)
			if m.enough(&e, len(found)) {
				return found, nil
			}
		}
		if err := m.advance(src); err != nil {
			return nil, err
		}
	}
	return found, m.ctx.Err()
}

func (m *merge) enough(e *logs.Entry, n int) bool {
	m.bytes += e.Size()
	return m.q.Limit > 0 && n >= m.q.Limit || m.q.MaxBytes > 0 && m.bytes >= m.q.MaxBytes
}

// accept decodes a source's entry and says whether it is part of the answer.
// One that stands before what was already given out is not: it arrived late.
func (m *merge) accept(src *source) (e logs.Entry, ok bool) {
	if m.begun && !m.before(m.last, src.at) {
		return e, false
	}
	var err error
	if e, err = src.entry(); err != nil {
		m.store.log.ErrorContext(m.ctx, "skip log entry", "path", src.seg.path, "err", err)
		return e, false
	}
	if !subset(m.q.Labels, e.Labels) || m.q.Match != nil && !m.q.Match(&e) {
		return e, false
	}
	m.last, m.begun = src.at, true
	return e, true
}

// advance moves a source to its next entry, or takes it out at its end.
func (m *merge) advance(src *source) error {
	at, more, err := src.next()
	switch {
	case err != nil:
		return m.drop(src, err)
	case !more:
		heap.Pop(m)
		return src.close()
	}
	src.at = at
	heap.Fix(m, 0)
	return nil
}

// drop takes out a source that cannot be read. When its segment is damaged the
// others are still served.
func (m *merge) drop(src *source, err error) error {
	heap.Pop(m)
	_ = src.close()
	if !damaged(err) {
		return err
	}
	m.store.quarantine(src.seg, err)
	return nil
}

func (m *merge) close() {
	for _, src := range m.sources {
		_ = src.close()
	}
}

// before says whether a comes before b in the query's direction.
func (m *merge) before(a, b place) bool {
	if m.q.Newest {
		return b.less(a)
	}
	return a.less(b)
}

// Len implements heap.Interface.
func (m *merge) Len() int { return len(m.sources) }

// Less implements heap.Interface: an unopened segment comes before the entry of
// its time, since it may hold one that comes first.
func (m *merge) Less(i, j int) bool {
	a, b := m.sources[i], m.sources[j]
	if a.at.ts == b.at.ts && (a.cursor == nil) != (b.cursor == nil) {
		return a.cursor == nil
	}
	return m.before(a.at, b.at)
}

// Swap implements heap.Interface.
func (m *merge) Swap(i, j int) { m.sources[i], m.sources[j] = m.sources[j], m.sources[i] }

// Push implements heap.Interface.
func (m *merge) Push(x any) { m.sources = append(m.sources, x.(*source)) }

// Pop implements heap.Interface.
func (m *merge) Pop() any {
	src := m.sources[len(m.sources)-1]
	m.sources = m.sources[:len(m.sources)-1]
	return src
}
