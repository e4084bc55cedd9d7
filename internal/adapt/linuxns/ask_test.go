package linuxns

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/upstream"
)

// line is a connection and its other end.
func line(t *testing.T) (here, there *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// arrived waits until something can be read of c, which it leaves there.
func arrived(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var one [1]byte
	if err := raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		return !errors.Is(err, syscall.EAGAIN)
	}); err != nil {
		t.Fatal(err)
	}
}

// reply reads a request and says something.
func reply(c net.Conn, size int, text string) {
	if _, err := io.ReadFull(c, make([]byte, size)); err == nil {
		io.WriteString(c, text)
	}
}

func TestAsk(t *testing.T) {
	here, there := line(t)
	ask := Ask(here)
	buf := make([]byte, 100)
	here.SetDeadline(time.Now().Add(10 * time.Second))
	for _, text := range []string{"yes", "no"} {
		go reply(there, 4, text)
		sent, got, err := ask([]byte("why?"), buf)
		if sent != 4 || string(buf[:got]) != text || err != nil {
			t.Errorf("%d %q %v", sent, buf[:got], err)
		}
	}
	if sent, got, err := ask([]byte("a body follows"), nil); sent != 14 || got != 0 || err != nil {
		t.Errorf("without waiting: %d %d %v", sent, got, err)
	}
	if Ask(struct{ net.Conn }{}) != nil {
		t.Error("this one is no socket")
	}
}

func TestAskCostsNoMemory(t *testing.T) {
	here, there := line(t)
	go io.Copy(there, there)
	ask, request, buf := Ask(here), []byte("x"), make([]byte, 1)
	here.SetDeadline(time.Now().Add(10 * time.Second))
	if n := testing.AllocsPerRun(10, func() { ask(request, buf) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestAskStale: nothing is asked over a connection on which something has come.
func TestAskStale(t *testing.T) {
	for rule, says := range map[string]func(net.Conn){
		"bytes":  func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\n") },
		"an end": func(c net.Conn) { c.(*net.TCPConn).CloseWrite() },
	} {
		t.Run(rule, func(t *testing.T) {
			here, there := line(t)
			says(there)
			arrived(t, here)
			sent, got, err := Ask(here)([]byte("why?"), make([]byte, 100))
			if sent != 0 || got != 0 || !errors.Is(err, upstream.ErrStale) {
				t.Errorf("%d %d %v", sent, got, err)
			}
			here.CloseWrite()
			if b, _ := io.ReadAll(there); len(b) > 0 {
				t.Errorf("%q was sent", b)
			}
		})
	}
}

// TestAskSlow: whoever does not answer in time is still asked, and one that does
// not read has read a part.
func TestAskSlow(t *testing.T) {
	here, _ := line(t)
	ask, buf := Ask(here), make([]byte, 100)
	here.SetDeadline(time.Now().Add(10 * time.Millisecond))
	if sent, got, err := ask([]byte("why?"), buf); sent != 4 || got != 0 || err != nil {
		t.Errorf("%d %d %v", sent, got, err)
	}
	here.SetDeadline(time.Now().Add(10 * time.Second))
	large := bytes.Repeat([]byte("x"), 64<<20)
	if sent, got, err := ask(large, buf); sent == 0 || sent == len(large) || got != 0 || err != nil {
		t.Errorf("%d %d %v", sent, got, err)
	}
	here.SetDeadline(time.Unix(1, 0))
	if sent, _, err := ask([]byte("why?"), buf); sent != 0 || err == nil {
		t.Errorf("after the deadline: %d %v", sent, err)
	}
}

// TestAskBroken: the error of a connection that breaks is told, an end is left to
// the next read.
func TestAskBroken(t *testing.T) {
	for rule, want := range map[string]error{"reset": syscall.ECONNRESET, "end": nil} {
		t.Run(rule, func(t *testing.T) {
			here, there := line(t)
			here.SetDeadline(time.Now().Add(10 * time.Second))
			go func() {
				io.ReadFull(there, make([]byte, 4))
				if want != nil {
					there.SetLinger(0) // then it ends with a reset
				}
				there.Close()
			}()
			sent, got, err := Ask(here)([]byte("why?"), make([]byte, 100))
			if sent != 4 || got != 0 || !errors.Is(err, want) {
				t.Errorf("%d %d %v", sent, got, err)
			}
		})
	}
}
