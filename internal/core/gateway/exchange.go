package gateway

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/served"
)

// exchange is one request and its response.
type exchange struct {
	g      *Gateway
	w      http.ResponseWriter
	r      *http.Request
	begin  time.Time
	id     string
	trace  trace
	client client
	caller *Caller // the instance that asks; nil: nobody of this server
	grpc   bool    // the client speaks gRPC

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

	began     bool  // the final response has begun
	cut       bool  // it ended too early
	concluded bool  // and the client was told so
	status    int   // as logged
	sent      int64 // bytes of the response body
	received  int64 // bytes of the request body
	problem   string

	over served.Request // what the observer is told; here to spare an allocation
}

func (g *Gateway) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{
		g:      g,
		w:      w,
		r:      r,
		begin:  g.Now(),
		id:     randomHex(),
		trace:  traceOf(r.Header),
		client: g.clientOf(r),
		caller: callerOf(r.Context()),
		grpc:   isGRPC(r),
	}
}

// served notes which instance works on the request.
func (x *exchange) served(l *activator.Lease) {
	x.instance = l.Instance.ID()
	x.cold = x.cold || l.ColdStart
	x.thawed = x.thawed || l.Thawed
}

func (x *exchange) info() RequestInfo {
	return RequestInfo{
		ClientIP:    x.client.ip,
		Scheme:      x.client.scheme,
		RequestID:   x.id,
		DefaultHost: x.defaultHost(),
	}
}

// randomHex returns 32 hex digits. They need to be unique, not secret.
func randomHex() string {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(b[8:], rand.Uint64())
	return hex.EncodeToString(b[:])
}
