package cli

import (
	"fmt"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
)

// copying shows on stderr what is being copied: a line for each object, and on a
// terminal one more that moves. It is safe for concurrent use.
type copying struct {
	env *Env

	mu      sync.Mutex
	objects int
	bytes   int64
	since   time.Time
	drawn   time.Time
}

func newCopying(env *Env) *copying { return &copying{env: env, since: env.Now()} }

// begin says what goes where.
func (c *copying) begin(what string, from, to place) {
	c.notice(fmt.Sprintf("%s %s to %s", what, from, to))
}

// notice shows something on a line of its own.
func (c *copying) notice(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	if c.env.flags.talk("warning") {
		fmt.Fprintln(c.env.Stderr, printable(line))
	}
	c.draw()
}

// Write counts bytes that have passed; it never fails.
func (c *copying) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += int64(len(p))
	if c.env.lively() && c.env.Now().Sub(c.drawn) >= spinnerPace {
		c.draw()
	}
	return len(p), nil
}

// done counts one object.
func (c *copying) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects++
	c.draw()
}

func (c *copying) clear() {
	if c.env.lively() && !c.drawn.IsZero() {
		fmt.Fprint(c.env.Stderr, "\r\x1b[K")
	}
}

func (c *copying) draw() {
	if !c.env.lively() {
		return
	}
	c.drawn = c.env.Now()
	fmt.Fprintf(c.env.Stderr, "\r  %s\x1b[K", c.sum())
}

func (c *copying) sum() string {
	took := c.env.Now().Sub(c.since)
	out := fmt.Sprintf("%d objects, %v", c.objects, sunya.Bytes(c.bytes))
	if took >= time.Second {
		out += fmt.Sprintf(", %v/s", sunya.Bytes(float64(c.bytes)/took.Seconds()))
	}
	return out
}

// end says what was done in all.
func (c *copying) end(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	if c.env.flags.talk("warning") {
		fmt.Fprintf(c.env.Stderr, "%s %s.\n", what, c.sum())
	}
}
