package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sunya-cloud/sunya"
)

func TestStreamingBothWays(t *testing.T) { onBothPaths(t, testStreamingBothWays) }

func testStreamingBothWays(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(rw)
		rc.EnableFullDuplex()
		rw.WriteHeader(200)
		rc.Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(rw, "echo %s\n", lines.Text())
			rc.Flush()
		}
	})
	var h1, h2 http.Protocols
	h1.SetHTTP1(true)
	h2.SetUnencryptedHTTP2(true)
	for _, p := range []*http.Protocols{&h1, &h2} {
		t.Run(p.String(), func(t *testing.T) { streamBothWays(t, w, p) })
	}
}

func streamBothWays(t *testing.T, w *world, p *http.Protocols) {
	pr, pw := io.Pipe()
	tr := &http.Transport{Protocols: p}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(w.request("POST", "/", pr))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	back := bufio.NewReader(resp.Body)
	for n := range 5 {
		fmt.Fprintf(pw, "%d\n", n)
		got, err := back.ReadString('\n') // before the next is sent
		if err != nil || got != fmt.Sprintf("echo %d\n", n) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(back); err != nil || len(rest) != 0 {
		t.Errorf("rest = %q, %v", rest, err)
	}
}

func TestServerSentEventsAreNotHeldBack(t *testing.T) {
	onBothPaths(t, testServerSentEventsAreNotHeldBack)
}

func testServerSentEventsAreNotHeldBack(t *testing.T) {
	next := make(chan struct{})
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		rw.WriteHeader(200)
		http.NewResponseController(rw).Flush()
		for n := range 3 {
			<-next
			fmt.Fprintf(rw, "data: %d\n\n", n)
			http.NewResponseController(rw).Flush()
		}
	})
	resp, err := w.client.Do(w.request("GET", "/", nil)) // the header comes before any data
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := bufio.NewReader(resp.Body)
	for n := range 3 {
		next <- struct{}{}
		if line, err := b.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", n) {
			t.Fatalf("line = %q, %v", line, err)
		}
		b.ReadString('\n')
	}
}

func TestLargeBodiesBothWays(t *testing.T) { onBothPaths(t, testLargeBodiesBothWays) }

func testLargeBodiesBothWays(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		http.NewResponseController(rw).EnableFullDuplex()
		io.Copy(rw, r.Body)
	})
	for _, size := range []int{1, 64 << 10, 64<<10 + 1, 3 << 20} {
		for _, chunked := range []bool{false, true} {
			var body io.Reader = strings.NewReader(strings.Repeat("x", size))
			if chunked {
				body = io.MultiReader(body) // of unknown length
			}
			resp, got := w.do(w.request("POST", "/", body))
			if resp.StatusCode != 200 || len(got) != size {
				t.Errorf("%d bytes (chunked %v): %d, %d bytes back", size, chunked, resp.StatusCode, len(got))
			}
		}
	}
}

func TestTrailersBothWays(t *testing.T) { onBothPaths(t, testTrailersBothWays) }

func testTrailersBothWays(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Trailer", "X-Sum")
		io.Copy(rw, r.Body)
		rw.Header().Set("X-Sum", fmt.Sprint("sum of ", len(r.Trailer), " ", r.Trailer.Get("X-In")))
		rw.Header().Set(http.TrailerPrefix+"X-Late", "late")
	})
	r := w.request("POST", "/", io.MultiReader(strings.NewReader("abc")))
	r.Trailer = http.Header{"X-In": {"in"}, "X-Appengine-User-Id": {"forged"}}
	resp, body := w.do(r)
	if body != "abc" || resp.Trailer.Get("X-Sum") != "sum of 1 in" || resp.Trailer.Get("X-Late") != "late" {
		t.Errorf("%q, trailer = %v", body, resp.Trailer)
	}
}

func TestInformationalResponses(t *testing.T) { onBothPaths(t, testInformationalResponses) }

func testInformationalResponses(t *testing.T) {
	hints := 3
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		for range hints {
			rw.Header().Set("Link", "</style.css>")
			rw.WriteHeader(http.StatusEarlyHints)
		}
		rw.Header().Del("Link")
		io.WriteString(rw, "done")
	})
	head := "GET / HTTP/1.1\r\nHost: demo.localhost\r\nConnection: close\r\n\r\n"
	got := w.raw(head)
	if strings.Count(got, "HTTP/1.1 103") != 3 || !strings.HasSuffix(got, "done") || strings.Contains(got[strings.Index(got, "200"):], "Link") {
		t.Errorf("response = %q", got)
	}
	hints = 11
	if got = w.raw(head); !strings.Contains(got, "HTTP/1.1 502") {
		t.Errorf("response to 11 = %q, want 502", got)
	}
}

func TestWebSocket(t *testing.T) { onBothPaths(t, testWebSocket) }

func testWebSocket(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, append([]byte("echo "), b...)); err != nil {
				return
			}
		}
	})
	c, _, err := websocket.Dial(t.Context(), w.server.URL, &websocket.DialOptions{Host: "demo.localhost", HTTPClient: w.client})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := c.Write(t.Context(), websocket.MessageText, []byte("hi")); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.Read(t.Context()); err != nil || string(b) != "echo hi" {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	c.Close(websocket.StatusNormalClosure, "")
	if e := w.entries(1)[0]; e.HTTP.Status != 101 || e.HTTP.ResponseSize == 0 || e.HTTP.RequestSize == 0 {
		t.Errorf("entry = %+v", e.HTTP)
	}
}

func TestOnlyWebSocketMaySwitchProtocols(t *testing.T) {
	onBothPaths(t, testOnlyWebSocketMaySwitchProtocols)
}

func testOnlyWebSocketMaySwitchProtocols(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		c.Close()
	})
	got := w.raw("GET / HTTP/1.1\r\nHost: demo.localhost\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 502") {
		t.Errorf("response = %q, want 502", got)
	}
}

func TestH2C(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, r.Proto+" "+r.Host) })
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &p}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(w.request("GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.ProtoMajor != 2 || string(b) != "HTTP/1.1 demo.localhost" {
		t.Errorf("%s %q", resp.Proto, b)
	}
}

func TestSlowReaderDoesNotHoldItsSlot(t *testing.T) { onBothPaths(t, testSlowReaderDoesNotHoldItsSlot) }

func testSlowReaderDoesNotHoldItsSlot(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := rw.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}, func(r *sunya.Revision) { r.RequestTimeout = 200 * time.Millisecond })
	c, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n") // and reads nothing
	if e := w.entries(1)[0]; !strings.Contains(e.Text, "timeout") {
		t.Errorf("entry = %+v", e)
	}
}
