package front

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func directServer(t *testing.T) (*Server, net.Listener) {
	t.Helper()
	c := (&door{}).config()
	c.Direct = shortcut{}
	c.Apps = http.NotFoundHandler()
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return f.NewServer([]Listener{{Listener: l, Roles: AllRoles}}), l
}

// TestConnectionsGoToTheNextServer: those that wait for a request, the first or the
// next, are served by another server as if nothing had been.
func TestConnectionsGoToTheNextServer(t *testing.T) {
	first, l := directServer(t)
	second, next := directServer(t)
	run(t, second)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- first.Run(ctx) }()

	var conns []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		conns = append(conns, c)
	}
	ask := func(c net.Conn) {
		t.Helper()
		if _, err := io.WriteString(c, "GET /direct HTTP/1.1\r\nHost: app.sunya.test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "direct" {
			t.Errorf("%s %q, %v", resp.Status, b, err)
		}
	}
	for _, c := range conns[1:] {
		ask(c)
	}
	ask(conns[1]) // conns[0] has been accepted before these, and asks for nothing yet
	passed := make(chan struct{}, len(conns))
	first.Leave(time.Minute, func(listener string, c net.Conn) {
		if listener != l.Addr().String() {
			t.Errorf("passed from %s", listener)
		}
		f, err := c.(*net.TCPConn).File()
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		again, err := net.FileConn(f)
		if err != nil {
			t.Error(err)
			return
		}
		second.Admit(t.Context(), next.Addr().String(), again)
		passed <- struct{}{}
	})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if len(passed) != len(conns) {
		t.Errorf("%d of %d connections were passed on", len(passed), len(conns))
	}
	for _, c := range conns {
		ask(c)
	}
}
