package instance

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// TestWaitForEnd: what the other side of a connection can do once this side has
// hung up.
func TestWaitForEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		name  string
		serve func(*net.TCPConn)
		want  error
	}{
		{"ends too", func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c); c.Close() }, nil},
		{"says something", func(c *net.TCPConn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, nil},
		{"breaks it off", func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() }, syscall.ECONNRESET},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			other, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			go c.serve(other.(*net.TCPConn))
			if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if err := waitForEnd(conn); !errors.Is(err, c.want) {
				t.Errorf("waitForEnd = %v, want %v", err, c.want)
			}
		})
	}
}
