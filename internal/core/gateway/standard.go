package gateway

import (
	"context"
	"net/http"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
	"github.com/sunya-cloud/sunya/internal/core/static"
)

// standard is an exchange that comes and goes through net/http.
type standard struct {
	exchange
	w http.ResponseWriter
	r *http.Request
}

// ServeHTTP implements http.Handler. Every request ends in exactly one
// response and one entry of the request log.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &standard{exchange: exchange{g: g, request: requestOf(r)}, w: w, r: r}
	x.start(g.clientOf(&x.request))
	if err := x.serve(); err != nil {
		// To net/http a client whose body is too slow has left, too.
		if p, ok := x.failed(err, r.Context().Err() != nil); ok {
			x.send(p)
		}
	}
	x.record()
	if x.cut {
		// The only way to end a response that has begun so that the client
		// sees it is incomplete (net/http.ErrAbortHandler).
		panic(http.ErrAbortHandler)
	}
}

// serve does the request; its error has not been told to the client.
func (x *standard) serve() error {
	if x.method == http.MethodConnect {
		return fault(http.StatusMethodNotAllowed, "this is not a proxy: CONNECT is not offered")
	}
	if x.r.URL.Opaque != "" {
		return fault(http.StatusBadRequest, "the request target is not a path")
	}
	if err := x.choose(); err != nil {
		return err
	}
	program, err := x.byRule()
	if err != nil || !program {
		return err
	}
	if x.wantsWebSocket() && x.rev.Protocol == sunya.H2C {
		return fault(http.StatusBadRequest, "the service speaks HTTP/2 end to end, which has no WebSocket: deploy it without HTTP/2")
	}
	ctx, cancel := context.WithTimeoutCause(x.r.Context(), x.timeout(), errTimeout)
	defer cancel()
	body, err := x.readBody()
	if err != nil {
		return err
	}
	defer body.abandon()
	return x.forward(ctx, body)
}

// byRule does what the revision's rules say, unless that is to ask the program,
// which it reports.
func (x *standard) byRule() (program bool, err error) {
	m, site, err := x.match()
	if err != nil || m.Rule == nil {
		return err == nil, err
	}
	if p, ok := x.redirect(m.Rule); ok {
		x.send(p)
		return false, nil
	}
	if m.Rule.Static == nil {
		return true, nil
	}
	return false, x.serveFile(site, m)
}

// serveFile answers with a static file.
func (x *standard) serveFile(site *static.Site, m serving.Match) error {
	if x.method != http.MethodGet && x.method != http.MethodHead {
		x.allow = "GET, HEAD"
		return fault(http.StatusMethodNotAllowed, "this is a file: it can only be read")
	}
	if !site.Has(m.File) {
		return fault(http.StatusNotFound, "there is no such file")
	}
	addTo(x.w.Header(), x.keepOnRevision(nil))
	w := &fileWriter{x: x}
	err := site.Serve(w, x.r, m.File, m.Rule.Static, x.g.Now())
	x.cut = x.cut || w.err != nil
	if w.err != nil {
		x.problem = "the client went away, or took the file too slowly"
	}
	return err
}

// readBody reads what is to be read before an instance is asked. A stream of
// gRPC is handed on from its first byte: its frames are checked at its end.
func (x *standard) readBody() (*body, error) {
	if x.grpc() && x.rev.Protocol == sunya.H2C {
		return stream(x.w, x.r), nil
	}
	return readAhead(x.w, x.r, x.begin.Add(min(x.timeout(), smallBodyTime)))
}

// send sends a whole response.
func (x *standard) send(p reply) {
	h := x.w.Header()
	clear(h)
	addTo(h, p.header)
	if p.body != nil {
		h.Set("Content-Length", strconv.Itoa(len(p.body)))
	}
	x.began = true
	x.w.WriteHeader(p.status)
	if x.method == http.MethodHead || len(p.body) == 0 {
		return
	}
	n, _ := x.w.Write(p.body) // nobody is left to tell
	x.sent = int64(n)
}
