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
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/http1"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/instance/instancetest"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/requestlog"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
	"github.com/sunya-cloud/sunya/internal/core/served"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decorator is what a product adds.
type decorator struct{}

func (decorator) Decorate(h http1.Header, info gateway.RequestInfo) http1.Header {
	h.Add("X-Appengine-User-Ip", info.ClientIP)
	h.Add("X-Appengine-Default-Version-Hostname", info.DefaultHost)
	return h
}

// world is a gateway on loopback with programs behind it.
type world struct {
	t       testing.TB
	server  *httptest.Server
	in      *front.Intake
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

// newWorldWith is newWorld with a gateway of other parts and options.
func newWorldWith(t testing.TB, app http.HandlerFunc, parts func(*gateway.Parts, *gateway.Options), change ...func(*sunya.Revision)) *world {
	t.Helper()
	engine := &instancetest.Engine{Handler: func(*instancetest.Box) http.Handler { return app }}
	return buildWorld(t, engine, parts, change...)
}

func newWorldOn(t testing.TB, engine *instancetest.Engine, change ...func(*sunya.Revision)) *world {
	t.Helper()
	return buildWorld(t, engine, func(*gateway.Parts, *gateway.Options) {}, change...)
}

func buildWorld(t testing.TB, engine *instancetest.Engine, adjust func(*gateway.Parts, *gateway.Options), change ...func(*sunya.Revision)) *world {
	t.Helper()
	w := &world{t: t, engine: engine, sink: &instancetest.Sink{}}
	w.catalog = serving.NewCatalog(&instancetest.Store{})
	m := instance.New(instance.Parts{Engine: engine, Directory: w.catalog, Ask: linuxns.Ask, Now: time.Now, Log: instancetest.Quiet()})
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
	parts := gateway.Parts{
		Catalog:    w.catalog,
		Slots:      w.slots,
		Decorators: map[sunya.Product]gateway.Decorator{sunya.AppEngine: decorator{}},
		Observer:   requestLog{w.sink},
		Now:        time.Now,
		Log:        instancetest.Quiet(),
	}
	opts := gateway.Options{Domains: []string{"localhost"}, ClientStall: time.Second}
	adjust(&parts, &opts)
	w.serve(gateway.New(parts, opts))
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
	w.intake(h)
	w.server.Config.Protocols = new(http.Protocols)
	w.server.Config.Protocols.SetHTTP1(true)
	w.server.Config.Protocols.SetUnencryptedHTTP2(true)
	w.server.Start()
	w.client = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}
}

// standardOnly leaves every request to net/http.
var standardOnly bool

// onBothPaths runs a test with common requests served by the gateway itself, and
// with all left to net/http.
func onBothPaths(t *testing.T, test func(*testing.T)) {
	for _, standardOnly = range []bool{false, true} {
		t.Run(map[bool]string{false: "direct", true: "standard"}[standardOnly], test)
	}
	standardOnly = false
}

// intake puts the gateway's own path in front of the server's.
func (w *world) intake(h http.Handler) {
	direct, ok := h.(front.Direct)
	if !ok || standardOnly {
		direct = noDirect{}
	}
	in := front.NewIntake(w.server.Listener, direct, gateway.GuardConn, func(netip.Addr) func(string) bool {
		return func(string) bool { return true }
	})
	w.server.Listener, w.in = in, in
	done := make(chan error, 1)
	go func() { done <- in.Run() }()
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := in.Shutdown(ctx); err != nil {
			w.t.Error(err)
		}
		in.Close()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

type noDirect struct{}

func (noDirect) ServeConn(net.Conn, *front.Session) ([]byte, bool) { return nil, true }

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
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	e := w.sink.Await(ctx, n)
	if len(e) < n {
		w.t.Fatalf("%d entries were logged, want %d", len(e), n)
	}
	return e
}

func echoHeaders(w http.ResponseWriter, r *http.Request) {
	r.Header.Set("Host", r.Host)
	r.Header.Write(w)
}

func TestRequestReachesTheProgramAndIsLogged(t *testing.T) {
	onBothPaths(t, testRequestReachesTheProgramAndIsLogged)
}

func testRequestReachesTheProgramAndIsLogged(t *testing.T) {
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
		if resp.StatusCode != 404 || !strings.Contains(body, "nobody.localhost") || !strings.Contains(body, "sunya deploy") {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
		if html := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"); html != (accept == "text/html") {
			t.Errorf("Content-Type = %q for Accept %q", resp.Header.Get("Content-Type"), accept)
		}
	}
}

func TestHostForms(t *testing.T) { onBothPaths(t, testHostForms) }

func testHostForms(t *testing.T) {
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

func TestTimeoutIs504(t *testing.T) { onBothPaths(t, testTimeoutIs504) }

func testTimeoutIs504(t *testing.T) {
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		func(r *sunya.Revision) { r.RequestTimeout = 50 * time.Millisecond })
	resp, _ := w.do(w.request("GET", "/", nil))
	if resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("status = %d, want 504", resp.StatusCode)
	}
}

// TestProgramThatHangsIsReplaced (F4): after a request that got no answer in
// its time the next one meets another instance.
func TestProgramThatHangsIsReplaced(t *testing.T) { onBothPaths(t, testProgramThatHangsIsReplaced) }

func testProgramThatHangsIsReplaced(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
		}
	}, func(r *sunya.Revision) { r.RequestTimeout = 500 * time.Millisecond })
	w.do(w.request("GET", "/hang", nil))
	if resp, _ := w.do(w.request("GET", "/", nil)); resp.StatusCode != http.StatusOK {
		t.Errorf("status = %d, want 200", resp.StatusCode)
	}
	if n := len(w.engine.Boxes()); n != 2 {
		t.Errorf("%d instances were started, want 2", n)
	}
}

// TestSlowBodyIsAnsweredWithoutItsRest (F16): 408 at once when the time is
// over, and not only when the rest has come.
func TestSlowBodyIsAnsweredWithoutItsRest(t *testing.T) {
	onBothPaths(t, testSlowBodyIsAnsweredWithoutItsRest)
}

func testSlowBodyIsAnsweredWithoutItsRest(t *testing.T) {
	w := newWorld(t, echoHeaders, func(r *sunya.Revision) { r.RequestTimeout = 50 * time.Millisecond })
	got := w.raw("POST / HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 100\r\n\r\npart")
	if !strings.HasPrefix(got, "HTTP/1.1 408") || !strings.Contains(got, "Connection: close") {
		t.Errorf("%q, want 408", got)
	}
}

// TestClientThatDoesNotReadLosesItsSlot (F16): it is cut off long before the
// request's timeout.
func TestClientThatDoesNotReadLosesItsSlot(t *testing.T) {
	onBothPaths(t, testClientThatDoesNotReadLosesItsSlot)
}

func testClientThatDoesNotReadLosesItsSlot(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 1<<20); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	c, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n")
	e := w.entries(1)[0] // the request has ended
	if !strings.Contains(e.Text, "too slowly") {
		t.Errorf("the log says %q", e.Text)
	}
}

func TestClientThatGoesAwayIs499AndReleasesItsSlot(t *testing.T) {
	onBothPaths(t, testClientThatGoesAwayIs499AndReleasesItsSlot)
}

func testClientThatGoesAwayIs499AndReleasesItsSlot(t *testing.T) {
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
	onBothPaths(t, testRevisionThatNeverGetsReadyIs503)
}

func testRevisionThatNeverGetsReadyIs503(t *testing.T) {
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

func TestDyingInstances(t *testing.T) { onBothPaths(t, testDyingInstances) }

func testDyingInstances(t *testing.T) {
	tests := []struct {
		rule, method, body string
		product            sunya.Product
		want               int
		starts             int
	}{
		{"a safe request is repeated", "GET", "", sunya.AppEngine, 200, 2},
		{"an idempotent one too", "DELETE", "", sunya.AppEngine, 200, 2},
		{"a POST is not", "POST", "", sunya.AppEngine, 502, 1},
		{"nor what has a body", "PUT", "x", sunya.AppEngine, 502, 1},
		{"which Cloud Run calls unavailable", "POST", "", sunya.CloudRun, 503, 1},
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
			w := newWorldOn(t, engine, func(r *sunya.Revision) { r.Product = tt.product })
			resp, _ := w.do(w.request(tt.method, "/", strings.NewReader(tt.body)))
			if resp.Header.Get("Retry-After") != "" {
				t.Error("the client is told to come again, although it may have been done")
			}
			if resp.StatusCode != tt.want || len(engine.Boxes()) != tt.starts {
				t.Errorf("%d after %d starts, want %d after %d", resp.StatusCode, len(engine.Boxes()), tt.want, tt.starts)
			}
		})
	}
}

func TestResponseThatBreaksOffIsSeenAsBroken(t *testing.T) {
	onBothPaths(t, testResponseThatBreaksOffIsSeenAsBroken)
}

func testResponseThatBreaksOffIsSeenAsBroken(t *testing.T) {
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

func TestLogIsText(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) {})
	r := w.request("GET", "/", nil)
	r.URL.RawQuery = "a=\xff"
	r.Header.Set("User-Agent", "u\xff")
	r.Header.Set("Referer", "r\xff")
	w.do(r)
	h := w.entries(1)[0].HTTP
	for _, s := range []string{h.URL, h.UserAgent, h.Referer} {
		if !utf8.ValidString(s) || !strings.Contains(s, "\uFFFD") {
			t.Errorf("logged %q", s)
		}
	}
}

// requestLog writes the entry of each request at once.
type requestLog struct{ sink logs.Sink }

func (l requestLog) Observe(r *served.Request) {
	log := requestlog.New(instancetest.LogName, func() {})
	log.Observe(r)
	packs, _ := log.Take()
	for i := range packs {
		entries, err := log.Unpack(&packs[i])
		if err != nil {
			panic(err)
		}
		l.sink.Write(entries...)
	}
}
