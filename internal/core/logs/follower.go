package logs

import (
	"context"
	"sync"

	"github.com/sunya-cloud/sunya"
)

// The bounds of what a follower has not read yet.
const (
	followEntries = 4096
	followBytes   = 8 << 20
)

// Follower gets the entries that are written while it follows. One that reads
// too slowly misses entries and learns how many; it never holds up a writer.
type Follower struct {
	hub   *Hub
	match func(*Entry) bool
	wake  chan struct{} // capacity 1, never closed

	mu         sync.Mutex
	entries    []Entry
	bytes      int64
	suppressed int64
	ended      bool
}

// Follow begins to follow the entries for which match is true (nil: all). Match
// is called by the hub, so it must be quick. The caller must Close the
// follower. Too many followers are ResourceExhausted.
func (h *Hub) Follow(match func(*Entry) bool) (*Follower, error) {
	f := &Follower{hub: h, match: match, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.follow) >= h.opts.Followers {
		return nil, sunya.Errorf(sunya.ResourceExhausted, "", "%d clients are following logs already: end one of them first", len(h.follow))
	}
	if h.closed {
		return nil, sunya.Errorf(sunya.Unavailable, "", "the log is closed: the server is stopping; try again")
	}
	h.follow[f] = struct{}{}
	return f, nil
}

func (h *Hub) followed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.follow) > 0
}

// fanOut hands committed entries to the followers.
func (h *Hub) fanOut(entries []Entry) {
	h.mu.Lock()
	followers := make([]*Follower, 0, len(h.follow))
	for f := range h.follow {
		followers = append(followers, f)
	}
	h.mu.Unlock()
	for _, f := range followers {
		f.offer(entries)
	}
}

func (f *Follower) offer(entries []Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range entries {
		if f.match != nil && !f.match(&entries[i]) {
			continue
		}
		size := entries[i].Size()
		if len(f.entries) >= followEntries || f.bytes+size > followBytes {
			f.suppressed++
			continue
		}
		f.entries = append(f.entries, entries[i])
		f.bytes += size
	}
	if len(f.entries) > 0 || f.suppressed > 0 {
		f.signal()
	}
}

// Next waits for entries and returns all there are, and how many were
// suppressed behind them because Next was called too late. After the hub's end
// it returns Unavailable.
func (f *Follower) Next(ctx context.Context) (entries []Entry, suppressed int64, err error) {
	for {
		entries, suppressed, ended := f.takeAll()
		switch {
		case len(entries) > 0 || suppressed > 0:
			return entries, suppressed, nil
		case ended:
			return nil, 0, sunya.Errorf(sunya.Unavailable, "", "the log is closed: the server is stopping; follow again")
		}
		select {
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		case <-f.wake:
		}
	}
}

func (f *Follower) takeAll() (entries []Entry, suppressed int64, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, suppressed = f.entries, f.suppressed
	f.entries, f.bytes, f.suppressed = nil, 0, 0
	return entries, suppressed, f.ended
}

// Close ends following. Next must not be called afterwards.
func (f *Follower) Close() {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	delete(f.hub.follow, f)
}

func (f *Follower) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.signal()
}

func (f *Follower) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
