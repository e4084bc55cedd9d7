package upstream

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// TestUncommonFieldNames: a name with a space, which others may take for one
// without, goes no further.
func TestUncommonFieldNames(t *testing.T) {
	c := answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding : chunked\r\nContent-Length : 0\r\nX-A: b\r\n\r\nok")
	if err := readHead(c, "GET"); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Response.Header {
		if strings.Contains(f.Name, " ") {
			t.Errorf("%q is passed on", f.Name)
		}
	}
	if b, err := readBody(c); b != "ok" || err != nil || c.Response.Header.Get("X-A") != "b" {
		t.Errorf("%q %v %v", b, err, c.Response.Header)
	}
}

// TestUncommonInformational: the final response is found behind an informational one.
func TestUncommonInformational(t *testing.T) {
	c := answering(t, "HTTP/1.1 103 Early Hints\nLink: a\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok")
	if err := readHead(c, "GET"); err != nil || c.Response.Status != 200 {
		t.Fatal(c.Response.Status, err)
	}
	if b, err := readBody(c); b != "ok" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

// TestImpossibleStatus: there is none below 100.
func TestImpossibleStatus(t *testing.T) {
	c := answering(t, "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n")
	if err := readHead(c, "GET"); err == nil {
		t.Error(c.Response.Status)
	}
}

// TestUnasked: what a program says after its response is not the answer to the next
// request.
func TestUnasked(t *testing.T) {
	quiet := true
	p := &Pool{MaxIdle: 1, Quiet: func(net.Conn) func() bool { return func() bool { return quiet } },
		Open: func(context.Context) (net.Conn, error) {
			here, there := net.Pipe()
			t.Cleanup(func() { there.Close() })
			return here, nil
		}}
	defer p.Close()
	c, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, quiet = range []bool{true, false} {
		c.frame = noFrame // its response is over
		c.Free(time.Now())
		if again := p.Idle(time.Now(), 0); (again == c) != quiet {
			t.Errorf("quiet: %v, used again: %v", quiet, again == c)
		}
	}
}
