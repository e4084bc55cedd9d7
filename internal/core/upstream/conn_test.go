package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sunya-cloud/sunya/internal/core/http1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answering is a connection to a program that sends pieces, one write each, and
// hangs up.
func answering(t testing.TB, pieces ...string) *Conn {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer there.Close()
		for _, p := range pieces {
			if _, err := io.WriteString(there, p); err != nil {
				return
			}
		}
	}()
	p := &Pool{Open: func(context.Context) (net.Conn, error) { return here, nil }, MaxIdle: 1}
	c, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		here.Close()
		<-done
	})
	return c
}

// readHead reads as a user does.
func readHead(c *Conn, method string) error {
	err := c.ReadHead(method)
	if errors.Is(err, http1.ErrUncommon) {
		return c.ReadUncommon(method)
	}
	return err
}

func readBody(c *Conn) (string, error) {
	var b strings.Builder
	for {
		data, err := c.Buffered()
		b.Write(data)
		if err == nil && len(data) == 0 {
			err = c.Wait()
		}
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
	}
}

// bytewise cuts a text into its bytes.
func bytewise(s string) []string { return strings.Split(s, "") }

var bodies = []struct {
	rule, method, text string
	status             int
	body               string
	reusable           bool
}{
	{"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true},
	{"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nX-Sum: 5\r\n\r\n", 200, "hello", true},
	{"until the end", "GET", "HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", false},
	{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
	{"asked to close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, "", false},
	{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "", true},
	{"no content", "GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
	{"not modified", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", true},
	{"line feeds alone", "GET", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 200, "hello", false},
	{"folded", "GET", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
	{"folded chunks", "GET", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "hello", false},
	{"length and chunks", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "hello", false},
	{"more than asked for", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n", 200, "hello", false},
}

func TestBodies(t *testing.T) {
	for _, tt := range bodies {
		for cut, pieces := range map[string][]string{"whole": {tt.text}, "bytewise": bytewise(tt.text)} {
			t.Run(tt.rule+"/"+cut, func(t *testing.T) {
				c := answering(t, pieces...)
				if err := readHead(c, tt.method); err != nil {
					t.Fatal(err)
				}
				body, err := readBody(c)
				if err != nil || body != tt.body || c.Response.Status != tt.status {
					t.Errorf("%d %q %v, want %d %q", c.Response.Status, body, err, tt.status, tt.body)
				}
				if got := c.reusable(); got != tt.reusable && cut == "whole" {
					t.Errorf("reusable = %v", got)
				}
				if tt.rule == "chunks" {
					var h http1.Header
					if c.Trailer(&h); h.Get("X-Sum") != "5" {
						t.Errorf("trailer = %v", h)
					}
				}
				c.Free(time.Now())
			})
		}
	}
}

func TestBrokenResponses(t *testing.T) {
	for rule, text := range map[string]string{
		"nothing":               "",
		"half a head":           "HTTP/1.1 200 OK\r\nContent-Le",
		"half a body":           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
		"chunks without end":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"a chunk that is none":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"chunks and length":     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
		"lengths that differ":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"a length that is none": "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
		"HTTP/2":                "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"a head without end":    "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 300),
		"a line without end":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 300<<10),
		"an uncommon one":       "HTTP/1.1 200 OK\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\n", 300),
	} {
		t.Run(rule, func(t *testing.T) {
			c := answering(t, text)
			err := readHead(c, "GET")
			if err == nil {
				_, err = readBody(c)
			}
			if err == nil || c.reusable() {
				t.Errorf("error %v, reusable %v", err, c.reusable())
			}
			c.Close()
		})
	}
}

func TestInformationalResponses(t *testing.T) {
	c := answering(t, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	for _, want := range []int{103, 200} {
		if err := c.ReadHead("GET"); err != nil || c.Response.Status != want {
			t.Fatalf("%d %v, want %d", c.Response.Status, err, want)
		}
	}
	c.Close()
}

func TestADeadlineLosesNothing(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	p := &Pool{Open: func(context.Context) (net.Conn, error) { return here, nil }}
	c, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, part := range []string{"HTTP/1.1 200 OK\r\nContent-", "Length: 2\r", "\n\r\nhi"} {
		c.SetReadDeadline(time.Unix(1, 0))
		if err := c.ReadHead("GET"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%v, want a missed deadline", err)
		}
		c.SetReadDeadline(time.Time{})
		go io.WriteString(there, part)
		if err := c.fill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.ReadHead("GET"); err != nil {
		t.Fatal(err)
	}
	if body, err := readBody(c); body != "hi" || err != nil {
		t.Errorf("%q %v", body, err)
	}
}

func TestPool(t *testing.T) {
	var peers []net.Conn
	p := &Pool{MaxIdle: 2, Keep: time.Minute, Open: func(context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		peers = append(peers, there)
		return here, nil
	}}
	now := time.Now()
	if p.Idle(now, 0) != nil {
		t.Error("a connection out of nothing")
	}
	var conns []*Conn
	for range 3 {
		c, err := p.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.frame = noFrame // its response is over
		conns = append(conns, c)
	}
	for i, c := range conns {
		c.Free(now.Add(time.Duration(i) * time.Second))
	}
	if _, err := peers[2].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the third was not closed: %v", err)
	}
	if p.Idle(now.Add(10*time.Second), 5*time.Second) != nil {
		t.Error("an old one for a request that cannot be repeated")
	}
	c := p.Idle(now.Add(10*time.Second), 0)
	if c != conns[1] || c.Fresh() {
		t.Error("not the one that was used last")
	}
	c.Free(now.Add(10 * time.Second)) // in the middle of a response
	if _, err := peers[1].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a connection in the middle of a response was kept: %v", err)
	}
	if p.Idle(now.Add(2*time.Minute), 0) != nil {
		t.Error("a connection that was too old")
	}
	if _, err := peers[0].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("it was not closed: %v", err)
	}
	p.Close()
}

// FuzzConn: a response that is read here is to net/http the same.
func FuzzConn(f *testing.F) {
	for _, tt := range bodies {
		f.Add(tt.text, tt.method == "HEAD")
	}
	f.Fuzz(func(t *testing.T, text string, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		c := answering(t, text)
		defer c.Close()
		if readHead(c, method) != nil || c.Response.Status < 200 {
			return
		}
		body, err := readBody(c)
		if err != nil {
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: net/http says %v", text, err)
		}
		defer resp.Body.Close()
		want, err := io.ReadAll(resp.Body)
		if err != nil || string(want) != body || resp.StatusCode != c.Response.Status {
			t.Errorf("%q: %d %q; net/http sees %d %q %v", text, c.Response.Status, body, resp.StatusCode, want, err)
		}
	})
}
