package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/sunya-cloud/sunya/internal/adapt/usernet"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// callers lets instances reach services of this server from inside: by the
// names that the services have outside and by those of gateway.InternalDomain,
// on the ports that apps are served on and on port 80. Their requests go to the
// gateway and to nothing else: the API is not among it.
type callers struct {
	*guests
	ports map[uint16]*tls.Config // of the listeners that serve apps; nil for plain ones
	named atomic.Pointer[gateway.Gateway]
}

func newCallers(listeners []front.Listener, log *slog.Logger) *callers {
	c := &callers{guests: newGuests(log), ports: map[uint16]*tls.Config{80: nil}}
	for _, l := range listeners {
		a, ok := l.Addr().(*net.TCPAddr)
		if !ok || !l.Roles.Has(front.Apps) {
			continue
		}
		var conf *tls.Config
		if l.TLS != nil {
			conf = l.TLS.Config()
		}
		c.ports[uint16(a.Port)] = conf
	}
	return c
}

// from returns what the sandbox sees of services.
func (c *callers) from(spec sandbox.Spec) usernet.Services { return &callersOf{callers: c, spec: spec} }

type callersOf struct {
	*callers
	spec sandbox.Spec
}

// Named implements usernet.Services.
func (c *callersOf) Named(name string) bool {
	g := c.named.Load()
	return g != nil && g.Knows(name)
}

// Serve implements usernet.Services.
func (c *callersOf) Serve(port uint16) func(net.Conn) {
	conf, served := c.ports[port]
	switch {
	case !served:
		return nil
	case conf != nil:
		return c.serveOver(c.spec, func(conn net.Conn) net.Conn { return tls.Server(conn, conf) })
	}
	return c.serveOver(c.spec, gateway.GuardConn)
}

// Run answers with the gateway until ctx ends.
func (c *callers) Run(ctx context.Context, g *gateway.Gateway) error {
	return c.guests.Run(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spec, ok := r.Context().Value(specKey{}).(sandbox.Spec)
		if !ok {
			http.Error(w, "it is not known who asks", http.StatusForbidden)
			return
		}
		g.ServeHTTP(w, r.WithContext(gateway.WithCaller(r.Context(), gateway.Caller{
			Instance: cmp.Or(spec.Labels[instance.LabelInstance], spec.ID),
			Project:  spec.Labels[instance.LabelProject],
		})))
	}))
}
