package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tellAll answers with what a program sees of a request.
func tellAll(rw http.ResponseWriter, r *http.Request) {
	for _, own := range []string{"X-Forwarded-For", "Forwarded", "Traceparent", "X-Cloud-Trace-Context", "Content-Length"} {
		r.Header.Del(own) // they differ each time
	}
	var b bytes.Buffer
	r.Header.Write(&b) // sorted by name
	fmt.Fprintf(rw, "%s %s host %s length %d close %v\n%s", r.Method, r.RequestURI, r.Host, r.ContentLength, r.Close, b.Bytes())
}

var requestID = regexp.MustCompile("[0-9a-f]{32}")

// firstAnswer is status and body of a response.
func firstAnswer(c net.Conn) string {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	b, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", requestID.ReplaceAllString(string(b), "ID"), err)
}

// TestProgramsSeeTheSame of an odd request, whichever path it takes.
func TestProgramsSeeTheSame(t *testing.T) {
	const host = "Host: demo.localhost\r\n"
	var texts []string
	for _, line := range []string{
		"GET //a//b HTTP/1.1", "GET /a/../b/./c HTTP/1.1", "GET /?a#b HTTP/1.1", "GET /%2e%2e/%41%2F HTTP/1.1", "GET /a;b=c?x=%zz&y=%00 HTTP/1.1",
		"GET /? HTTP/1.1", "get / HTTP/1.1", "M-SEARCH / HTTP/1.1", "TRACE / HTTP/1.1", "OPTIONS / HTTP/1.1", "GET /\"<>`{}|^ HTTP/1.1", "GET /é HTTP/1.1",
		"GET http://demo.localhost/a HTTP/1.1", "OPTIONS * HTTP/1.1", "GET / HTTP/1.0", "GET /?q=\\' HTTP/1.1", "GET /a%00b HTTP/1.1", "DELETE / HTTP/1.1",
	} {
		texts = append(texts, line+"\r\n"+host)
	}
	for _, field := range []string{
		"X_Appengine_User_Ip: 1", "x-appengine-user-ip: 1", "X-Appengine_User-Ip: 1", "X-A: é\xff", "X-A: a\tb", "X-A:", "X-A:   a  ", "X-A: 1\r\nx-a: 2",
		"X.A: 1", "!#$%&'*+.^_`|~: 1", "X-A: 1\r\nX_A: 2", "Content_Length: 3", "Transfer_Encoding: chunked", "Connection: X-A, close\r\nX-A: 1",
		"Connection: Host, Cookie, Authorization\r\nCookie: a=b\r\nAuthorization: Basic YTpi", "Cookie: a=b\r\nCookie: c=d", "TE: trailers, deflate", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA",
		"Proxy: evil", "Forwarded: for=1", "X-Forwarded-Host: evil", "X-Goog-Authenticated-User-Email: root", "X-Serverless-Authorization: Bearer x",
		"X-A : 1", "X A: 1", "X-A: a\x00b", "X-A: a\rb", " X-A: 1", "X-A: 1\r\n folded", "Keep-Alive: timeout=5", "Content-Type: application/grpc",
		"Content-Length: 0", "Content-Length: 00", "Content-Length: +0", "Content-Length: 0\r\nContent-Length: 0", "Content-Length: 0, 0", "Content-Length: -0", "Content-Length:",
		"Host: other.localhost", "Transfer-Encoding: chunked\r\nContent-Length: 3", "Transfer-Encoding: identity", "Accept-Encoding: gzip", "Range: bytes=0-1", "Trailer: X-B", "Expect: nonsense", "X-Cloudtasks-Queuename: q",
		"Traceparent: 00-1-2-3", "X_Serverless_Authorization: Bearer x", "Connection: close, keep-alive", "Connection: \r\nX-A: 1", "Host:",
		"User-Agent: a\r\nUser-Agent: b", "User-Agent:", "User-Agent:\r\nUser-Agent: b",
	} {
		texts = append(texts, "GET /a HTTP/1.1\r\n"+host+field+"\r\n", "POST /a HTTP/1.1\r\n"+host+field+"\r\n")
	}
	for _, h := range []string{"Host: DEMO.localhost.:80\r\n", "Host: demo.localhost:\r\n", "Host: demo.localhost:99999\r\n", "Host: demo.loc\xffalhost\r\n", "Host: demo.localhost/x\r\n", "Host: x@demo.localhost\r\n", ""} {
		texts = append(texts, "GET /a HTTP/1.1\r\n"+h)
	}
	all := func() (out []string) {
		w := newWorld(t, tellAll)
		for _, text := range texts {
			c := w.dial()
			fmt.Fprintf(c, "%s\r\n", text)
			out = append(out, firstAnswer(c))
			c.Close()
		}
		return out
	}
	direct := all()
	standardOnly = true
	defer func() { standardOnly = false }()
	for i, std := range all() {
		if d := cmp.Diff(std, direct[i]); d != "" {
			t.Errorf("%q (-net/http +direct)\n%s", texts[i], d)
		}
	}
}
