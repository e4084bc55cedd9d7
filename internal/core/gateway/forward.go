package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/activator"
)

// attempts is how often a request is sent when instances die under it and repeating
// cannot do anything twice. One that was killed while it was frozen is known to be
// dead when it is thawed only, so that a second death is not rare; three that one
// request brings about do not yet make the pool pause (core/pool, freeCrashes).
const attempts = 3

// forward sends the request to an instance and the response back, again when an
// instance died and repeating cannot do anything twice.
func (x *standard) forward(ctx context.Context, b *body) error {
	if b.src != nil {
		// HTTP/2 to an instance does not look at ctx while it waits for the body.
		defer context.AfterFunc(ctx, b.abandon)()
	}
	err, again := x.attempt(ctx, b)
	for n := 1; again && n < attempts; n++ {
		err, again = x.attempt(ctx, b)
	}
	x.received += b.read.Load()
	return err
}

// attempt is one try. It reports whether another may be made.
func (x *standard) attempt(ctx context.Context, b *body) (err error, again bool) {
	lease, err := x.g.Slots.Acquire(ctx, x.rev, x.prefer)
	if err != nil {
		return err, false
	}
	defer lease.Release()
	x.served(lease)
	if lease.Thawed && !x.repeatable(b) {
		// The program may be about to close connections that it took for idle
		// while it was frozen. net/http repeats requests that meet this, but
		// not those it cannot repeat.
		lease.Instance.Transport().CloseIdleConnections()
	}
	t := &tracker{x: x}
	resp, err := lease.Instance.Transport().RoundTrip(x.outgoing(t.follow(ctx), b))
	t.finish()
	if err != nil {
		return x.lostUpstream(ctx, lease, b, t, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return x.tunnel(ctx, resp), false
	}
	return x.relay(ctx, resp), false
}

// repeatable reports whether sending the request twice does what sending it
// once does (RFC 9110 §9.2.2).
func (x *standard) repeatable(b *body) bool {
	return b.empty() && idempotent(x.method) && !x.wantsWebSocket()
}

func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// exitWait is how long a failed attempt waits for its instance to be known as
// dead, so that the next one does not meet it again.
const exitWait = 100 * time.Millisecond

// awaitExit gives an instance that broke off the time to be known as dead.
func awaitExit(ctx context.Context, l *activator.Lease) {
	l.Doubt()
	timer := time.NewTimer(exitWait)
	defer timer.Stop()
	select {
	case <-l.Instance.Exited():
	case <-timer.C:
	case <-ctx.Done():
	}
}

// lostUpstream says what a failed round trip means.
func (x *standard) lostUpstream(ctx context.Context, l *activator.Lease, b *body, t *tracker, err error) (_ error, again bool) {
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		if errors.Is(cause, errTimeout) && b.complete() {
			l.Hang()
		}
		return cause, false
	}
	if x.overdue() {
		return errOverdue, false
	}
	again = (!t.contacted.Load() && b.untouched() || x.repeatable(b)) && !t.informed
	if again {
		awaitExit(ctx, l)
	}
	return &badGateway{err: fmt.Errorf("ask instance %s: %w", l.Instance.ID(), err), hint: protocolHint(x.rev, err)}, again
}

// untouched reports whether nothing of a stream was handed on.
func (b *body) untouched() bool { return b.src == nil || b.read.Load() == 0 }

// complete reports whether the client has sent all: what takes long since is
// the program.
func (b *body) complete() bool { return b.src == nil || b.src.ended.Load() }

// outgoing is the request as the instance will see it. Path and query are the
// client's own bytes (rule 23).
func (x *standard) outgoing(ctx context.Context, b *body) *http.Request {
	in := x.r
	out := &http.Request{
		Method:        in.Method,
		URL:           &url.URL{Scheme: "http", Host: "instance", Path: x.innerPath(), RawPath: x.rawPath(), RawQuery: in.URL.RawQuery, ForceQuery: in.URL.ForceQuery},
		Header:        x.outgoingHeader(),
		Host:          in.Host,
		ContentLength: b.size,
		Body:          b.reader(len(in.Trailer) > 0),
		Trailer:       in.Trailer,
	}
	return out.WithContext(ctx)
}

// rawPath is the path as the client wrote it. Where he has escaped a slash of
// what addresses the function, net/url writes the rest anew.
func (x *standard) rawPath() string {
	raw, ok := strings.CutPrefix(x.r.URL.RawPath, x.prefix)
	if x.prefix != "" && (!ok || !strings.HasPrefix(raw, "/")) {
		return ""
	}
	return raw
}

// header is the header that the program sees.
func (x *standard) outgoingHeader() http.Header {
	h := http.Header{}
	addTo(h, x.programHeader(nil))
	if x.wantsWebSocket() {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // net/http would name itself
	}
	return h
}

// maxInformational is how many 1xx responses an instance may send (rule 26).
const maxInformational = 10

var errTooManyInformational = errors.New("more than 10 informational responses")

// tracker follows a round trip.
type tracker struct {
	x         *standard
	contacted atomic.Bool // there was a connection: something may have been sent

	mu       sync.Mutex // net/http calls informational on another goroutine
	done     bool
	informed bool // the client has had a 1xx
	count    int
}

func (t *tracker) follow(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:        func(httptrace.GotConnInfo) { t.contacted.Store(true) },
		Got1xxResponse: t.informational,
	})
}

// informational passes a 1xx on. 100 is between the two ends of a connection.
func (t *tracker) informational(code int, header textproto.MIMEHeader) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	switch {
	case t.count > maxInformational:
		return errTooManyInformational
	case t.done || code == http.StatusContinue || !t.x.r.ProtoAtLeast(1, 1):
		return nil
	}
	t.informed = true
	own := t.x.w.Header()
	addTo(own, passedOn(nil, listOf(http.Header(header))))
	t.x.w.WriteHeader(code)
	clear(own)
	return nil
}

// finish ends the passing on: the final response is the handler's.
func (t *tracker) finish() {
	t.mu.Lock()
	t.done = true
	t.mu.Unlock()
}
