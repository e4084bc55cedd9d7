package pubsub

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
)

// The bounds of what is stored at once, and of what waits for it.
const (
	batchMessages = 2000
	batchBytes    = 8 << 20
	queueBytes    = 64 << 20
	// linger is how long acknowledgements wait for company that nobody waits
	// for.
	linger        = 5 * time.Millisecond
	commitTimeout = time.Minute
	retryPause    = time.Second
)

// committer is the one writer of messages and acknowledgements. While it
// syncs one batch the next gathers.
type committer struct {
	b    *Broker
	wake chan struct{} // capacity 1
	// turn is held during a commit, and by whoever needs that nothing is
	// published meanwhile.
	turn sync.Mutex

	mu     sync.Mutex
	queue  []*publication
	bytes  int
	dirty  map[*feed]struct{}
	urgent bool // somebody waits for an acknowledgement to be stored
	closed bool
}

// publication is messages on their way to a topic.
type publication struct {
	t        *topic
	messages []Message
	size     int
	ids      []string
	done     chan error // capacity 1
	conforms *Schema    // what the messages were found to match; nil: nothing yet

	// bury, when set, is acknowledged together with the publication: it is the
	// original of a message that goes to a dead letter topic.
	bury *feed
	seq  int64
}

func (c *committer) init(b *Broker) {
	c.b, c.wake, c.dirty = b, make(chan struct{}, 1), map[*feed]struct{}{}
}

var errStopping = sunya.Errorf(sunya.Unavailable, "", "the server is stopping: try again")

// errRetired asks the caller to load the topic again.
var errRetired = errors.New("topic is no longer in memory")

// publish hands messages over; done tells when they are stored.
func (c *committer) publish(p *publication) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errStopping
	}
	if p.t.retired {
		return errRetired
	}
	if p.t.deleted {
		return sunya.Errorf(sunya.NotFound, p.t.name, "the topic does not exist")
	}
	if c.bytes+p.size > queueBytes && c.bytes > 0 {
		return sunya.Errorf(sunya.ResourceExhausted, p.t.name, "more messages wait to be stored than the server holds in memory: try again in a second")
	}
	c.queue = append(c.queue, p)
	c.bytes += p.size
	c.signal()
	return nil
}

// note has what changed of a feed stored soon; at once when urgent.
func (c *committer) note(f *feed, urgent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty[f] = struct{}{}
	c.urgent = c.urgent || urgent
	c.signal()
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run commits until ctx ends, and then what is left.
func (c *committer) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			c.close()
			return context.Cause(ctx)
		case <-c.wake:
		}
		c.gather(ctx)
		for c.once() {
		}
	}
}

// gather waits a little while there are but acknowledgements.
func (c *committer) gather(ctx context.Context) {
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for !c.pressing() {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-c.wake:
		}
	}
}

// pressing reports whether somebody waits.
func (c *committer) pressing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue) > 0 || c.urgent
}

// open undoes close.
func (c *committer) open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = false
}

// close stores what was accepted and refuses the rest.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	for c.once() {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.queue {
		p.end(errStopping)
	}
	c.queue = nil
}

// take returns what is to be stored next.
func (c *committer) take() (pubs []*publication, feeds []*feed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, messages, bytes := 0, 0, 0
	for n < len(c.queue) && messages < batchMessages && bytes < batchBytes {
		messages += len(c.queue[n].messages)
		bytes += c.queue[n].size
		n++
	}
	pubs = slices.Clone(c.queue[:n])
	c.queue = slices.Delete(c.queue, 0, n)
	c.bytes -= bytes
	feeds = slices.Collect(maps.Keys(c.dirty))
	clear(c.dirty)
	c.urgent = false
	return pubs, feeds
}

// once stores one batch; false when there was none, or it failed.
func (c *committer) once() bool {
	c.turn.Lock()
	defer c.turn.Unlock()
	pubs, feeds := c.take()
	if len(pubs)+len(feeds) == 0 {
		return false
	}
	w := c.prepare(pubs, feeds)
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	var err error
	if !w.batch.Empty() {
		err = c.b.store.Commit(ctx, &w.batch)
	}
	if err != nil {
		c.failed(w, err)
		return false
	}
	w.succeeded()
	return true
}

// work is a batch with those who wait for it.
type work struct {
	batch  Batch
	pubs   []*publication
	fresh  []appended
	saving []*saving
}

// appended is what a topic gets.
type appended struct {
	t    *topic
	next int64
	new  []Stored
}

// prepare gives messages their numbers and gathers what feeds have to store.
func (c *committer) prepare(pubs []*publication, feeds []*feed) *work {
	w := &work{pubs: pubs}
	index := map[*topic]int{}
	now := c.b.now().UTC()
	for _, p := range pubs {
		i, ok := index[p.t]
		if !ok {
			i = len(w.fresh)
			index[p.t] = i
			w.fresh = append(w.fresh, appended{t: p.t, next: p.t.next})
		}
		w.fresh[i].add(p, now)
		if p.bury != nil {
			p.bury.ackQuietly(p.seq)
			if !slices.Contains(feeds, p.bury) {
				feeds = append(feeds, p.bury)
			}
		}
	}
	for _, a := range w.fresh {
		out := Append{Topic: a.t.number, Next: a.next}
		if a.t.wanted() {
			out.Messages = a.new
		}
		w.batch.Appends = append(w.batch.Appends, out)
	}
	for _, f := range feeds {
		w.saving = append(w.saving, f.save(&w.batch))
	}
	return w
}

// add numbers messages. Times never go back within a topic: a seek to a time
// finds its place by them.
func (a *appended) add(p *publication, now time.Time) {
	p.ids = make([]string, len(p.messages))
	for i := range p.messages {
		m := p.messages[i]
		m.ID = strconv.FormatInt(Number(a.t.number, a.next), 10)
		m.PublishTime = a.t.stamp(now)
		p.ids[i] = m.ID
		a.new = append(a.new, Stored{Seq: a.next, Message: m})
		a.next++
	}
}

// failed tells the publishers, and keeps what feeds have to store.
func (c *committer) failed(w *work, err error) {
	var again []*publication
	for _, p := range w.pubs {
		if p.bury != nil {
			again = append(again, p)
			continue
		}
		p.end(err)
	}
	for _, s := range w.saving {
		s.failed(err)
	}
	c.b.log.Error("store messages", "err", err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.queue = append(again, c.queue...)
	for _, s := range w.saving {
		c.dirty[s.f] = struct{}{}
	}
	time.AfterFunc(retryPause, c.signal)
}

// succeeded shows messages to subscriptions and answers those who wait.
func (w *work) succeeded() {
	for _, a := range w.fresh {
		a.t.next = a.next
		a.t.show(a.new, a.next)
	}
	for _, p := range w.pubs {
		p.end(nil)
	}
	for _, s := range w.saving {
		s.succeeded()
	}
}

func (p *publication) end(err error) {
	if p.done != nil {
		p.done <- err
	}
}
