// Package testbench stands between a client and Storage and breaks what it is told
// to break, as Google's storage-testbench does: a test registers what goes wrong in
// which methods (POST /retry_test), and its requests name it (x-retry-test-id). What
// does not break reaches the real server, and so does what came before the break.
package testbench

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Bench is Storage with faults.
type Bench struct {
	URL     string
	forward *httputil.ReverseProxy

	mu    sync.Mutex
	tests map[string]*retryTest
}

// retryTest is what is to break, by method: the first instruction is the next.
type retryTest struct {
	ID           string              `json:"id"`
	Instructions map[string][]string `json:"instructions"`
	Transport    string              `json:"transport"`
	Completed    bool                `json:"completed"`
}

// Start begins to stand before the server at target. before sees every request
// first; nil does nothing.
func Start(t testing.TB, target string, before func(*http.Request)) *Bench {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	b := &Bench{tests: map[string]*retryTest{}, forward: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // sessions of uploads are made under the bench's name
			if before != nil {
				before(r.Out)
			}
		},
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /retry_test", b.create)
	mux.HandleFunc("GET /retry_test/{id}", b.get)
	mux.HandleFunc("DELETE /retry_test/{id}", b.remove)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/retry_test") {
			mux.ServeHTTP(w, r)
			return
		}
		b.serve(w, r)
	}))
	t.Cleanup(server.Close)
	b.URL = server.URL
	return b
}

func (b *Bench) create(w http.ResponseWriter, r *http.Request) {
	var t retryTest
	if err := json.NewDecoder(r.Body).Decode(&t); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !strings.EqualFold(t.Transport, "http") && t.Transport != "" {
		http.Error(w, "only HTTP", http.StatusNotImplemented)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t.ID = strconv.Itoa(len(b.tests) + 1)
	b.tests[t.ID] = &t
	answer(w, &t)
}

func (b *Bench) get(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.tests[r.PathValue("id")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	answer(w, t)
}

// remove ends a test, whose number nobody else gets.
func (b *Bench) remove(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tests[r.PathValue("id")] = &retryTest{}
	w.WriteHeader(http.StatusOK)
}

func answer(w http.ResponseWriter, t *retryTest) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(t)
}

// next is the instruction of a request, empty without any.
func (b *Bench) next(id, method string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.tests[id]; t != nil && len(t.Instructions[method]) > 0 {
		return t.Instructions[method][0]
	}
	return ""
}

// done takes the instruction that next returned away.
func (b *Bench) done(id, method string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tests[id]
	if t == nil || len(t.Instructions[method]) == 0 {
		return
	}
	t.Instructions[method] = t.Instructions[method][1:]
	t.Completed = true
	for _, left := range t.Instructions {
		t.Completed = t.Completed && len(left) == 0
	}
}

var (
	codeRE       = regexp.MustCompile(`^return-(\d+)$`)
	codeAfterRE  = regexp.MustCompile(`^return-(\d+)-after-(\d+)K$`)
	brokenRE     = regexp.MustCompile(`^return-broken-stream(?:-after-(\d+)K)?$`)
	finalChunkRE = regexp.MustCompile(`^return-broken-stream-final-chunk-after-(\d+)B$`)
	stallRE      = regexp.MustCompile(`^stall-for-(\d+)s-after-(\d+)K$`)
)

// serve breaks a request as it is told, or hands it on.
func (b *Bench) serve(w http.ResponseWriter, r *http.Request) {
	id, method := r.Header.Get("X-Retry-Test-Id"), Method(r)
	instruction := b.next(id, method)
	done := func() { b.done(id, method) }
	insert := method == "storage.objects.insert"
	var n []int64
	is := func(re *regexp.Regexp) bool {
		n = nil
		found := re.FindStringSubmatch(instruction)
		for _, s := range found[min(1, len(found)):] {
			v, _ := strconv.ParseInt(s, 10, 64)
			n = append(n, v)
		}
		return found != nil
	}
	switch {
	case instruction == "return-reset-connection":
		done()
		reset(w)
	case instruction == "lose-answer": // not one of Google's
		done()
		b.forward.ServeHTTP(httptest.NewRecorder(), r)
		reset(w)
	case is(codeRE):
		done()
		fail(w, int(n[0]))
	case is(brokenRE) && !insert:
		limit := int64(4)
		if n[0] > 0 {
			limit = n[0] << 10
		}
		b.forward.ServeHTTP(&stream{ResponseWriter: w, left: limit, then: func() { done(); panic(http.ErrAbortHandler) }}, r)
	case is(stallRE) && !insert:
		b.forward.ServeHTTP(&stream{ResponseWriter: w, left: n[1] << 10, then: func() { done(); stall(r, n[0]) }}, r)
	case is(stallRE):
		if first, end, ok := chunk(r); ok && first <= n[1]<<10 && end > n[1]<<10 {
			done()
			stall(r, n[0])
		}
		b.forward.ServeHTTP(w, r)
	case is(codeAfterRE) && insert:
		b.breakUpload(w, r, int(n[0]), n[1]<<10, done)
	case is(finalChunkRE) && insert && r.URL.Query().Has("upload_id"):
		b.cutAnswer(w, r, int(n[0]), done)
	default:
		b.forward.ServeHTTP(w, r)
	}
}

// fail answers an error. The body is read, so that the client reads the answer.
func fail(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"error": {"code": %d, "message": "Retry Test: Caused a %d"}}`, code, code)
}

// reset ends the connection with RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// stall waits, or for the client to go away.
func stall(r *http.Request, seconds int64) {
	select {
	case <-r.Context().Done():
	case <-time.After(time.Duration(seconds) * time.Second):
	}
}

// chunk is which bytes of an object a request brings.
func chunk(r *http.Request) (first, end int64, ok bool) {
	var last int64
	content := r.Header.Get("Content-Range")
	if content == "" {
		return 0, r.ContentLength, r.ContentLength > 0
	}
	if _, err := fmt.Sscanf(content, "bytes %d-%d/", &first, &last); err != nil {
		return 0, 0, false
	}
	return first, last + 1, true
}

// breakUpload lets the bytes of an object before after through and then breaks the
// connection to the server; the client has an error.
func (b *Bench) breakUpload(w http.ResponseWriter, r *http.Request, code int, after int64, done func()) {
	first, end, ok := chunk(r)
	if !ok || end < after {
		b.forward.ServeHTTP(w, r)
		return
	}
	done()
	resumable := r.URL.Query().Has("upload_id")
	if through := min(after, end) - first; through > 0 && resumable {
		r.Body = &cut{ReadCloser: r.Body, left: through, all: through == end-first}
		func() {
			defer func() { _ = recover() }()
			b.forward.ServeHTTP(httptest.NewRecorder(), r)
		}()
	}
	fail(w, code)
}
