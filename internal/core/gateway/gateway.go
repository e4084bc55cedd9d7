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
	"net/netip"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/http1"
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
	// TryAcquire gives one only where that needs no wait, in a lease that the
	// caller has.
	TryAcquire(l *activator.Lease, rev *sunya.Revision, prefer string) bool
}

// Sites opens the static files of revisions.
type Sites interface {
	Open(digest string) (*static.Site, error)
}

// Decorator adds a product's own request headers.
type Decorator interface {
	// Decorate adds to h, which is what the instance will see, and returns it.
	// Whatever a client sent under the names of platforms is already gone.
	Decorate(h http1.Header, info RequestInfo) http1.Header
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
