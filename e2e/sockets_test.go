//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// socket is a connection on which nothing is tidied up.
type socket struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, s *platform.Server) *socket {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &socket{t, c, bufio.NewReader(c)}
}

// answer is the status of the next response on the connection, and whether it
// stays open; 0 when the server has closed it without one.
func (s *socket) answer() (code int, body string, open bool) {
	s.t.Helper()
	resp, err := http.ReadResponse(s.in, nil)
	if err != nil {
		return 0, "", false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err == nil && !resp.Close
}

// TestRawRequests (F17, S19): what no well-behaved client sends is refused or
// understood in one way only, and never becomes two requests.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Files(t, map[string]string{"app.yaml": "service: default" + bareYAML, "main.py": protocols}))
	get := "GET / HTTP/1.1\r\nHost: " + host + "\r\n"
	postTo := "POST / HTTP/1.1\r\nHost: " + host + "\r\n"
	many := func(n int, line string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, send string
		want       []int // any of these, 0: closed without an answer
	}{
		{"huge URL", "GET /" + strings.Repeat("a", 2<<20) + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{414, 431, 400, 0}},
		{"huge header", get + "X-Big: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", []int{431, 400, 0}},
		{"10,000 headers", get + many(10_000, "X-%d: v\r\n") + "\r\n", []int{431, 400, 200, 502, 0}},
		{"bare line feeds", "GET / HTTP/1.1\nHost: " + host + "\n\n", []int{400}},
		{"folded header", get + "X-Folded: a\r\n b\r\n\r\n", []int{400}},
		{"space before colon", get + "X-Odd : a\r\n\r\n", []int{400}},
		{"two lengths", postTo + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", []int{400}},
		{"length list", postTo + "Content-Length: 1, 1\r\n\r\na", []int{400}},
		{"length with sign", postTo + "Content-Length: +1\r\n\r\na", []int{400}},
		{"length and chunks", postTo + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
		{"odd coding", postTo + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", []int{400, 501}},
		{"two codings", postTo + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", []int{400, 501}},
		{"negative chunk", postTo + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", []int{400}},
		{"huge chunk size", postTo + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", []int{400}},
		{"chunk extensions without end", postTo + "Transfer-Encoding: chunked\r\n\r\n" + many(2000, "1;e=%0200d\r\nx\r\n") + "0\r\n\r\n", []int{400}},
		{"huge chunk extension", postTo + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("a", 1<<20) + "\r\nx\r\n0\r\n\r\n", []int{400}},
		{"chunk that ends wrongly", postTo + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", []int{400}},
		{"no host", "GET / HTTP/1.1\r\n\r\n", []int{400}},
		{"two hosts", get + "Host: other\r\n\r\n", []int{400}},
		{"NUL in a header", get + "X-Nul: a\x00b\r\n\r\n", []int{400}},
		{"old version", "GET / HTTP/0.9\r\n\r\n", []int{400, 505}},
		{"no version", "GET /\r\n\r\n", []int{400}},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: " + host + "\r\n\r\n", []int{200}},
		{"CONNECT", "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{405, 400}},
		{"h2c upgrade", get + "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n", []int{200}},
		{"unknown expectation", postTo + "Expect: miracles\r\nContent-Length: 1\r\n\r\na", []int{417, 200}},
		{"TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", []int{400, 0}},
		{"broken HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", []int{0, 400, 505}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := dial(t, s)
			go func() { _, _ = io.WriteString(k, c.send) }() // it may be closed before it has all
			code, body, open := k.answer()
			right := false
			for _, w := range c.want {
				right = right || code == w
			}
			if !right {
				t.Errorf("%d %q, want one of %v", code, platform.Tail(body, 200), c.want)
			}
			if code == 400 && open {
				t.Error("the connection stays open after what was not understood")
			}
		})
	}
	t.Run("huge trailer", func(t *testing.T) {
		k := dial(t, s)
		go func() {
			_, _ = io.WriteString(k, postTo+"Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n1\r\na\r\n0\r\nX-T: "+strings.Repeat("t", 2<<20)+"\r\n\r\n")
		}()
		if code, _, _ := k.answer(); code == 200 {
			t.Error("2 MiB of trailer were taken")
		}
	})
	t.Run("pipelined requests are answered in their order", func(t *testing.T) {
		k := dial(t, s)
		one := postTo + "Content-Length: 3\r\n\r\n"
		if _, err := io.WriteString(k, one+"one"+one+"two"+get+"\r\n"+one+"six"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"ONE", "TWO", "HTTP/1.1", "SIX"} {
			if code, body, _ := k.answer(); code != 200 || !strings.HasPrefix(body, want) {
				t.Fatalf("%d %q, want %q", code, body, want)
			}
		}
	})
	t.Run("100-continue before the body", func(t *testing.T) {
		k := dial(t, s)
		fmt.Fprint(k, postTo+"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
		if line, err := k.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("%q %v", line, err)
		}
		if _, err := k.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(k, "hello")
		if code, body, _ := k.answer(); code != 200 || body != "HELLO" {
			t.Errorf("%d %q", code, body)
		}
	})
	t.Run("clients that leave give their slots back", func(t *testing.T) {
		for i := range 30 {
			k := dial(t, s)
			switch i % 3 {
			case 0:
				fmt.Fprint(k, strings.Replace(get, "GET /", "GET /work", 1)+"\r\n")
			case 1:
				fmt.Fprint(k, postTo+"Content-Length: 100000\r\n\r\npart")
			case 2:
				fmt.Fprint(k, postTo+"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			}
			if i%2 == 0 {
				_ = k.Conn.(*net.TCPConn).SetLinger(0)
			}
			k.Close()
		}
		inFlight(s, 0)
	})
	if code, body, err := s.Try(host, "/"); err != nil || code != 200 {
		t.Errorf("afterwards: %d %s %v", code, body, err)
	}
	if out := s.Output(); strings.Contains(out, "panic") {
		t.Errorf("a panic in the server's log:\n%s", platform.Tail(out, 3000))
	}
	s.NoOrphans()
}

// TestSlowClients (F16): connections that send or take a byte now and then cost
// little, end, and keep nobody else waiting.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Files(t, map[string]string{"app.yaml": "service: default" + bareYAML, "main.py": big100}))
	s.Get(host, "/")
	other := s.Deploy(platform.Files(t, map[string]string{"app.yaml": "service: other" + bareYAML, "main.py": platform.BareMain("hi")}))
	s.Get(other, "/")
	before := s.Memory()
	const each = 150 // of each kind
	var open []*socket
	for range each {
		header, reader := dial(t, s), dial(t, s)
		fmt.Fprint(header, "GET / HTTP/1.1\r\nHost: "+host+"\r\nX-Slow: ")
		fmt.Fprint(reader, "GET /big HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		if err := reader.Conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		open = append(open, header)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				if code, body, err := s.Try(other, "/"); err != nil || code != 200 {
					t.Errorf("somebody else: %d %s %v", code, platform.Tail(body, 200), err)
				}
			}
		})
	}
	wg.Wait()
	after := s.Memory()
	t.Logf("%d slow headers and %d slow readers: %d KiB more, %d each", each, each, (after-before)>>10, (after-before)/each/2)
	if limit := int64(each * 2 * 160 << 10); after-before > limit {
		t.Errorf("%d MiB more, want at most %d", (after-before)>>20, limit>>20)
	}
	begin := time.Now()
	for _, k := range open {
		if _, err := k.Write([]byte("a")); err != nil {
			continue
		}
		k.answer() // 408, or closed
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("slow headers were waited for %v", took)
	}
	// Those that took their slots and read nothing are cut off.
	if code, body, err := s.Try(host, "/"); err != nil || code != 200 && code != 429 {
		t.Errorf("the same service: %d %s %v", code, platform.Tail(body, 200), err)
	}
}

const big100 = `import http.server, os


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"b" * (8 << 20) if self.path == "/big" else b"small"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


Server(("", int(os.environ["PORT"])), Handler).serve_forever()
`
