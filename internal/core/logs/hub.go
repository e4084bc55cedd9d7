package logs

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
)

// HubOptions bounds a Hub. The zero value of a field is its default.
type HubOptions struct {
	QueueEntries int           // waiting for the store; 50,000
	QueueBytes   int64         // 64 MiB
	BatchEntries int           // that make a batch at once; 500
	Linger       time.Duration // for more entries before a smaller batch; 20 ms
	Followers    int           // at once; 64
	Grace        time.Duration // for one batch, also the last one when Run ends; 5 s
}

func (o HubOptions) withDefaults() HubOptions {
	return HubOptions{
		QueueEntries: cmp.Or(o.QueueEntries, 50_000),
		QueueBytes:   cmp.Or(o.QueueBytes, 64<<20),
		BatchEntries: cmp.Or(o.BatchEntries, 500),
		Linger:       cmp.Or(o.Linger, 20*time.Millisecond),
		Followers:    cmp.Or(o.Followers, 64),
		Grace:        cmp.Or(o.Grace, 5*time.Second),
	}
}

// Hub is the way of every entry: it numbers them, commits them to the store in
// groups and hands them to who is following, in this order, so that a follower
// that lists the store after it began to follow misses nothing.
//
// A program never waits for the disk: when the queue is full, or the store
// fails, entries are dropped and counted, and a marker says so once the store
// works again.
type Hub struct {
	store Store
	now   func() time.Time
	log   *slog.Logger
	opts  HubOptions
	wake  chan struct{} // capacity 1, never closed: there is something to do
	ended chan struct{} // closed when Run returns

	backlog Backlog // nil: there is none; set before Run

	failing bool // the last batch was not stored; only Run's own

	mu      sync.Mutex
	queue   []batch
	entries int // in queue
	bytes   int64
	urgent  bool // somebody waits: do not linger
	closed  bool
	lastID  int64
	dropped map[string]int64 // by project, not yet reported
	follow  map[*Follower]struct{}
}

// batch is what one call wrote.
type batch struct {
	entries []Entry
	bytes   int64
	done    chan<- error // capacity 1, or nil
}

var _ Sink = (*Hub)(nil)

// NewHub returns a hub; Run makes it work.
func NewHub(store Store, now func() time.Time, log *slog.Logger, o HubOptions) *Hub {
	return &Hub{
		store: store, now: now, log: log.With("component", "logs"), opts: o.withDefaults(),
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
		dropped: map[string]int64{}, follow: map[*Follower]struct{}{},
	}
}

// SetBacklog makes the hub fetch what b gathers, too. Call it before Run.
func (h *Hub) SetBacklog(b Backlog) { h.backlog = b }

// Wake makes the hub fetch what its backlog has gathered. It never blocks.
func (h *Hub) Wake() { h.signal() }

// Write implements Sink. Entries get an insert id and their receive time here;
// one without timestamp happened now.
func (h *Hub) Write(entries ...Entry) {
	if len(entries) > 0 {
		h.enqueue(slices.Clone(entries), nil)
	}
}

// Append writes entries and returns once they are in the store: what it
// acknowledges survives the death of the server. A full queue is
// ResourceExhausted, a hub that has ended Unavailable.
func (h *Hub) Append(ctx context.Context, entries ...Entry) error {
	done := make(chan error, 1)
	if err := h.enqueue(slices.Clone(entries), done); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.ended:
	}
	select {
	case err := <-done:
		return err
	default:
		return sunya.Errorf(sunya.Unavailable, "", "the log is closed: the server is stopping; try again")
	}
}

// Flush returns once everything written before is in the store, or lost.
func (h *Hub) Flush(ctx context.Context) error { return h.Append(ctx) }

func (h *Hub) enqueue(entries []Entry, done chan<- error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := batch{entries: entries, bytes: h.stamp(entries), done: done}
	switch {
	case h.closed:
		return sunya.Errorf(sunya.Unavailable, "", "the log is closed: the server is stopping; try again")
	case h.entries+len(entries) > h.opts.QueueEntries || h.bytes+b.bytes > h.opts.QueueBytes:
		if done == nil {
			h.drop(entries)
		}
		return sunya.Errorf(sunya.ResourceExhausted, "", "more log entries are waiting than the server holds in memory; try again in a second")
	}
	h.queue = append(h.queue, b)
	h.entries += len(entries)
	h.bytes += b.bytes
	h.urgent = h.urgent || done != nil
	if h.urgent || h.entries >= h.opts.BatchEntries || len(h.queue) == 1 {
		h.signal()
	}
	return nil
}

// stamp completes entries and returns their size; the caller holds the lock.
func (h *Hub) stamp(entries []Entry) (bytes int64) {
	now := h.now().UTC()
	for i := range entries {
		e := &entries[i]
		e.ReceiveTime = now
		if e.Timestamp.IsZero() {
			e.Timestamp = now
		}
		if e.InsertID == "" {
			e.InsertID = h.nextID(now)
		}
		bytes += e.Size()
	}
	return bytes
}

// nextID returns an id that sorts behind all earlier ones as text, also behind
// those of an earlier run: the time in base 36, nudged where it stands still.
func (h *Hub) nextID(now time.Time) string {
	h.lastID = max(h.lastID+1, now.UnixNano())
	const digits, width = "0123456789abcdefghijklmnopqrstuvwxyz", 13
	var id [width]byte
	n := h.lastID
	for i := width - 1; i >= 0; i-- {
		id[i] = digits[n%36]
		n /= 36
	}
	return string(id[:])
}

// drop counts entries that are lost; the caller holds the lock.
func (h *Hub) drop(entries []Entry) {
	for i := range entries {
		h.dropped[entries[i].Project()]++
	}
}

func (h *Hub) signal() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}
