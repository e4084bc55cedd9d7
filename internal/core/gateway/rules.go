package gateway

import (
	"cmp"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/http1"
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

// match finds the rule of the revision that decides; its Rule is nil where there
// is none to ask.
func (x *exchange) match() (m serving.Match, site *static.Site, err error) {
	if len(x.rev.Rules) == 0 {
		return m, nil, nil
	}
	rs, err := x.g.rules(x.rev)
	if err != nil {
		return m, nil, err
	}
	if site, err = x.site(); err != nil {
		return m, nil, err
	}
	m, ok := rs.Match(x.innerPath(), site.Has)
	if !ok {
		return m, site, fault(http.StatusNotFound, "no handler of the service matches this path")
	}
	return m, site, nil
}

// site is the revision's static files, one without files when it has none.
func (x *exchange) site() (*static.Site, error) {
	if x.rev.Site == "" {
		return new(static.Site), nil
	}
	return x.g.Sites.Open(x.rev.Site)
}

// redirect sends the client to the scheme that a rule asks for. Without a
// listener for https, and no proxy that has one, there is nowhere to send it.
func (x *exchange) redirect(rule *sunya.Rule) (p reply, ok bool) {
	var host string
	scheme := "https"
	switch {
	case rule.Secure == sunya.SecureAlways && x.client.scheme == "http" && x.g.opts.HTTPSPort > 0:
		host = withPort(x.host, x.g.opts.HTTPSPort, 443)
	case rule.Secure == sunya.SecureAlways && x.client.scheme == "http" && x.client.proxied:
		host = x.host
	case rule.Secure == sunya.SecureNever && x.client.scheme == "https" && x.g.opts.HTTPPort > 0:
		scheme, host = "http", withPort(x.host, x.g.opts.HTTPPort, 80)
	default:
		return p, false
	}
	x.status = cmp.Or(rule.RedirectStatus, http.StatusFound)
	return reply{
		status: x.status,
		header: http1.Header{{Name: "Location", Value: scheme + "://" + host + x.target}},
		body:   []byte{},
	}, true
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
