package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/http1"
	"github.com/sunya-cloud/sunya/internal/core/upstream"
)

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
		l.out = http1.AppendLastChunk(l.out, trailerOf(l.sees))
	}
	l.unwatch() // who would interrupt the connection's next user
	l.up.Store(nil)
	conn.Free(l.lately())
	l.lease.Release()
	return l.flush(!small)
}

// lately is a moment ago at most.
func (l *link) lately() time.Time {
	if l.patient {
		return l.g.Now()
	}
	return l.asked()
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
	} else if now := l.lately(); l.stalls.Sub(now) < stall {
		l.stalls = now.Add(2 * stall)
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
