// Package front is what every listener has in common: its roles, the table of
// routes with their permissions, and who may call. It tells requests apart by
// host (API, console, functions, apps), lets through only what the table
// lists, and only for whom it lists it: the default is no.
//
// Host and path have one canonical form, which routing and authorisation share.
package front

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Config is what a Front stands between.
type Config struct {
	// Domain is the platform's own: api.Domain, console.Domain and so on.
	Domain string
	// Routes are the API, all of it.
	Routes []Route
	// Later says of APIs that are not served yet what comes with them, for
	// whoever asks for one by name: cron jobs (cron.yaml) come with it.
	Later map[string]string
	// GRPC gets the API requests whose content type is application/grpc,
	// under the Local permission. Nil answers UNIMPLEMENTED.
	GRPC http.Handler
	// Native, when not nil, makes what serves the connections of clients that
	// send the API nothing else: one for each listener, as often as it is served.
	Native func() Native
	// Apps is the gateway: every host that is none of the others. It decides
	// itself who may call.
	Apps http.Handler
	// Direct, when not nil, serves common requests to those hosts past net/http.
	Direct Direct
	// Guard, when not nil, wraps the connections that net/http serves.
	Guard func(net.Conn) net.Conn

	// Owners are the uids that a loopback listener trusts: whoever owns the
	// server, and root.
	Owners []int
	// PeerUID tells the uid of the process at the other end of a connection.
	// Nil or an error means that nobody is trusted without a token.
	PeerUID func(net.Conn) (int, error)
	// Token is the static admin token; empty: no token is good.
	Token string
	// Account checks a token of an account, for routes that take those; nil:
	// none is good.
	Account func(ctx context.Context, token string) error

	Now func() time.Time
	Log *slog.Logger
}

// Front is the front door. It is safe for concurrent use.
type Front struct {
	hosts  hosts
	table  *table
	guard  guard
	grpc   http.Handler
	native func() Native
	apps   http.Handler
	direct Direct
	wrap   func(net.Conn) net.Conn
	lookup func(net.Conn) (int, error)
	now    func() time.Time
	log    *slog.Logger
}

// New returns the Front that c describes, or an error that names the route or
// setting that cannot be.
func New(c Config) (*Front, error) {
	if c.Apps == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("make front: Apps, Now and Log are required")
	}
	domain, err := CanonicalHost(c.Domain)
	if err != nil {
		return nil, err
	}
	t, err := newTable(c.Routes)
	if err != nil {
		return nil, err
	}
	t.later = c.Later
	return &Front{
		hosts:  hosts{domain: domain},
		table:  t,
		guard:  newGuard(c),
		grpc:   c.GRPC,
		native: c.Native,
		apps:   c.Apps,
		direct: c.Direct,
		wrap:   c.Guard,
		lookup: c.PeerUID,
		now:    c.Now,
		log:    c.Log.With("component", "front"),
	}, nil
}

// Handler returns what a listener with these roles serves. Its connections must
// have passed through a Server.
func (f *Front) Handler(roles Role) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			r.TLS = tlsOf(r)
		}
		f.serve(w, r, roles)
	})
}

// serve hands a request to what its host stands for.
func (f *Front) serve(w http.ResponseWriter, r *http.Request, roles Role) {
	host, err := CanonicalHost(r.Host)
	if err != nil {
		fail(w, r, err)
		return
	}
	class := f.hosts.classify(host, localIP(r), roles)
	if r.Method == http.MethodConnect && class != hostApps && roles.Has(class.role()) {
		f.tunnel(w, r, class)
		return
	}
	if !roles.Has(class.role()) {
		fail(w, r, wrongListener(host, class))
		return
	}
	switch class {
	case hostAPI:
		f.serveAPI(w, r, host)
	case hostConsole:
		notHere(w, noConsole)
	default:
		f.apps.ServeHTTP(w, r)
	}
}

// wrongListener says that a host is not served here. A host that is nobody's
// name on a listener without apps is what DNS rebinding looks like.
func wrongListener(host string, class hostClass) error {
	if class == hostApps {
		return sunya.Errorf(sunya.PermissionDenied, "", "%s is not a name of this server", host)
	}
	return sunya.Errorf(sunya.NotFound, "", "this address does not serve %s", host)
}

// serveAPI finds the route of an API request, asks whether the caller may, and
// passes the request on with the path by which it was judged.
func (f *Front) serveAPI(w http.ResponseWriter, r *http.Request, host string) {
	path, err := CanonicalPath(r.URL.EscapedPath())
	if err != nil {
		fail(w, r, err)
		return
	}
	api, path := f.target(host, path)
	route, err := f.route(r, api, path)
	if err != nil {
		fail(w, r, err)
		return
	}
	if err := f.permit(r, route); err != nil {
		refuse := route.Refuse
		if refuse == nil {
			refuse = fail
		}
		refuse(w, r, err)
		return
	}
	if !isGRPC(r) {
		limitBody(w, r, f.now)
	}
	route.Handler.ServeHTTP(w, withPath(r, path))
}

// permit returns nil when the caller may use the route.
func (f *Front) permit(r *http.Request, route *Route) error {
	if route.Admit != nil {
		if ok, err := route.Admit(r); ok || err != nil {
			return err
		}
	}
	return f.guard.permit(r, route.Permission)
}

// target returns the API that a request names, by path prefix or host, or ""
// when it leaves that to the route; and the path without such a prefix.
func (f *Front) target(host, path string) (api, rest string) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if strings.HasSuffix(first, apiSuffix) {
		return first, "/" + rest
	}
	if name, ok := strings.CutSuffix(host, apiSuffix); ok {
		return cmp.Or(f.table.apiOf(lastLabel(name)), lastLabel(name)+apiSuffix), path
	}
	return f.table.apiOf(lastLabel(f.hosts.apiLabel(host))), path
}

// lastLabel is what names an API of a host: in front of it is a bucket of
// Storage's.
func lastLabel(host string) string { return host[strings.LastIndexByte(host, '.')+1:] }

// route finds the route of a request.
func (f *Front) route(r *http.Request, api, path string) (*Route, error) {
	if !isGRPC(r) {
		return f.table.match(r.Method, api, path)
	}
	if f.grpc == nil {
		return nil, sunya.Errorf(sunya.Unimplemented, "", "gRPC is not served here")
	}
	return &Route{Permission: Local, Handler: f.grpc}, nil
}
