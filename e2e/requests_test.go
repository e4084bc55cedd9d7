//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const protocols = `import base64, hashlib, http.server, os, threading, time

lock = threading.Lock()
inside = 0
most = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global inside, most
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.websocket()
        if self.path == "/stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(3):
                self.chunk(b"tick %d\n" % i)
                time.sleep(0.3)
            return self.chunk(b"")
        if self.path == "/most":
            return self.answer(str(most).encode())
        if self.path == "/work":
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.2)
            with lock:
                inside -= 1
        self.answer(("%s %d" % (self.request_version, os.getpid())).encode())

    def do_POST(self):
        got = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                size = int(self.rfile.readline(), 16)
                data = self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return self.chunk(b"")
                self.chunk(data.upper())
        got = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(got.upper())

    def websocket(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                self.close_connection = True
                return
            size = head[1] & 127
            mask = self.rfile.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(size)))
            self.wfile.write(bytes([0x81, len(data)]) + data.upper())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`

// TestProtocols: what a request can be, through the real gateway, to a program
// that listens on 127.0.0.1 only.
func TestProtocols(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	host := s.Deploy(platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\nautomatic_scaling:\n  max_instances: 2\n  max_concurrent_requests: 4\n",
		"main.py":  protocols,
	}))
	addr := strings.TrimPrefix(s.URL(), "http://")

	t.Run("streams down as it is written", func(t *testing.T) {
		req, _ := http.NewRequest(http.MethodGet, s.URL()+"/stream", nil)
		req.Host = host
		resp, err := platform.Client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		begin := time.Now()
		lines := bufio.NewScanner(resp.Body)
		lines.Scan()
		first := time.Since(begin)
		n := 1
		for lines.Scan() {
			n++
		}
		if n != 3 {
			t.Errorf("%d lines, want 3", n)
		}
		if all := time.Since(begin); first > all/2 {
			t.Errorf("the first line came after %v of %v: it was held back", first, all)
		}
	})

	t.Run("streams up and down at once", func(t *testing.T) {
		r, w := io.Pipe()
		req, _ := http.NewRequest(http.MethodPost, s.URL()+"/", r)
		req.Host = host
		go func() { fmt.Fprint(w, "one") }()
		resp, err := platform.Client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for i, word := range []string{"ONE", "TWO", "THREE"} {
			got := make([]byte, len(word))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != word {
				t.Fatalf("answer %d: %q %v, want %q", i, got, err, word)
			}
			if i == 2 {
				w.Close()
				break
			}
			fmt.Fprint(w, []string{"two", "three"}[i])
		}
	})

	t.Run("websocket", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c, _, err := websocket.Dial(ctx, "ws://"+addr+"/", &websocket.DialOptions{Host: host})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		for _, word := range []string{"hello", "again"} {
			if err := c.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
				t.Fatal(err)
			}
			_, got, err := c.Read(ctx)
			if err != nil || string(got) != strings.ToUpper(word) {
				t.Fatalf("%q, %v", got, err)
			}
		}
		// It outlives the second after which an idle instance is frozen.
		<-time.After(2 * time.Second)
		if err := c.Write(ctx, websocket.MessageText, []byte("later")); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != "LATER" {
			t.Fatalf("%q, %v", got, err)
		}
	})

	t.Run("h2c with prior knowledge", func(t *testing.T) {
		tr := &http.Transport{
			Protocols: new(http.Protocols),
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			},
		}
		tr.Protocols.SetUnencryptedHTTP2(true)
		defer tr.CloseIdleConnections()
		c := &http.Client{Timeout: 20 * time.Second, Transport: tr}
		resp, err := c.Get("http://" + host + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s", resp.Proto, resp.Status)
		}
	})

	t.Run("no more at once than an instance takes, nor instances than allowed", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				if code, body, err := s.Try(host, "/work"); err != nil || code != http.StatusOK {
					t.Errorf("%d %s %v", code, platform.Tail(body, 200), err)
				}
			})
		}
		wg.Wait()
		if n := len(s.Instances()); n > 2 {
			t.Errorf("%d instances, at most 2 are allowed", n)
		}
		if got := s.Get(host, "/most"); got > "4" || len(got) > 1 {
			t.Errorf("%s requests were in one instance at once, at most 4 are allowed", got)
		}
	})
}

func TestMinInstancesStay(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--idle-timeout", "1s")
	dir := platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\nautomatic_scaling:\n  min_instances: 2\n",
		"main.py":  platform.BareMain("hi"),
	})
	host := s.Deploy(dir, "--version", "v1")
	two := func() error {
		if is := s.Instances(); len(is) != 2 {
			return fmt.Errorf("%v", is)
		}
		return nil
	}
	s.Eventually(20*time.Second, "two instances", two)
	s.Get(host, "/")
	<-time.After(3 * time.Second)
	if err := two(); err != nil {
		t.Errorf("after the idle time: %v", err)
	}
	// A version that lost its traffic keeps none.
	s.Deploy(platform.Bare(t, "next"), "--version", "v2")
	s.Eventually(30*time.Second, "scaled to zero", func() error { return nothingRuns(s) })
}
