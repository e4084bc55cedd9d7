package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// dial opens a connection to the gateway.
func (w *world) dial() net.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	w.t.Cleanup(func() { c.Close() })
	return c
}

// echo answers with what it was asked.
func echo(rw http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	fmt.Fprintf(rw, "%s %s %s", r.Method, r.RequestURI, b)
}

const get = "GET /%d HTTP/1.1\r\nHost: demo.localhost\r\n\r\n"

// answers reads n responses and returns their bodies.
func answers(t *testing.T, c net.Conn, n int) (out []string) {
	t.Helper()
	r := bufio.NewReader(c)
	for range n {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("after %q: %v", out, err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

// TestRequestsCutAnywhere: wherever the network cuts them, requests are served
// one after the other, by whichever path.
func TestRequestsCutAnywhere(t *testing.T) {
	w := newWorld(t, echo)
	const host = "Host: demo.localhost\r\n"
	text := "GET /1 HTTP/1.1\r\n" + host + "\r\n" +
		"POST /2 HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello" +
		"HEAD /3?a=%zz HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n"
	want := w.raw(text)
	if strings.Count(want, "200 OK") != 3 || !strings.Contains(want, "POST /2 hello") {
		t.Fatalf("%q", want)
	}
	for cut := 1; cut < len(text); cut++ {
		c := w.dial()
		c.(*net.TCPConn).SetNoDelay(true)
		io.WriteString(c, text[:cut])
		if cut%5 == 0 {
			time.Sleep(time.Millisecond) // else both parts may come at once
		}
		io.WriteString(c, text[cut:])
		b, err := io.ReadAll(c)
		if got := string(b); err != nil || strings.Count(got, "200 OK") != 3 || !strings.Contains(got, "POST /2 hello") {
			t.Fatalf("cut at %d: %q %v", cut, got, err)
		}
		c.Close()
	}
}

// TestLeftoversKeepTheirBytes: a request that is left to net/http takes what
// follows it along.
func TestLeftoversKeepTheirBytes(t *testing.T) {
	w := newWorld(t, echo)
	c := w.dial()
	io.WriteString(c, fmt.Sprintf(get, 1)+
		"POST /2 HTTP/1.1\r\nHost: demo.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"+
		fmt.Sprintf(get, 3)+
		"POST /4 HTTP/1.1\r\nHost: demo.localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
	got := answers(t, c, 3)
	io.WriteString(c, "x"+fmt.Sprintf(get, 5))
	if strings.Join(got, "|") != "GET /1 |POST /2 abc|GET /3 " {
		t.Errorf("%q", got)
	}
	rest := answers(t, c, 2)
	if !strings.HasPrefix(rest[1], "POST /4 x") && rest[0] != "POST /4 x" {
		t.Errorf("%q", rest)
	}
}

// TestPipelinedWhileTheProgramWorks: what a client sends meanwhile is its next
// request, not the end of its interest.
func TestPipelinedWhileTheProgramWorks(t *testing.T) {
	release := make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/1" {
			<-release
		}
		echo(rw, r)
	}, func(r *sunya.Revision) { r.Concurrency = 1 })
	c := w.dial()
	fmt.Fprintf(c, get, 1)
	time.Sleep(50 * time.Millisecond) // it is watched by now; if not, the test shows less
	fmt.Fprintf(c, get, 2)
	close(release)
	if got := answers(t, c, 2); got[0] != "GET /1 " || got[1] != "GET /2 " {
		t.Errorf("%q", got)
	}
}

// TestIdleProgramsCloseTheirConnections: one that was closed while nobody used it
// is replaced, for requests that can be repeated and for others.
func TestIdleProgramsCloseTheirConnections(t *testing.T) {
	engine := &instancetest.Engine{Raw: func(c net.Conn) {
		defer c.Close()
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") // and hangs up without a word
	}}
	w := newWorldOn(t, engine)
	for range 5 {
		if resp, body := w.do(w.request("GET", "/", nil)); resp.StatusCode != 200 || body != "ok" {
			t.Fatalf("%d %q", resp.StatusCode, body)
		}
	}
}

// TestEarlyAnswer: a program that answers before it has read the body, and hangs
// up, is heard.
func TestEarlyAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.ReadFull(c, make([]byte, 16))
			io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
			c.(*net.TCPConn).CloseWrite() // a reset would take the answer back
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	w := newWorldOn(t, &instancetest.Engine{Dial: func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	}})
	c := w.dial()
	body := strings.Repeat("x", 60<<10)
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); resp.StatusCode != 413 || string(b) != "no" {
		t.Errorf("%d %q %v, want 413", resp.StatusCode, b, err)
	}
}

// TestClientLeavesWhileItWaitsForASlot: it is 499, and the slot goes to the next.
func TestClientLeavesWhileItWaitsForASlot(t *testing.T) {
	entered, release := make(chan struct{}, 4), make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-release
	}, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max = 1, 1 })
	first, second := w.dial(), w.dial()
	fmt.Fprintf(first, get, 1)
	<-entered
	fmt.Fprintf(second, get, 2)
	time.Sleep(20 * time.Millisecond)
	second.Close()
	if e := w.entries(1)[0]; e.HTTP.Status != 499 || !strings.HasSuffix(e.HTTP.URL, "/2") {
		t.Errorf("entry = %+v", e.HTTP)
	}
	close(release)
	answers(t, first, 1)
	third := w.dial()
	fmt.Fprintf(third, get, 3)
	answers(t, third, 1)
}

// TestSlotIsFreeWhileTheClientReads: a program has done its part once its response
// is here, however slowly it is taken.
func TestSlotIsFreeWhileTheClientReads(t *testing.T) {
	w := newWorld(t, echo, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max = 1, 1 })
	silent := w.dial()
	go func() {
		for range 20_000 { // more than fits into the socket; nobody reads the answers
			if _, err := fmt.Fprintf(silent, get, 1); err != nil {
				break
			}
		}
	}()
	for n := range 5 {
		c := w.dial()
		fmt.Fprintf(c, get, n)
		answers(t, c, 1)
	}
	silent.Close()
}

// TestIdleConnectionsServeAgain: a connection that rests for longer than
// buffers are held for it is served as before.
func TestIdleConnectionsServeAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for five seconds")
	}
	t.Parallel()
	w := newWorld(t, echo)
	c := w.dial()
	fmt.Fprintf(c, get, 1)
	answers(t, c, 1)
	time.Sleep(4500 * time.Millisecond) // past hotTime
	fmt.Fprintf(c, get, 2)
	if got := answers(t, c, 1); got[0] != "GET /2 " {
		t.Errorf("%q", got)
	}
}

// TestDrain: what is under way is finished and says that it was the last; what
// rests is closed.
func TestDrain(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/2" {
			close(entered)
			<-release
		}
		echo(rw, r)
	})
	resting, busy := w.dial(), w.dial()
	fmt.Fprintf(resting, get, 1)
	answers(t, resting, 1)
	fmt.Fprintf(busy, get, 2)
	<-entered
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		done <- w.in.Shutdown(ctx)
	}()
	if _, err := resting.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the resting connection: %v, want its end", err)
	}
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "GET /2 " || !resp.Close {
		t.Errorf("%q %v, close %v", b, err, resp.Close)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestResponseForms: however a program frames its response, the client gets it
// whole and the connection goes on.
func TestResponseForms(t *testing.T) {
	for rule, c := range map[string]struct{ text, body string }{
		"length":         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"},
		"chunks":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"},
		"until the end":  {"HTTP/1.1 200 OK\r\n\r\nhello", "hello"},
		"HTTP/1.0":       {"HTTP/1.0 200 OK\r\n\r\nhello", "hello"},
		"line feeds":     {"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "hello"},
		"folded":         {"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello", "hello"},
		"twice framed":   {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello"},
		"more than said": {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", "hello"},
		"nothing":        {"HTTP/1.1 204 No Content\r\n\r\n", ""},
		"large":          {"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200_000), strings.Repeat("x", 200_000)},
	} {
		t.Run(rule, func(t *testing.T) {
			engine := &instancetest.Engine{Raw: func(conn net.Conn) {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					io.WriteString(conn, c.text)
				}
			}}
			w := newWorldOn(t, engine)
			client := w.dial()
			for n := range 3 {
				fmt.Fprintf(client, get, n)
				if got := answers(t, client, 1); got[0] != c.body {
					t.Fatalf("%d bytes %.40q, want %d", len(got[0]), got[0], len(c.body))
				}
			}
		})
	}
}

// TestKeptConnectionOfADeadInstance: the next request on it is answered by another.
func TestKeptConnectionOfADeadInstance(t *testing.T) {
	w := newWorld(t, echo)
	c := w.dial()
	fmt.Fprintf(c, get, 1)
	answers(t, c, 1)
	w.engine.Boxes()[0].End(sandbox.Exit{Code: 1})
	fmt.Fprintf(c, get, 2)
	if got := answers(t, c, 1); got[0] != "GET /2 " {
		t.Errorf("%q", got)
	}
}
