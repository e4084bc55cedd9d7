package linuxns

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/core/upstream"
)

// Ask implements upstream.Pool's; nil for a connection that is no socket. It
// looks, writes and waits as one operation of Go's poller: what net.Conn would
// do is to read in vain once more between the writing and the waiting.
func Ask(c net.Conn) upstream.Ask {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	q := &question{}
	step := q.step // made once: a request costs no memory
	return func(request, answer []byte) (sent, got int, err error) {
		*q = question{request: request, answer: answer}
		err = raw.Read(step)
		switch {
		case q.stale:
			err = upstream.ErrStale
		case q.err != nil:
			err = &net.OpError{Op: "ask", Net: "tcp", Addr: c.RemoteAddr(), Err: q.err}
		case errors.Is(err, os.ErrDeadlineExceeded) && q.looked:
			err = nil // who waits on is told then
		}
		sent, got = q.sent, q.got
		*q = question{} // it keeps nothing
		return sent, got, err
	}
}

// question is one request on its way.
type question struct {
	request, answer []byte
	looked, stale   bool
	sent, got       int
	err             error
	one             [1]byte // of what has come unasked
}

// step does what can be done without waiting, and reports whether that was all.
func (q *question) step(fd uintptr) (done bool) {
	if q.looked {
		return q.read(int(fd))
	}
	q.looked = true
	if _, err := unix.Read(int(fd), q.one[:]); !errors.Is(err, unix.EAGAIN) { // Go's sockets do not block
		q.stale = true
		return true
	}
	return !q.write(int(fd)) || len(q.answer) == 0
}

// write reports whether all of the request is sent.
func (q *question) write(fd int) bool {
	for {
		n, err := unix.Write(fd, q.request)
		q.sent = max(n, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil && !errors.Is(err, unix.EAGAIN):
			q.err = os.NewSyscallError("write", err)
		}
		return q.sent == len(q.request)
	}
}

// read reports whether something has come.
func (q *question) read(fd int) bool {
	for {
		n, err := unix.Read(fd, q.answer)
		q.got = max(n, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return false
		case err != nil:
			q.err = os.NewSyscallError("read", err)
		}
		return true
	}
}
