package usernet

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// chunk holds any datagram, and enough of a stream for one system call.
const chunk = 64 << 10

// chunks lends out copy buffers; a connection holds one only while bytes move.
var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// splice copies both ways until both have ended. The end of one direction is
// passed on as a half-close, a reset as a reset of everything.
func (n *Net) splice(g *guest, host *net.TCPConn) {
	drop := func() {
		g.ep.Abort()
		abort(host)
	}
	defer context.AfterFunc(n.ctx, drop)()
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := g.each(func(b []byte) error {
			_, err := host.Write(b)
			return err
		})
		if err != nil || host.CloseWrite() != nil {
			drop()
		}
	}()
	if hostToGuest(g, host) != nil || g.closeWrite() != nil {
		drop()
	}
	<-done
	g.ep.Close()
}

// abort resets a host connection instead of closing it in order.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// hostToGuest copies until the host's peer has ended its side.
func hostToGuest(g io.Writer, host syscall.Conn) error {
	raw, err := host.SyscallConn()
	if err != nil {
		return err
	}
	for {
		buf, n, err := readReady(raw)
		if n > 0 {
			_, err = g.Write(buf[:n])
		}
		if buf != nil {
			chunks.Put(buf)
		}
		if err != nil || n == 0 {
			return err
		}
	}
}

// readReady waits until raw is readable and only then takes a buffer, which the
// caller gives back to chunks unless it is nil. No bytes and no error mean the
// end of the stream, or an empty datagram.
func readReady(raw syscall.RawConn) (buf *[chunk]byte, n int, err error) {
	waitErr := raw.Read(func(fd uintptr) bool {
		buf = chunks.Get().(*[chunk]byte)
		n, err = unix.Read(int(fd), buf[:])
		for err == unix.EINTR {
			n, err = unix.Read(int(fd), buf[:])
		}
		if err == unix.EAGAIN {
			chunks.Put(buf)
			buf, err = nil, nil
			return false
		}
		return true
	})
	if waitErr != nil {
		err = waitErr
	}
	return buf, max(n, 0), err
}
