package gateway

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/upstream"
)

// patience sets until when the program is waited for: at first for a moment, in
// which nobody looks after the client.
func (l *link) patience(conn *upstream.Conn) error {
	until := l.deadline()
	var err error
	if asked := l.asked(); !l.patient && until.Sub(asked) > 2*watchAfter {
		err = conn.Soon(asked, watchAfter)
	} else {
		err = conn.SetDeadline(until)
	}
	if err != nil {
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
			conn.Interrupt() // who waits for it asks gone
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
