package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/serving"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decorator is what a product adds.
type decorator struct{}

func (decorator) Decorate(h http.Header, info gateway.RequestInfo) {
	h.Set("X-Appengine-User-Ip", info.ClientIP)
	h.Set("X-Appengine-Default-Version-Hostname", info.DefaultHost)
}

// world is a gateway on loopback with programs behind it.
type world struct {
	t       testing.TB
	server  *httptest.Server
	client  *http.Client
	engine  *instancetest.Engine
	catalog *serving.Catalog
	slots   *activator.Activator
	sink    *instancetest.Sink
}

// newWorld serves app as revision 1 under the host demo.localhost.
func newWorld(t testing.TB, app http.HandlerFunc, change ...func(*sunya.Revision)) *world {
	t.Helper()
	engine := &instancetest.Engine{}
	if app != nil {
		engine.Handler = func(*instancetest.Box) http.Handler { return app }
	}
	return newWorldOn(t, engine, change...)
}

func newWorldOn(t testing.TB, engine *instancetest.Engine, change ...func(*sunya.Revision)) *world {
	t.Helper()
	w := &world{t: t, engine: engine, sink: &instancetest.Sink{}}
	w.catalog = serving.NewCatalog(&instancetest.Store{}, instancetest.Quiet())
	m := instance.New(instance.Parts{Engine: engine, Directory: w.catalog, Now: time.Now, Log: instancetest.Quiet()}, instance.Options{})
	w.slots = activator.New(m, activator.Options{}, time.Now, instancetest.Quiet())
	w.catalog.Watch(func(rev *sunya.Revision, reach serving.Reach) {
		switch reach {
		case serving.ByTraffic:
			w.slots.Warm(rev)
		case serving.ByHost:
			w.slots.Cool(rev)
		default:
			w.slots.Drain(rev)
		}
	})
	rev := instancetest.Revision(1)
	for _, f := range change {
		f(&rev)
	}
	if err := instancetest.Deploy(t.Context(), w.catalog, rev); err != nil {
		t.Fatal(err)
	}
	g := gateway.New(gateway.Parts{
		Catalog:    w.catalog,
		Slots:      w.slots,
		Decorators: map[sunya.Product]gateway.Decorator{sunya.AppEngine: decorator{}},
		Sink:       w.sink,
		LogName:    instancetest.LogName,
		Now:        time.Now,
		Log:        instancetest.Quiet(),
	}, gateway.Options{Domains: []string{"localhost"}})
	w.serve(g)
	ctx, cancel := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Go(func() { w.slots.Run(ctx) })
	runs.Go(func() { m.Run(ctx) })
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		w.server.Close()
		if err := w.slots.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		cancel()
		runs.Wait()
	})
	return w
}

func (w *world) serve(h http.Handler) {
	w.server = httptest.NewUnstartedServer(h)
	w.server.Listener = gateway.Guard(w.server.Listener)
	w.server.Config.Protocols = new(http.Protocols)
	w.server.Config.Protocols.SetHTTP1(true)
	w.server.Config.Protocols.SetUnencryptedHTTP2(true)
	w.server.Start()
	w.client = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}
}

func (w *world) request(method, path string, body io.Reader) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Host = "demo.localhost"
	return r
}

func (w *world) do(r *http.Request) (*http.Response, string) {
	w.t.Helper()
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(b)
}

// raw sends bytes as they are and returns everything that comes back until the
// server closes or a deadline passes.
func (w *world) raw(text string) string {
	w.t.Helper()
	c, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		w.t.Fatal(err)
	}
	b, _ := io.ReadAll(c)
	return string(b)
}

// entries waits until n requests are logged: that happens after the response.
func (w *world) entries(n int) []logs.Entry {
	w.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		if e := w.sink.Entries(); len(e) >= n {
			return e
		}
		time.Sleep(time.Millisecond)
	}
	w.t.Fatalf("%d entries were logged, want %d", len(w.sink.Entries()), n)
	return nil
}

func echoHeaders(w http.ResponseWriter, r *http.Request) {
	r.Header.Set("Host", r.Host)
	r.Header.Write(w)
}

func TestRequestReachesTheProgramAndIsLogged(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		rw.Header().Set("X-Mine", "1")
		rw.WriteHeader(http.StatusCreated)
		fmt.Fprintf(rw, "%s %s %s", r.Method, r.RequestURI, b)
	})
	r := w.request("POST", "/a%2Fb;c?x=1;y=%zz&&", strings.NewReader("hello"))
	r.Header.Set("User-Agent", "tester")
	r.Header.Set("X-Cloud-Trace-Context", "0123456789abcdef0123456789abcdef/7;o=1")
	resp, body := w.do(r)
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("X-Mine") != "1" || body != "POST /a%2Fb;c?x=1;y=%zz&& hello" {
		t.Errorf("%d %v %q", resp.StatusCode, resp.Header, body)
	}
	e := w.entries(1)[0]
	want := &logs.HTTPRequest{
		Method: "POST", URL: "http://demo.localhost/a%2Fb;c?x=1;y=%zz&&", RequestSize: 5, Status: 201,
		ResponseSize: int64(len(body)), UserAgent: "tester", RemoteIP: "127.0.0.1", Protocol: "HTTP/1.1",
	}
	e.HTTP.Latency = 0
	if diff := cmp.Diff(want, e.HTTP); diff != "" {
		t.Error(diff)
	}
	if e.Labels["cold_start"] != "true" || e.Labels["instance_id"] == "" || e.Trace != "projects/demo/traces/0123456789abcdef0123456789abcdef" || e.SpanID != "0000000000000007" {
		t.Errorf("entry = %+v", e)
	}
}

func TestUnknownHost(t *testing.T) {
	w := newWorld(t, nil)
	for _, accept := range []string{"text/html", "*/*"} {
		r := w.request("GET", "/", nil)
		r.Host = "nobody.localhost:80"
		r.Header.Set("Accept", accept)
		resp, body := w.do(r)
		if resp.StatusCode != 404 || !strings.Contains(body, "nobody.localhost") || !strings.Contains(body, "sunya app deploy") {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
		if html := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"); html != (accept == "text/html") {
			t.Errorf("Content-Type = %q for Accept %q", resp.Header.Get("Content-Type"), accept)
		}
	}
}

func TestHostForms(t *testing.T) {
	w := newWorld(t, nil)
	for host, want := range map[string]int{
		"demo.localhost":       200,
		"DEMO.LocalHost:8080":  200,
		"demo.localhost.":      200,
		"demo.uc.r.localhost":  200,
		"demo.a.b.r.localhost": 404,
		"x.demo.localhost":     404,
		"localhost":            404,
		"demo.localhost.evil":  404,
		"demo":                 404,
		"[::1]:80":             404,
	} {
		r := w.request("GET", "/", nil)
		r.Host = host
		if resp, _ := w.do(r); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

// seen sends a raw head and returns the headers that the program saw.
func seen(w *world, head string) http.Header {
	w.t.Helper()
	got := w.raw("GET / HTTP/1.1\r\nHost: demo.localhost\r\n" + head + "Connection: close\r\n\r\n")
	_, body, ok := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200") || !ok {
		w.t.Fatalf("response = %q", got)
	}
	h, err := textproto.NewReader(bufio.NewReader(strings.NewReader(body + "\r\n"))).ReadMIMEHeader()
	if err != nil {
		w.t.Fatal(err)
	}
	return http.Header(h)
}

func TestClientsCannotForgeOrConfuseHeaders(t *testing.T) {
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

func TestTraceHeaders(t *testing.T) {
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

func TestSmuggling(t *testing.T) {
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

func TestStreamingBothWays(t *testing.T) {
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

func TestLargeBodiesBothWays(t *testing.T) {
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

func TestTrailersBothWays(t *testing.T) {
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

func TestInformationalResponses(t *testing.T) {
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

func TestWebSocket(t *testing.T) {
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

func TestTimeoutIs504(t *testing.T) {
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		func(r *sunya.Revision) { r.RequestTimeout = 50 * time.Millisecond })
	resp, _ := w.do(w.request("GET", "/", nil))
	if resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("status = %d, want 504", resp.StatusCode)
	}
}

func TestClientThatGoesAwayIs499AndReleasesItsSlot(t *testing.T) {
	arrived := make(chan struct{})
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}, func(r *sunya.Revision) { r.Concurrency, r.Scaling.Max = 1, 1 })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := w.client.Do(w.request("GET", "/", nil).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if e := w.entries(1)[0]; e.HTTP.Status != 499 {
		t.Errorf("status = %d, want 499", e.HTTP.Status)
	}
	for _, i := range w.slots.Instances() {
		if i.InFlight != 0 {
			t.Errorf("%d requests in flight, want 0", i.InFlight)
		}
	}
}

func TestRevisionThatNeverGetsReadyIs503(t *testing.T) {
	engine := &instancetest.Engine{Crash: func(*instancetest.Box) error { return errors.New("boom") }}
	w := newWorldOn(t, engine)
	for n := range 3 {
		resp, body := w.do(w.request("GET", "/", nil))
		if resp.StatusCode != 503 || !strings.Contains(body, "sunya logs") {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
		if n > 0 && resp.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After during back-off")
		}
	}
	if e := w.entries(1)[0]; !strings.Contains(e.Text, "exited with status 1") || e.Severity != logs.Error {
		t.Errorf("entry = %+v, want the reason", e)
	}
}

func TestDyingInstances(t *testing.T) {
	tests := []struct {
		rule, method, body string
		want               int
		starts             int
	}{
		{"a safe request is repeated", "GET", "", 200, 2},
		{"an idempotent one too", "DELETE", "", 200, 2},
		{"a POST is not", "POST", "", 502, 1},
		{"nor what has a body", "PUT", "x", 502, 1},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			engine := &instancetest.Engine{}
			engine.Handler = func(b *instancetest.Box) http.Handler {
				first := len(engine.Boxes()) == 0
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if first {
						b.End(sandbox.Exit{Code: 137, Signal: 9})
					}
				})
			}
			w := newWorldOn(t, engine)
			resp, _ := w.do(w.request(tt.method, "/", strings.NewReader(tt.body)))
			if resp.StatusCode != tt.want || len(engine.Boxes()) != tt.starts {
				t.Errorf("%d after %d starts, want %d after %d", resp.StatusCode, len(engine.Boxes()), tt.want, tt.starts)
			}
		})
	}
}

func TestResponseThatBreaksOffIsSeenAsBroken(t *testing.T) {
	engine := &instancetest.Engine{Handler: func(b *instancetest.Box) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, "half")
			http.NewResponseController(rw).Flush()
			b.End(sandbox.Exit{Code: 1})
		})
	}}
	w := newWorldOn(t, engine)
	resp, err := w.client.Do(w.request("GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the client got %q as if it were whole", b)
	}
	if e := w.entries(1)[0]; !strings.Contains(e.Text, "broke off") {
		t.Errorf("entry = %+v", e)
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

func TestSlowReaderDoesNotHoldItsSlot(t *testing.T) {
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

func TestShortBodyReachesNobody(t *testing.T) {
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
