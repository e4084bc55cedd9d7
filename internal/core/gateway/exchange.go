package gateway

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
	"unsafe"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/served"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// exchange is what is done about one request: to which revision it goes, who may
// ask, what each side sees of the other, what is told of it in the end. How the
// bytes come and go is not its matter: they do on a connection of net/http
// (standard) or on one of the gateway's own (link).
type exchange struct {
	request
	g      *Gateway
	begin  time.Time
	id     string
	trace  trace
	client client

	prefix    string          // of the path, when a function is addressed by path
	challenge string          // WWW-Authenticate, when the caller is not known
	unsigned  string          // Authorization as the program sees it; empty: as it came
	allow     string          // Allow, when the method is not one of what was asked for
	rev       *sunya.Revision // nil until routed
	bucket    int
	sticky    bool // the client is to be given its bucket as a cookie

	prefer   string // the instance that the client was on, where that matters
	instance string
	cold     bool
	thawed   bool
	waited   time.Duration

	began     bool  // the final response has begun
	cut       bool  // it ended too early
	concluded bool  // and the client was told so
	status    int   // as logged
	sent      int64 // bytes of the response body
	received  int64 // bytes of the request body
	problem   string

	over  served.Request // what the observer is told; here to spare an allocation
	texts []byte         // of what is written for this request; see text
}

// start begins an exchange about a request.
func (x *exchange) start(c client) {
	x.begin = x.g.Now()
	x.client = c
	mark := len(x.texts)
	x.texts = appendRandomHex(x.texts)
	x.id = x.text(mark)
	x.trace = traceOf(x.header)
	if x.trace.id == "" {
		mark = len(x.texts)
		x.texts = appendRandomHex(x.texts)
		x.trace = trace{id: x.text(mark), span: rand.Uint64() | 1}
	}
}

// text is what was appended to texts since mark, as a string that lives as long
// as the exchange.
func (x *exchange) text(mark int) string {
	b := x.texts[mark:]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// choose finds the revision that the request goes to, and refuses whoever may
// not ask.
func (x *exchange) choose() error {
	route, err := x.route()
	if err != nil {
		return err
	}
	x.pick(route)
	if err := x.admit(route); err != nil {
		return err
	}
	if x.rev == nil {
		return fault(http.StatusNotFound, "%s has no traffic: deploy a version, or move traffic to one", route.Service.Name)
	}
	if route.Stopped(x.rev) {
		return fault(http.StatusServiceUnavailable, "this version is stopped: it serves again once it is started")
	}
	return nil
}

func (x *exchange) route() (serving.Route, error) {
	host, err := front.CanonicalHost(x.host)
	if err != nil {
		return serving.Route{}, &unknownHost{host: x.host}
	}
	if label, ok := x.label(host); ok {
		table := x.g.Catalog.Table()
		if label == functionsLabel {
			if route, ok := x.byPath(table); ok {
				return route, nil
			}
			return serving.Route{}, fault(http.StatusNotFound, "no function has this path: write /PROJECT/LOCATION/NAME")
		}
		if route, ok := table.Lookup(label); ok {
			return table.Dispatch(route, label, host, x.innerPath()), nil
		}
	}
	return serving.Route{}, &unknownHost{host: host}
}

// pick chooses the revision.
func (x *exchange) pick(route serving.Route) {
	c := serving.Client{IP: x.client.ip, Random: rand.Uint32()}
	if x.caller != nil {
		c.IP = x.caller.Instance // their addresses are all the same
	}
	if route.Service.Traffic.ShardBy == sunya.ShardByCookie {
		c.Cookie = x.cookie(serving.Cookie)
	}
	x.rev, x.bucket = serving.Pick(route, c)
	x.sticky = serving.Sticky(route, c)
	if x.rev != nil && x.rev.Affinity {
		x.prefer = x.lastInstance()
	}
}

// innerPath is the path as the program sees it, without escapes.
func (x *exchange) innerPath() string {
	if path := strings.TrimPrefix(x.path, x.prefix); path != "" {
		return path
	}
	return "/"
}

func (x *exchange) timeout() time.Duration {
	if x.rev.RequestTimeout > 0 {
		return x.rev.RequestTimeout
	}
	return x.g.opts.RequestTimeout
}

// defaultHost is the project's own host, with the port that the client used.
func (x *exchange) defaultHost() string {
	mark := len(x.texts)
	x.texts = append(x.texts, x.rev.Project...)
	if len(x.g.opts.Domains) > 0 {
		x.texts = append(append(x.texts, '.'), x.g.opts.Domains[0]...)
	}
	if i := strings.LastIndexByte(x.host, ':'); i > strings.LastIndexByte(x.host, ']') {
		x.texts = append(x.texts, x.host[i:]...)
	}
	return x.text(mark)
}

// served notes which instance works on the request.
func (x *exchange) served(l *activator.Lease) {
	x.instance = l.Instance.ID()
	x.cold = x.cold || l.ColdStart
	x.thawed = x.thawed || l.Thawed
	x.waited += l.Waited
}

func (x *exchange) info() RequestInfo {
	return RequestInfo{
		ClientIP:    x.client.ip,
		Scheme:      x.client.scheme,
		RequestID:   x.id,
		DefaultHost: x.defaultHost(),
	}
}

// appendRandomHex appends 32 hex digits. They need to be unique, not secret.
func appendRandomHex(b []byte) []byte {
	var r [16]byte
	binary.LittleEndian.PutUint64(r[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(r[8:], rand.Uint64())
	return hex.AppendEncode(b, r[:])
}
