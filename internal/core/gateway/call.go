package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	// client is still there.
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
	sent  int // bytes of body in out

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
	if lease, ok := l.g.Slots.TryAcquire(x.rev, x.prefer); ok {
		return lease, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctx, cancelAll := context.WithDeadlineCause(ctx, l.deadline(), errTimeout)
	defer cancelAll()
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
	if conn := pool.Idle(l.asked(), age); conn != nil {
		l.contacted = true
		l.up.Store(conn)
		err := l.exchange(conn, body)
		if err == nil || conn.Begun() || !l.repeatable() || l.isOver(err) != nil {
			return err
		}
		l.up.Store(nil)
		conn.Close() // it was stale
	}
	conn, err := l.dial(pool)
	if err != nil {
		return err
	}
	l.contacted = true
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
	unsent := l.write(conn, l.ask)
	if unsent == nil && len(body) > joined {
		unsent = l.write(conn, body)
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

// patience sets until when the program is waited for: at first for a moment, in
// which nobody looks after the client.
func (l *link) patience(conn *upstream.Conn) error {
	until := l.deadline()
	if soon := l.asked().Add(watchAfter); !l.patient && soon.Before(until) {
		until = soon
	}
	if err := conn.SetDeadline(until); err != nil {
		return err
	}
	if l.gone.Load() {
		return context.Canceled // it may have been interrupted before
	}
	return nil
}

// longer waits on after the first moment. It fails when it was not the first, or
// the client has left.
func (l *link) longer(conn *upstream.Conn, err error) error {
	if l.patient || !errors.Is(err, os.ErrDeadlineExceeded) || !l.g.Now().Before(l.deadline()) {
		return err
	}
	l.startWatch(nil)
	return l.patience(conn)
}

func (l *link) write(conn *upstream.Conn, p []byte) error {
	for {
		n, err := conn.Write(p)
		if err == nil {
			return nil
		}
		p = p[n:]
		if err := l.longer(conn, err); err != nil {
			return err
		}
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

// inform passes a 1xx on. 100 is between the two ends of a connection.
func (l *link) inform(r *http1.Response) error {
	if r.Status == http.StatusContinue {
		return nil
	}
	l.informed = true
	l.out = appendStatus(l.out[:0], r.Status)
	l.sees = passedOn(l.sees[:0], r.Header)
	l.out = append(l.sees.Append(l.out), "\r\n"...)
	return l.flush(true)
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

// watch is somebody who looks whether a client is still there.
type watch struct {
	done chan struct{} // closed when nobody reads the connection any more
	n    int           // bytes that came meanwhile
}

// startWatch reads from the client while nothing else does: what comes is the
// beginning of the next request, and an end is the end of its interest in this
// one. left, if not nil, is told of that, too.
func (l *link) startWatch(left func()) {
	l.patient = true
	if l.watch != nil || l.w == len(l.buf) {
		return // or it has sent enough to know that it is there
	}
	w := &watch{done: make(chan struct{})}
	l.watch, l.hot = w, time.Time{}
	_ = l.c.SetReadDeadline(time.Time{}) // then Read fails at once
	free := l.buf[l.w:]
	go func() {
		defer close(w.done)
		var err error
		if w.n, err = l.c.Read(free); w.n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		l.gone.Store(true)
		if left != nil {
			left()
		}
		if conn := l.up.Load(); conn != nil {
			_ = conn.SetDeadline(time.Unix(1, 0)) // who waits for it asks gone
		}
	}()
}

// unwatch ends the watch.
func (l *link) unwatch() {
	if l.watch == nil {
		return
	}
	_ = l.c.SetReadDeadline(time.Unix(1, 0)) // then it has ended already
	<-l.watch.done
	l.w += l.watch.n
	l.watch, l.hot = nil, time.Time{}
}

// relay gives the client the response as it comes.
func (l *link) relay(conn *upstream.Conn) error {
	x, r := &l.x, &conn.Response
	x.status, x.began = r.Status, true
	l.out = appendStatus(l.out[:0], r.Status)
	l.sees = x.responseHeader(l.sees[:0], r.Header)
	b := l.sees.Append(l.out)
	if !l.sees.Has("Date") {
		b = append(l.g.Now().UTC().AppendFormat(append(b, "Date: "...), http.TimeFormat), "\r\n"...)
	}
	bodied := x.method != http.MethodHead && r.Status != http.StatusNoContent && r.Status != http.StatusNotModified
	chunks := bodied && (r.Chunked || r.Length < 0)
	switch {
	case chunks:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		for v := range r.Header.Values("Trailer") {
			b = http1.Field{Name: "Trailer", Value: v}.Append(b)
		}
	case r.Length >= 0 && r.Status != http.StatusNoContent:
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), r.Length, 10), "\r\n"...)
	}
	l.close = l.close || l.s.Ending()
	if l.close {
		b = append(b, "Connection: close\r\n"...)
	}
	l.out = append(b, "\r\n"...)
	if err := l.copyBody(conn, chunks); err != nil {
		x.cutShort(err)
	}
	return nil
}

func appendStatus(b []byte, status int) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(b, ' '), http.StatusText(status)...)
	return append(b, "\r\n"...)
}

// copyBody copies the body. What has come is not held back for what follows. The
// slot is free before the last of it is written: the instance has done its part.
func (l *link) copyBody(conn *upstream.Conn, chunks bool) error {
	small := !chunks && conn.Response.Length <= smallBody // it fits into the socket
	for {
		data, err := conn.Buffered()
		switch {
		case err == io.EOF:
			return l.last(conn, chunks, small)
		case err != nil:
			return err
		case len(data) > 0:
			l.sent += len(data)
			if chunks {
				l.out = http1.AppendChunk(l.out, data)
			} else {
				l.out = append(l.out, data...)
			}
			if len(l.out) >= copyBuffer {
				err = l.flush(!small)
			}
		default:
			err = l.more(conn, small)
		}
		if err != nil {
			return err
		}
	}
}

// more waits for more of the body. The head of a small response waits for its
// body, which comes next.
func (l *link) more(conn *upstream.Conn, small bool) error {
	if !small || l.sent > 0 {
		if err := l.flush(!small); err != nil {
			return err
		}
	}
	for {
		err := conn.Wait()
		if err == nil {
			return nil
		}
		if err := l.longer(conn, err); err != nil {
			if over := l.isOver(err); over != nil {
				return over
			}
			return err
		}
	}
}

// last ends the response.
func (l *link) last(conn *upstream.Conn, chunks, small bool) error {
	if chunks {
		l.sees = l.sees[:0]
		conn.Trailer(&l.sees)
		l.out = http1.AppendLastChunk(l.out, passedOn(nil, l.sees))
	}
	l.unwatch() // who would interrupt the connection's next user
	l.up.Store(nil)
	now := l.asked()
	if l.patient {
		now = l.g.Now()
	}
	conn.Free(now)
	l.lease.Release()
	return l.flush(!small)
}

// flush gives the client what is in out. One that does not take it in ClientStall
// is cut off: whoever reads a byte now and then would hold a slot. Small
// responses fit into the socket; their deadline is set now and then.
func (l *link) flush(paced bool) error {
	if len(l.out) == 0 {
		return nil
	}
	if stall := l.g.opts.ClientStall; paced {
		l.stalls = l.g.Now().Add(stall)
		if end := l.deadline(); end.Before(l.stalls) {
			l.stalls = end
		}
		_ = l.c.SetWriteDeadline(l.stalls) // then Write fails
	} else if l.stalls.Sub(l.x.begin) < stall {
		l.stalls = l.x.begin.Add(2 * stall)
		_ = l.c.SetWriteDeadline(l.stalls) // then Write fails
	}
	_, err := l.c.Write(l.out)
	l.out = l.out[:0]
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) && !l.g.Now().Before(l.deadline()) {
			return errTimeout
		}
		return &clientGone{err: err}
	}
	l.x.sent += int64(l.sent)
	l.sent = 0
	return nil
}

// send sends a whole response of the platform's own.
func (l *link) send(p reply) {
	b := appendStatus(l.out[:0], p.status)
	b = p.header.Append(b)
	b = append(l.g.Now().UTC().AppendFormat(append(b, "Date: "...), http.TimeFormat), "\r\n"...)
	b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(p.body)), 10), "\r\n"...)
	l.close = l.close || l.s.Ending()
	if l.close {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "\r\n"...)
	if l.x.method != http.MethodHead {
		b = append(b, p.body...)
		l.sent = len(p.body)
	}
	l.out, l.x.began = b, true
	if l.flush(false) != nil {
		l.close = true // nobody is left to tell
	}
}
