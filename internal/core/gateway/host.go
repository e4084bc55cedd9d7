package gateway

import "strings"

// canonicalHost is the one form of a host that decisions are made on: lower
// case, without port, trailing dot and brackets.
func canonicalHost(host string) string {
	if strings.HasPrefix(host, "[") {
		host, _, _ = strings.Cut(host[1:], "]")
		return strings.ToLower(host)
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// Label returns what stands in front of the domain in a Host header, and
// whether it can be the label of a service. App Engine's region part is left
// out: PROJECT.uc.r.DOMAIN is PROJECT.DOMAIN.
func (g *Gateway) Label(host string) (label string, ok bool) {
	host = canonicalHost(host)
	for _, domain := range g.opts.Domains {
		rest, found := strings.CutSuffix(host, "."+domain)
		if !found || rest == "" {
			continue
		}
		label, region, _ := strings.Cut(rest, ".")
		if region == "" || isRegion(region) {
			return label, true
		}
	}
	return "", false
}

// isRegion recognises "uc.r", "ew.r" and their like.
func isRegion(s string) bool {
	id, ok := strings.CutSuffix(s, ".r")
	return ok && id != "" && !strings.Contains(id, ".")
}
