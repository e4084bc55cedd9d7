package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/http1"
)

// request is what the gateway looks at of a request, however it came.
type request struct {
	method string
	target string // path and query as sent
	path   string // without escapes
	proto  string // HTTP/1.1
	major  int    // 1 or 2
	host   string // as sent
	header http1.Header
	remote string // address and port of the other end
	tls    bool
	caller *Caller         // the instance that asks; nil: nobody of this server
	ctx    context.Context // ends with the client's interest; nil: it is not followed yet
}

// context is what may be waited for on behalf of the client.
func (r *request) context() context.Context {
	if r.ctx == nil {
		return context.Background()
	}
	return r.ctx
}

// requestOf is what net/http has read.
func requestOf(r *http.Request) request {
	return request{
		method: r.Method,
		target: r.URL.RequestURI(),
		path:   r.URL.Path,
		proto:  r.Proto,
		major:  r.ProtoMajor,
		host:   r.Host,
		header: listOf(r.Header),
		remote: r.RemoteAddr,
		tls:    r.TLS != nil,
		caller: callerOf(r.Context()),
		ctx:    r.Context(),
	}
}

// listOf is a header of net/http as a list.
func listOf(h http.Header) http1.Header {
	out := make(http1.Header, 0, len(h)+4)
	for name, values := range h {
		for _, v := range values {
			out.Add(name, v)
		}
	}
	return out
}

// addTo puts a list into a header of net/http.
func addTo(h http.Header, list http1.Header) {
	for _, f := range list {
		h[f.Name] = append(h[f.Name], f.Value)
	}
}

// cookie is the first cookie of a name, or empty.
func (r *request) cookie(name string) string {
	lines := slices.Collect(r.header.Values("Cookie"))
	c, err := (&http.Request{Header: http.Header{"Cookie": lines}}).Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// grpc reports whether it is a gRPC call. gRPC-Web is plain HTTP here.
func (r *request) grpc() bool {
	rest, ok := strings.CutPrefix(r.header.Get("Content-Type"), "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// wantsWebSocket reports whether a request asks for the one protocol that it
// may switch to (rule 21).
func (r *request) wantsWebSocket() bool {
	if r.major != 1 || r.method != http.MethodGet || !strings.EqualFold(r.header.Get("Upgrade"), "websocket") {
		return false
	}
	upgrades := 0
	for range r.header.Values("Upgrade") {
		upgrades++
	}
	for v := range r.header.Values("Connection") {
		if http1.HasToken(v, "upgrade") {
			return upgrades == 1
		}
	}
	return false
}
