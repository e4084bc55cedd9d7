// Package gateway is the HTTP front door of user code: host to service to
// revision to instance, and the bytes both ways.
//
// What a client sends is not trusted: headers that the platform owns are
// removed in every spelling, only WebSocket may switch protocols, and a small
// body is read to its end before an instance is bothered with it.
package gateway

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/memo"
	"github.com/sunya-cloud/sunya/internal/core/served"
	"github.com/sunya-cloud/sunya/internal/core/serving"
	"github.com/sunya-cloud/sunya/internal/core/static"
)

// Catalog shows the serving state.
type Catalog interface {
	Table() *serving.Table
}

// Slots gives requests their slot in an instance.
type Slots interface {
	// Acquire prefers the instance with the id given, if it has room.
	Acquire(ctx context.Context, rev *sunya.Revision, prefer string) (*activator.Lease, error)
}

// Sites opens the static files of revisions.
type Sites interface {
	Open(digest string) (*static.Site, error)
}

// Decorator adds a product's own request headers.
type Decorator interface {
	// Decorate sets headers in h, which holds what the instance will see.
	// Whatever a client sent under the names of platforms is already gone.
	Decorate(h http.Header, info RequestInfo)
}

// RequestInfo is what is known of a request.
type RequestInfo struct {
	ClientIP    string // without port
	Scheme      string // http or https
	RequestID   string // 32 hex digits, unique
	DefaultHost string // the project's own host: PROJECT.DOMAIN, with the client's port
}

// Parts is what a Gateway works with.
type Parts struct {
	Catalog    Catalog
	Slots      Slots
	Sites      Sites    // static files; may be nil where no revision has any
	Verifier   Verifier // of callers of private services; nil: nobody is known
	Decorators map[sunya.Product]Decorator
	Observer   served.Observer // is told of each request once it is over; nil: nobody
	Now        func() time.Time
	Log        *slog.Logger
}

// Options are how the gateway faces the world.
type Options struct {
	// Domains are the names below which hosts are labels; the first is the one
	// that URLs show. Lower case, without port.
	Domains []string
	// TrustedProxies are the peers whose X-Forwarded headers are believed.
	TrustedProxies []netip.Prefix
	RequestTimeout time.Duration // for revisions that do not say; 10 min
	ClientStall    time.Duration // in which a client takes the next 32 KiB at least; 30 s
	// HTTPSPort and HTTPPort are where the other scheme is served, for rules
	// that ask for it; 0: nowhere.
	HTTPSPort, HTTPPort int
}

// Gateway serves the hosts of user code.
type Gateway struct {
	Parts
	opts     Options
	log      *slog.Logger
	bufs     sync.Pool                        // of *[]byte
	compiled *memo.Map[string, serving.Rules] // by Revision.Name
}

// copyBuffer is how much is copied at once.
const copyBuffer = 32 << 10

// New returns a Gateway.
func New(p Parts, o Options) *Gateway {
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = 10 * time.Minute
	}
	if o.ClientStall <= 0 {
		o.ClientStall = 30 * time.Second
	}
	return &Gateway{
		Parts: p,
		opts:  o,
		log:   p.Log.With("component", "gateway"),

		compiled: memo.New[string, serving.Rules](maxRules),
		bufs: sync.Pool{New: func() any {
			b := make([]byte, copyBuffer)
			return &b
		}},
	}
}

// ServeHTTP implements http.Handler. Every request ends in exactly one
// response and is told once to the observer.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := g.newExchange(w, r)
	err := x.serve()
	if err != nil {
		x.fail(err)
	}
	x.record()
	if x.cut {
		// The only way to end a response that has begun so that the client
		// sees it is incomplete (net/http.ErrAbortHandler).
		panic(http.ErrAbortHandler)
	}
}

// serve does the request; its error has not been told to the client.
func (x *exchange) serve() error {
	if x.r.Method == http.MethodConnect {
		return fault(http.StatusMethodNotAllowed, "this is not a proxy: CONNECT is not offered")
	}
	if x.r.URL.Opaque != "" {
		return fault(http.StatusBadRequest, "the request target is not a path")
	}
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
	program, err := x.byRule()
	if err != nil || !program {
		return err
	}
	if wantsWebSocket(x.r) && x.rev.Protocol == sunya.H2C {
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

// readBody reads what is to be read before an instance is asked. A stream of
// gRPC is handed on from its first byte: its frames are checked at its end.
func (x *exchange) readBody() (*body, error) {
	if x.grpc && x.rev.Protocol == sunya.H2C {
		return stream(x.w, x.r), nil
	}
	return readAhead(x.w, x.r, x.begin.Add(min(x.timeout(), smallBodyTime)))
}

func (x *exchange) route() (serving.Route, error) {
	host, err := front.CanonicalHost(x.r.Host)
	if err != nil {
		return serving.Route{}, &unknownHost{host: x.r.Host}
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
			return table.Dispatch(route, label, host, x.path()), nil
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
		if cookie, err := x.r.Cookie(serving.Cookie); err == nil {
			c.Cookie = cookie.Value
		}
	}
	x.rev, x.bucket = serving.Pick(route, c)
	x.sticky = serving.Sticky(route, c)
	if x.rev != nil && x.rev.Affinity {
		x.prefer = x.lastInstance()
	}
}

func (x *exchange) timeout() time.Duration {
	if x.rev.RequestTimeout > 0 {
		return x.rev.RequestTimeout
	}
	return x.g.opts.RequestTimeout
}

// defaultHost is the project's own host, with the port that the client used.
func (x *exchange) defaultHost() string {
	host := x.rev.Project
	if len(x.g.opts.Domains) > 0 {
		host += "." + x.g.opts.Domains[0]
	}
	if i := strings.LastIndexByte(x.r.Host, ':'); i > strings.LastIndexByte(x.r.Host, ']') {
		host += x.r.Host[i:]
	}
	return host
}
