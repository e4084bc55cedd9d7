package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

// requestsOfAllKinds are what the two paths must not differ in.
var requestsOfAllKinds = []string{
	"GET / HTTP/1.1\r\nHost: demo.localhost\r\n",
	"GET /a%2Fb/%41?x=%zz&y HTTP/1.1\r\nHost: DEMO.localhost.:80\r\nUser-Agent: me\r\nAccept: */*\r\n",
	"GET //a/../b;c=d?q?r HTTP/1.1\r\nHost: demo.localhost\r\nCookie: a=b\r\nCookie: c=d\r\nConnection: X-Gone, keep-alive\r\nX-Gone: 1\r\nKeep-Alive: 5\r\n",
	"POST /x HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 5\r\nContent-Type: text/plain\r\nTE: trailers, gzip\r\n",
	"POST /x HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 0\r\n",
	"PUT /x HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 5\r\nAuthorization: Bearer x.y.z\r\nX-Serverless-Authorization: no\r\n",
	"DELETE /(x)'!* HTTP/1.1\r\nHost: demo.localhost\r\nX-Appengine-Cron: forged\r\nX_Appengine_Cron: forged\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n",
	"HEAD /h HTTP/1.1\r\nHost: demo.localhost\r\nX-Twice: a\r\nX_Twice: b\r\nX-Empty:\r\nX-Many: 1\r\nX-Many: 2\r\n",
	"OPTIONS /o HTTP/1.1\r\nHost: demo.localhost\r\nOrigin: http://x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings\r\n",
	"PATCH /p HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 5\r\nProxy: http://evil\r\nProxy-Authorization: x\r\n",
	"GET /none HTTP/1.1\r\nHost: nobody.localhost\r\nAccept: text/html\r\n",
	"GET /status/204 HTTP/1.1\r\nHost: demo.localhost\r\n",
	"GET /status/304 HTTP/1.1\r\nHost: demo.localhost\r\n",
	"GET /status/404 HTTP/1.1\r\nHost: demo.localhost\r\n",
	"GET /chunks HTTP/1.1\r\nHost: demo.localhost\r\n",
	"GET /hop HTTP/1.1\r\nHost: demo.localhost\r\n",
	"get /lower HTTP/1.1\r\nHost: demo.localhost\r\n",
}

// dump answers with all of the request, and with headers of all kinds.
func dump(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h := rw.Header()
	h.Set("Set-Cookie", "a=b")
	h.Add("Set-Cookie", "c=d")
	h.Set("X-Google-Status", "crash")
	status := 200
	switch {
	case r.URL.Path == "/hop":
		h.Set("Connection", "X-Own")
		h.Set("X-Own", "1")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("Proxy-Authenticate", "x")
	case r.URL.Path == "/chunks":
		http.NewResponseController(rw).Flush()
	}
	fmt.Sscanf(r.URL.Path, "/status/%d", &status)
	rw.WriteHeader(status)
	r.Header.Del("Content-Length") // net/http writes one where there is no body
	var lines []string
	for name, values := range r.Header {
		lines = append(lines, fmt.Sprintf("%s: %q", name, values))
	}
	slices.Sort(lines)
	fmt.Fprintf(rw, "%s %s %s %q\n%s\n", r.Method, r.RequestURI, r.Host, body, strings.Join(lines, "\n"))
}

// TestBothPathsDoTheSame: programs and clients see the same, by whichever path a
// request goes.
func TestBothPathsDoTheSame(t *testing.T) {
	for _, product := range []sunya.Product{sunya.AppEngine, sunya.CloudRun, sunya.CloudFunctions} {
		var seen [2][]string
		for i, standard := range []bool{false, true} {
			standardOnly = standard
			w := newWorld(t, dump, func(r *sunya.Revision) { r.Product, r.Affinity = product, true })
			standardOnly = false
			for _, head := range requestsOfAllKinds {
				seen[i] = append(seen[i], transcript(t, w, head))
			}
		}
		for n := range seen[0] {
			if diff := cmp.Diff(seen[1][n], seen[0][n]); diff != "" {
				t.Errorf("%s of %s (- by net/http, + direct):\n%s", requestsOfAllKinds[n], product, diff)
			}
		}
	}
}

// transcript is what a client sees of the answer, without what is another each
// time.
func transcript(t *testing.T, w *world, head string) string {
	t.Helper()
	c := w.dial()
	defer c.Close()
	body := ""
	if strings.Contains(head, "Content-Length: 5") {
		body = "hello"
	}
	io.WriteString(c, head+"X-Cloud-Trace-Context: 0123456789abcdef0123456789abcdef/7;o=1\r\n\r\n"+body)
	method, _, _ := strings.Cut(head, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s: %v", head, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", head, err)
	}
	var lines []string
	for name, values := range resp.Header {
		if name == "Date" {
			values = []string{"now"}
		}
		for i, v := range values {
			if strings.HasPrefix(v, "GAESA=") {
				values[i] = "GAESA"
			}
		}
		lines = append(lines, fmt.Sprintf("%s: %q", name, values))
	}
	slices.Sort(lines)
	text, _, _ := strings.Cut(string(b), "Request")
	return fmt.Sprintf("%s %v length %d\n%s\n\n%s", resp.Status, resp.TransferEncoding, min(resp.ContentLength, 0), strings.Join(lines, "\n"), text)
}
