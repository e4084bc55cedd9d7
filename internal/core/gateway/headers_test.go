package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
)

func TestClientsCannotForgeOrConfuseHeaders(t *testing.T) {
	onBothPaths(t, testClientsCannotForgeOrConfuseHeaders)
}

func testClientsCannotForgeOrConfuseHeaders(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		r.Header.Set("Host", r.Host)
		var b strings.Builder
		r.Header.Write(&b)
		rw.Header().Set("Content-Length", fmt.Sprint(b.Len()))
		io.WriteString(rw, b.String())
	})
	gone := []string{
		"X-Appengine-User-Email", "X-AppEngine-QueueName", "x-appengine-cron", "X_Appengine_User_Id", "X-Appengine_Country",
		"X-Google-Internal", "X_Google-Thing", "X-Goog-Authenticated-User", "X-CloudTasks-TaskName", "X-CloudScheduler", "X-CloudScheduler-JobName",
		"X-Forwarded-Host", "X_Forwarded_For", "HTTP2-Settings", "Keep-Alive", "Proxy", "Proxy-Authorization", "Te", "Content_Length", "Transfer_Encoding", "Host_",
	}
	var head strings.Builder
	for _, name := range gone[:len(gone)-1] {
		head.WriteString(name + ": forged\r\n")
	}
	head.WriteString("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n")
	head.WriteString("Upgrade: h2c\r\nX-Private: 1\r\nX-Fine: 1\r\nX_Odd: 1\r\nX-Twice: a\r\nX_Twice: b\r\n")
	head.WriteString("Connection: X-Private, Upgrade, HTTP2-Settings\r\n")
	h := seen(w, head.String())
	for _, name := range append(gone, "Upgrade", "X-Private", "X_Twice") {
		for got, v := range h {
			if strings.EqualFold(got, name) {
				t.Errorf("the program saw %s: %q", got, v)
			}
		}
	}
	want := map[string]string{
		"X-Fine": "1", "X_odd": "1", "X-Twice": "a", "Host": "demo.localhost",
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "Forwarded": `for=127.0.0.1;host="demo.localhost";proto=http`,
		"X-Appengine-User-Ip": "127.0.0.1", "X-Appengine-Default-Version-Hostname": "demo.localhost",
	}
	for name, v := range want {
		if got := h[name]; len(got) != 1 || got[0] != v {
			t.Errorf("%s = %q, want %q", name, got, v)
		}
	}
	if _, ok := h["User-Agent"]; ok {
		t.Errorf("the gateway invented a User-Agent: %q", h["User-Agent"])
	}
}

func TestTraceHeaders(t *testing.T) { onBothPaths(t, testTraceHeaders) }

func testTraceHeaders(t *testing.T) {
	w := newWorld(t, echoHeaders)
	const id = "0123456789abcdef0123456789abcdef"
	tests := []struct{ rule, head, cloud, parent string }{
		{"passed on", "X-Cloud-Trace-Context: " + id + "/255;o=1\r\n", id + "/255;o=1", "00-" + id + "-00000000000000ff-01"},
		{"W3C becomes Google's", "Traceparent: 00-" + id + "-00000000000000ff-00\r\n", id + "/255;o=0", "00-" + id + "-00000000000000ff-00"},
	}
	for _, tt := range tests {
		h := seen(w, tt.head)
		if h.Get("X-Cloud-Trace-Context") != tt.cloud || h.Get("Traceparent") != tt.parent {
			t.Errorf("%s: %q and %q", tt.rule, h.Get("X-Cloud-Trace-Context"), h.Get("Traceparent"))
		}
	}
	for _, bad := range []string{"", "X-Cloud-Trace-Context: x\r\n", "Traceparent: 00-" + strings.Repeat("0", 32) + "-00000000000000ff-00\r\n"} {
		h := seen(w, bad)
		if len(h.Get("Traceparent")) != 55 || strings.Contains(h.Get("Traceparent"), strings.Repeat("0", 32)) {
			t.Errorf("after %q: traceparent = %q, want a new one", bad, h.Get("Traceparent"))
		}
	}
}

func TestSmuggling(t *testing.T) { onBothPaths(t, testSmuggling) }

func testSmuggling(t *testing.T) {
	var mu sync.Mutex
	var reached []string
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		reached = append(reached, r.URL.Path+" "+string(b))
		mu.Unlock()
	})
	const host = "Host: demo.localhost\r\n"
	for name, text := range map[string]string{
		"length and chunked":      "POST /a HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\n" + host + "\r\n",
		"chunked and length":      "POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"in the second request":   "GET /ok HTTP/1.1\r\n" + host + "\r\nPOST /a HTTP/1.1\r\n" + host + "Content-Length: 0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
		"after a body":            "POST /ok HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabcPOST /a HTTP/1.1\r\n" + host + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"after chunks":            "POST /ok HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nPOST /a HTTP/1.1\r\n" + host + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":             "POST /a HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"bare line feed":          "GET /a HTTP/1.1\n" + "Host: demo.localhost\n\n",
		"bare line feed inside":   "GET /a HTTP/1.1\r\n" + host + "X: y\nZ: z\r\n\r\n",
		"folded header":           "GET /a HTTP/1.1\r\n" + host + "X: y\r\n z\r\n\r\n",
		"folded chunked":          "POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
		"space before colon":      "POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"unknown coding":          "POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"broken chunk":            "POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
		"no host":                 "GET /a HTTP/1.1\r\n\r\n",
		"two hosts":               "GET /a HTTP/1.1\r\n" + host + "Host: other.localhost\r\n\r\n",
		"bare CR in a header":     "GET /a HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n",
		"chunked in HTTP/1.0":     "POST /a HTTP/1.0\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"length with a plus":      "POST /a HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\nabc",
		"negative chunk":          "POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n",
		"chunk longer than it is": "POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			mu.Lock()
			reached = nil
			mu.Unlock()
			got := w.raw(text)
			last := got[strings.LastIndex(got, "HTTP/1.1 ")+9:]
			if !strings.HasPrefix(last, "400") && !strings.HasPrefix(last, "501") {
				t.Errorf("response = %q, want 400 at the end", got)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range reached {
				if !strings.HasPrefix(r, "/ok") {
					t.Errorf("the program saw %q", r)
				}
			}
		})
	}
}

func TestWellFormedRequestsPassTheGuard(t *testing.T) {
	onBothPaths(t, testWellFormedRequestsPassTheGuard)
}

func testWellFormedRequestsPassTheGuard(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(rw, "%s%s", r.URL.Path, b)
	})
	const host = "Host: demo.localhost\r\n"
	got := w.raw("GET /1 HTTP/1.1\r\n" + host + "\r\n" +
		"POST /2 HTTP/1.1\r\n" + host + "Content-Length: 13\r\n\r\n\n\nGET / HTTP\r" +
		"POST /3 HTTP/1.1\r\n" + host + "transfer-encoding: Chunked\r\n\r\n5;x=\"y\"\r\na\r\n\nb\r\n0\r\nT: v\r\n\r\n" +
		"GET /4 HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n")
	for _, want := range []string{"/1", "/2\n\nGET / HTTP\r", "/3a\r\n\nb", "/4"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if strings.Count(got, "HTTP/1.1 200") != 4 {
		t.Errorf("response = %q, want four times 200", got)
	}
}

func TestTrustedProxy(t *testing.T) {
	w := newWorld(t, echoHeaders)
	g := gateway.New(gateway.Parts{Catalog: w.catalog, Slots: w.slots, Now: time.Now, Log: instancetest.Quiet()},
		gateway.Options{Domains: []string{"localhost"}, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}})
	r := httptest.NewRequest("GET", "http://demo.localhost/", nil)
	r.RemoteAddr = "127.0.0.1:5"
	r.Header.Set("X-Forwarded-For", "6.6.6.6, 9.9.9.9, 10.1.1.1")
	r.Header.Set("X-Forwarded-Proto", "https")
	rec := httptest.NewRecorder()
	g.ServeHTTP(rec, r)
	for _, want := range []string{"X-Forwarded-For: 9.9.9.9, 10.1.1.1, 127.0.0.1", "X-Forwarded-Proto: https", "Forwarded: for=9.9.9.9;"} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("no %q in %s", want, rec.Body)
		}
	}
}

func TestShortBodyReachesNobody(t *testing.T) { onBothPaths(t, testShortBodyReachesNobody) }

func testShortBodyReachesNobody(t *testing.T) {
	reached := false
	w := newWorld(t, func(http.ResponseWriter, *http.Request) { reached = true })
	c, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 10\r\n\r\nabc")
	c.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, c)
	c.Close()
	if e := w.entries(1)[0]; e.HTTP.Status != 400 && e.HTTP.Status != 499 || reached {
		t.Errorf("status %d, reached %v", e.HTTP.Status, reached)
	}
}
