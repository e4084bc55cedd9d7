package gateway

import "strings"

// InternalDomain is what names of services stand in front of inside instances.
const InternalDomain = "sunya.internal"

// label returns what stands in front of the domain in a canonical host, and
// whether it can be the label of a service.
func (x *exchange) label(host string) (label string, ok bool) {
	if x.caller != nil {
		if label, ok := strings.CutSuffix(host, "."+InternalDomain); ok && label != "" {
			return label, true
		}
	}
	return x.g.label(host)
}

// label leaves App Engine's region part out: PROJECT.uc.r.DOMAIN is
// PROJECT.DOMAIN.
func (g *Gateway) label(host string) (label string, ok bool) {
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

// Knows reports whether an instance reaches a service under a host.
func (g *Gateway) Knows(host string) bool {
	label, ok := g.label(host)
	if internal, is := strings.CutSuffix(host, "."+InternalDomain); is {
		label, ok = internal, internal != ""
	}
	if !ok {
		return false
	}
	_, ok = g.Catalog.Table().Lookup(label)
	return ok || label == functionsLabel
}

// isRegion recognises "uc.r", "ew.r" and their like.
func isRegion(s string) bool {
	id, ok := strings.CutSuffix(s, ".r")
	return ok && id != "" && !strings.Contains(id, ".")
}
