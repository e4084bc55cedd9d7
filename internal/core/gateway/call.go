package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/http1"
	"github.com/sunya-cloud/sunya/internal/core/upstream"
)

const (
	// watchAfter is how long a program may take before somebody looks whether its
	// client is still there; at most twice as long.
	watchAfter = 20 * time.Millisecond
	// freshEnough is how long ago a connection may have been used that carries a
	// request which cannot be repeated: the program may have closed it meanwhile.
	freshEnough = time.Second
	// joined is the largest body that goes out together with its head.
	joined = 16 << 10
)

// call is the state of one request that an instance works on.
type call struct {
	close bool // the connection ends with this request
	lease *activator.Lease
	slot  activator.Lease // where lease mostly is
	sent  int             // bytes of body in out

	contacted bool // there was a connection: something may have been sent
	informed  bool // the client has had a 1xx
	patient   bool // the first moment is over

	up    atomic.Pointer[upstream.Conn] // whose waits end when the client leaves
	gone  atomic.Bool                   // the client has left
	watch *watch                        // nil: nobody looks
}

// forward sends the request to an instance and the response back, again when an
// instance died and repeating cannot do anything twice.
func (l *link) forward(target string, body []byte) error {
	l.compose(target, body)
	err, again := l.attempt(body)
	for n := 1; again && n < attempts; n++ {
		err, again = l.attempt(body)
	}
	return err
}

// compose writes the head of the request as the program gets it, and a body that
// is not large.
func (l *link) compose(target string, body []byte) {
	x := &l.x
	l.sees = x.programHeader(l.sees[:0])
	b := append(l.ask[:0], x.method...)
	b = append(append(b, ' '), target...)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), x.host...)
	b = append(b, "\r\n"...)
	for _, f := range l.sees {
		if f.Name != "Content-Length" {
			b = f.Append(b)
		}
	}
	if len(body) > 0 || x.header.Has("Content-Length") {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	if len(body) <= joined {
		b = append(b, body...)
	}
	l.ask = b
}

// repeatable reports whether sending the request twice does what sending it
// once does (RFC 9110 §9.2.2).
func (l *link) repeatable() bool { return l.req.Length == 0 && idempotent(l.x.method) }

// attempt is one try. It reports whether another may be made.
func (l *link) attempt(body []byte) (err error, again bool) {
	lease, err := l.acquire()
	if err != nil {
		return err, false
	}
	l.lease = lease
	l.x.served(lease)
	defer l.giveBack()
	if err := l.roundTrip(body); err != nil {
		return l.lost(err)
	}
	return l.relay(l.up.Load()), false
}

// giveBack ends the attempt: what was not over is broken off.
func (l *link) giveBack() {
	if conn := l.up.Swap(nil); conn != nil {
		conn.Close() // in the middle of something
	}
	l.lease.Release()
}

// acquire waits for a slot as long as the client does.
func (l *link) acquire() (*activator.Lease, error) {
	x := &l.x
	if l.g.Slots.TryAcquire(&l.slot, x.rev, x.prefer) {
		return &l.slot, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctx, cancelAll := context.WithDeadlineCause(ctx, l.deadline(), errTimeout)
	defer cancelAll()
	l.unwatch() // who watches since an earlier attempt does not know of this wait
	l.startWatch(cancel)
	lease, err := l.g.Slots.Acquire(ctx, x.rev, x.prefer)
	if err == nil && l.gone.Load() {
		lease.Release()
		return nil, context.Canceled
	}
	return lease, err
}

func (l *link) deadline() time.Time { return l.x.begin.Add(l.x.timeout()) }

// roundTrip sends the request and reads the head of the response, on a connection
// that it leaves in up. One that the program has closed while it was idle is
// replaced.
func (l *link) roundTrip(body []byte) error {
	pool := l.lease.Instance.Upstream()
	age := time.Duration(0)
	if !l.repeatable() {
		age = freshEnough
		if l.lease.Thawed {
			// The program may be about to close connections that it took for
			// idle while it was frozen.
			pool.CloseIdle()
		}
	}
	for conn := pool.Idle(l.asked(), age); conn != nil; conn = pool.Idle(l.asked(), age) {
		l.up.Store(conn)
		err := l.exchange(conn, body)
		if err == upstream.ErrStale { //nolint:errorlint // it is this very value
			l.up.Store(nil)
			conn.Close()
			continue
		}
		if err == nil || conn.Begun() || !l.repeatable() || l.isOver(err) != nil {
			return err
		}
		l.up.Store(nil)
		conn.Close() // it was closed at that moment
		break
	}
	conn, err := l.dial(pool)
	if err != nil {
		return err
	}
	l.up.Store(conn)
	return l.exchange(conn, body)
}

// asked is when the instance was asked, unless somebody was waited for since.
func (l *link) asked() time.Time { return l.x.begin.Add(l.x.waited) }

func (l *link) dial(pool *upstream.Pool) (*upstream.Conn, error) {
	ctx, cancel := context.WithDeadlineCause(context.Background(), l.deadline(), errTimeout)
	defer cancel()
	return pool.Dial(ctx)
}

// isOver says why a request ends whose connection was interrupted; nil: it was
// not.
func (l *link) isOver(err error) error {
	switch {
	case l.gone.Load():
		return context.Canceled
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errTimeout):
		return errTimeout
	}
	return nil
}

var errSwitched = errors.New("the instance switched protocols unasked")

// exchange sends the request and reads until the final response's head.
func (l *link) exchange(conn *upstream.Conn, body []byte) error {
	if err := l.patience(conn); err != nil {
		return err
	}
	n, unsent := conn.Send(l.ask, len(body) <= joined)
	if unsent == upstream.ErrStale { //nolint:errorlint // it is this very value
		return unsent
	}
	l.contacted = true
	unsent = l.rest(conn, l.ask[n:], unsent)
	if unsent == nil && len(body) > joined {
		unsent = l.rest(conn, body, nil)
	}
	if unsent != nil && l.isOver(unsent) != nil {
		return unsent
	}
	for informed := 0; ; {
		err := l.awaitHead(conn)
		if err != nil {
			return errors.Join(unsent, err)
		}
		switch status := conn.Response.Status; {
		case status == http.StatusSwitchingProtocols:
			return errSwitched
		case status >= 200:
			if unsent != nil {
				conn.Response.Close = true // it answered early
			}
			return nil
		}
		if informed++; informed > maxInformational {
			return errTooManyInformational
		}
		if err := l.inform(&conn.Response); err != nil {
			return err
		}
	}
}

// rest writes what is left of a part of the request; err is how far it came.
func (l *link) rest(conn *upstream.Conn, p []byte, err error) error {
	for {
		if err != nil {
			if err = l.longer(conn, err); err != nil {
				return err
			}
		}
		if len(p) == 0 {
			return nil
		}
		var n int
		n, err = conn.Write(p)
		p = p[n:]
	}
}

func (l *link) awaitHead(conn *upstream.Conn) error {
	for {
		err := conn.ReadHead(l.x.method)
		if err == nil {
			return nil
		}
		if errors.Is(err, http1.ErrUncommon) {
			return l.readUncommon(conn)
		}
		if err := l.longer(conn, err); err != nil {
			return err
		}
	}
}

func (l *link) readUncommon(conn *upstream.Conn) error {
	l.startWatch(nil)
	if err := l.patience(conn); err != nil {
		return err
	}
	return conn.ReadUncommon(l.x.method)
}

// lost says what a failed attempt means.
func (l *link) lost(err error) (_ error, again bool) {
	if over := l.isOver(err); over != nil {
		if errors.Is(over, errTimeout) && l.contacted {
			l.lease.Hang()
		}
		return over, false
	}
	if isClientGone(err) {
		return context.Canceled, false
	}
	again = (!l.contacted || l.repeatable()) && !l.informed && !errors.Is(err, errSwitched)
	if again {
		l.startWatch(nil)
		awaitExit(context.Background(), l.lease)
		if l.gone.Load() {
			return context.Canceled, false
		}
	}
	return &badGateway{
		err:  fmt.Errorf("ask instance %s: %w", l.lease.Instance.ID(), err),
		hint: protocolHint(l.x.rev, err),
	}, again
}
