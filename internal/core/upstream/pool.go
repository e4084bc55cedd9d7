// Package upstream keeps connections to one program and speaks HTTP/1.1 over
// them.
//
// Nothing of it runs by itself: an idle connection costs its descriptor and a
// few words, no goroutine, no buffer and no timer. That one was closed from the
// other side, or has said something unasked, is looked for when it is used
// again.
package upstream

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Pool is the connections to one program. Set the fields before the first use.
// It is safe for concurrent use.
type Pool struct {
	Open    func(ctx context.Context) (net.Conn, error)
	MaxIdle int
	// Keep is how long a connection may be idle and be used again; 0: for ever.
	Keep time.Duration
	// Ask, if not nil, makes the Ask of a connection, or returns nil.
	Ask func(net.Conn) Ask

	mu     sync.Mutex
	idle   []*Conn // the one used last is the last
	closed bool
}

// Ask looks whether nothing has come on a connection, not even its end, and if so
// sends a request and waits for the first bytes of what comes then; with no room
// for an answer it does not wait. What comes while nobody has asked anything would
// be taken for the answer to the next request: it is ErrStale. Fewer bytes than
// the request are sent, and none have come, without an error where the connection
// does not take more or its deadline is over.
type Ask func(request, answer []byte) (sent, got int, err error)

// ErrStale is said of a connection on which something has come unasked. Nothing
// was sent over it.
var ErrStale = errors.New("the connection was closed, or something has come unasked")

// Idle returns a connection that was used at most age ago, 0 for any age, or nil.
func (p *Pool) Idle(now time.Time, age time.Duration) *Conn {
	c := p.youngest(now, age)
	if c != nil {
		c.wake()
	}
	return c
}

func (p *Pool) youngest(now time.Time, age time.Duration) *Conn {
	if age == 0 || p.Keep > 0 && p.Keep < age {
		age = p.Keep
	}
	p.mu.Lock()
	n := len(p.idle)
	if n == 0 {
		p.mu.Unlock()
		return nil
	}
	c := p.idle[n-1]
	if age == 0 || now.Sub(c.used) <= age {
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c
	}
	// The others are older still.
	old := p.expire(now)
	p.mu.Unlock()
	closeAll(old)
	return nil
}

// expire takes out all connections if the youngest is too old for any use. mu
// is held.
func (p *Pool) expire(now time.Time) []*Conn {
	if p.Keep == 0 || now.Sub(p.idle[len(p.idle)-1].used) <= p.Keep {
		return nil
	}
	old := p.idle
	p.idle = nil
	return old
}

// Dial opens another connection.
func (p *Pool) Dial(ctx context.Context) (*Conn, error) {
	conn, err := p.Open(ctx)
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: conn, pool: p, fresh: true}
	if p.Ask != nil {
		c.ask = p.Ask(conn)
	}
	c.wake()
	return c, nil
}

// Free gives a connection back whose response is over, at its end or before: it
// is kept if another request may follow.
func (c *Conn) Free(now time.Time) {
	if !c.reusable() {
		c.Close()
		return
	}
	c.sleep(now)
	p := c.pool
	p.mu.Lock()
	keep := !p.closed && len(p.idle) < p.MaxIdle
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// CloseIdle closes all connections that nobody uses.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	closeAll(idle)
}

// Close closes the idle connections, and those in use once they are given back.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.CloseIdle()
}

func closeAll(conns []*Conn) {
	for _, c := range conns {
		c.Close()
	}
}
