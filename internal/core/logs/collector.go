package logs

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
)

// idleFlush is how long a trace waits for its next line. A program writes a
// trace in one go; a tenth of a second more is not seen by who follows.
const idleFlush = 75 * time.Millisecond

// Meta is what the entries of one stream have in common. The collector does
// not change the maps; entries share them.
type Meta struct {
	LogName  string
	Resource Resource
	Labels   map[string]string

	// Limiter is shared by the streams of one instance; nil gives the stream
	// one of its own.
	Limiter *Limiter
}

// Collector turns one output stream of a program into entries:
//
//   - a line is an entry with a text payload and severity DEFAULT; blank lines
//     are dropped, lines over 64 KiB split;
//   - a line that is a JSON object is a structured entry
//     (cloud.google.com/logging/docs/structured-logging);
//   - a traceback of Python, Node, Java or Go is one entry with severity ERROR;
//   - what is over the instance's limit is dropped and counted in a marker.
type Collector struct {
	sink Sink
	meta Meta
	now  func() time.Time

	mu    sync.Mutex // held while lines are worked on, by Run or by the timer
	lines splitter
	group grouper
	timer *time.Timer
	done  bool // Run is over: the timer must not be set again
}

// NewCollector returns a collector that has not begun to read.
func NewCollector(sink Sink, meta Meta, now func() time.Time) *Collector {
	if meta.Limiter == nil {
		meta.Limiter = NewLimiter()
	}
	c := &Collector{sink: sink, meta: meta, now: now}
	c.group.emit = c.emit
	return c
}

// Run reads r until it ends and returns nil then, else the read error. When
// ctx ends first, a reader with a SetReadDeadline (pipes, sockets) is
// interrupted and the cause returned; any other reader must be closed by its
// owner. What was read is always written before Run returns.
func (c *Collector) Run(ctx context.Context, r io.Reader) error {
	if d, ok := r.(interface{ SetReadDeadline(time.Time) error }); ok {
		stop := context.AfterFunc(ctx, func() { _ = d.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	c.timer = time.AfterFunc(time.Hour, c.idle)
	c.timer.Stop()
	defer c.finish()
	err := readLines(r, c.feed)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("read %s: %w", c.meta.LogName, err)
}

func (c *Collector) feed(data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines.feed(data, c.line)
	c.arm()
}

// arm sets the timer while something waits for it.
func (c *Collector) arm() {
	switch {
	case c.group.holding():
		c.timer.Reset(idleFlush)
	case c.meta.Limiter.closed():
		c.timer.Reset(time.Second)
	}
}

// idle runs on the timer, when nothing was read for a while.
func (c *Collector) idle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return
	}
	c.endGroup()
	c.mark(false)
	c.arm()
}

func (c *Collector) finish() {
	c.timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines.flush(c.line)
	c.endGroup()
	c.mark(true)
	c.done = true
}

// line takes one line; its bytes are only valid during the call.
func (c *Collector) line(text []byte) {
	now := c.now()
	if len(text) > 0 && !c.meta.Limiter.allow(len(text), now) {
		return
	}
	c.mark(false)
	if isJSON(text) {
		e := c.entry(now)
		if parseJSON(text, &e) {
			c.endGroup()
			c.sink.Write(e)
			return
		}
	}
	c.group.feed(strings.ToValidUTF8(string(text), "\uFFFD"), now)
}

func (c *Collector) endGroup() {
	if c.group.holding() {
		c.group.flush()
	}
}

func (c *Collector) emit(text string, at time.Time, trace bool) {
	e := c.entry(at)
	e.Text = text
	if trace {
		e.Severity = Error
	}
	c.sink.Write(e)
}

// mark reports dropped lines.
func (c *Collector) mark(force bool) {
	now := c.now()
	n := c.meta.Limiter.takeDropped(now, force)
	if n == 0 {
		return
	}
	e := c.entry(now)
	e.Severity = Warning
	e.Text = fmt.Sprintf("dropped %d lines: this instance logs more than %d lines or %v a second", n, LinesPerSecond, sunya.Bytes(BytesPerSecond))
	c.sink.Write(e)
}

func (c *Collector) entry(at time.Time) Entry {
	return Entry{LogName: c.meta.LogName, Resource: c.meta.Resource, Labels: c.meta.Labels, Timestamp: at.UTC()}
}
