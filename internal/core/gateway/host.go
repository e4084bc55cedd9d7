package gateway

import "strings"

// label returns what stands in front of the domain in a canonical host, and
// whether it can be the label of a service. App Engine's region part is left
// out: PROJECT.uc.r.DOMAIN is PROJECT.DOMAIN.
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

// isRegion recognises "uc.r", "ew.r" and their like.
func isRegion(s string) bool {
	id, ok := strings.CutSuffix(s, ".r")
	return ok && id != "" && !strings.Contains(id, ".")
}
