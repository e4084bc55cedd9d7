package gateway

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/serving"
	"github.com/sunya-cloud/sunya/internal/core/static"
)

// maxRules is how many compiled rules are held, of all revisions together.
const maxRules = 20_000

// rules returns the compiled rules of a revision, which never change.
func (g *Gateway) rules(rev *sunya.Revision) (serving.Rules, error) {
	return g.compiled.Get(rev.Name, func() (serving.Rules, int64, error) {
		rs, err := serving.CompileRules(rev.Rules)
		return rs, int64(len(rs)) + 1, err
	})
}

// byRule does what the revision's rules say, unless that is to ask the program,
// which it reports.
func (x *exchange) byRule() (program bool, err error) {
	if len(x.rev.Rules) == 0 {
		return true, nil
	}
	rs, err := x.g.rules(x.rev)
	if err != nil {
		return false, err
	}
	site, err := x.site()
	if err != nil {
		return false, err
	}
	m, ok := rs.Match(x.path(), site.Has)
	switch {
	case !ok:
		return false, fault(http.StatusNotFound, "no handler of the service matches this path")
	case x.redirected(m.Rule):
		return false, nil
	case m.Rule.Static == nil:
		return true, nil
	}
	return false, x.serveFile(site, m)
}

// path is the request's path with escapes resolved.
func (x *exchange) path() string {
	if path := strings.TrimPrefix(x.r.URL.Path, x.prefix); path != "" {
		return path
	}
	return "/"
}

// site is the revision's static files, one without files when it has none.
func (x *exchange) site() (*static.Site, error) {
	if x.rev.Site == "" {
		return new(static.Site), nil
	}
	return x.g.Sites.Open(x.rev.Site)
}

// serveFile answers with a static file.
func (x *exchange) serveFile(site *static.Site, m serving.Match) error {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.allow = "GET, HEAD"
		return fault(http.StatusMethodNotAllowed, "this is a file: it can only be read")
	}
	if !site.Has(m.File) {
		return fault(http.StatusNotFound, "there is no such file")
	}
	x.keepOnRevision(x.w.Header())
	w := &fileWriter{x: x}
	err := site.Serve(w, x.r, m.File, m.Rule.Static, x.g.Now())
	x.cut = x.cut || w.err != nil
	if w.err != nil {
		x.problem = "the client went away, or took the file too slowly"
	}
	return err
}

// redirected sends the client to the scheme that a rule asks for. Without a
// listener for https, and no proxy that has one, there is nowhere to send it.
func (x *exchange) redirected(rule *sunya.Rule) bool {
	var host string
	scheme := "https"
	switch {
	case rule.Secure == sunya.SecureAlways && x.client.scheme == "http" && x.g.opts.HTTPSPort > 0:
		host = withPort(x.r.Host, x.g.opts.HTTPSPort, 443)
	case rule.Secure == sunya.SecureAlways && x.client.scheme == "http" && x.client.proxied:
		host = x.r.Host
	case rule.Secure == sunya.SecureNever && x.client.scheme == "https" && x.g.opts.HTTPPort > 0:
		scheme, host = "http", withPort(x.r.Host, x.g.opts.HTTPPort, 80)
	default:
		return false
	}
	x.status = rule.RedirectStatus
	if x.status == 0 {
		x.status = http.StatusFound
	}
	x.w.Header().Set("Location", scheme+"://"+host+x.r.URL.RequestURI())
	x.w.Header().Set("Content-Length", "0")
	x.began = true
	x.w.WriteHeader(x.status)
	return true
}

// withPort returns host with another port, which is left out where it is the
// scheme's own.
func withPort(hostport string, port, usual int) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
		if strings.Contains(h, ":") {
			host = "[" + h + "]"
		}
	}
	if port == usual {
		return host
	}
	return host + ":" + strconv.Itoa(port)
}
