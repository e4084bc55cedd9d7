package front

import (
	"net/netip"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// hostClass is what a host name stands for.
type hostClass uint8

// The classes.
const (
	hostApps hostClass = iota
	hostAPI
	hostConsole
)

// role is the role that a listener needs to serve the class.
func (c hostClass) role() Role {
	switch c {
	case hostAPI:
		return API
	case hostConsole:
		return Console
	}
	return Apps
}

// CanonicalHost returns the one form of a Host header: lower case, no port, no
// trailing dot, no brackets, addresses as netip prints them (IPv4-mapped ones
// as IPv4). Punycode stays as it is. What cannot be a host is InvalidArgument.
func CanonicalHost(s string) (string, error) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		inner, after, ok := strings.Cut(rest, "]")
		if !ok || after != "" && !isPort(after) {
			return "", badHost(s)
		}
		ip, err := netip.ParseAddr(inner)
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", badHost(s)
		}
		return ip.Unmap().String(), nil
	}
	name := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		if !isPort(s[i:]) {
			return "", badHost(s)
		}
		name = s[:i]
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !isHostName(name) {
		return "", badHost(s)
	}
	return name, nil
}

func badHost(s string) error { return sunya.Invalid("host", "%.80q is not a host name", s) }

// isPort says whether s is a colon and a decimal port, or a colon alone (RFC
// 3986 §3.2.3 allows an empty port).
func isPort(s string) bool {
	if len(s) == 0 || len(s) > 6 || s[0] != ':' {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isHostName says whether s is made of DNS labels, in lower case. Underscores
// exist in the wild.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// hosts tells hosts apart.
type hosts struct{ domain string }

// classify returns what a canonical host stands for on a listener with these
// roles, reached at its address local (which may be invalid).
func (h hosts) classify(host string, local netip.Addr, roles Role) hostClass {
	switch host {
	case "localhost", "127.0.0.1", "::1", "api." + h.domain:
		return hostAPI
	case "console." + h.domain:
		return hostConsole
	}
	if strings.HasSuffix(host, ".api."+h.domain) || strings.HasSuffix(host, apiSuffix) {
		return hostAPI // also by the name that it has at Google, which a caller may have pointed here
	}
	// By its bare address a listener is the API if it has it at all.
	if roles.Has(API) && local.IsValid() && host == local.String() {
		return hostAPI
	}
	return hostApps
}

// apiLabel returns LABEL of LABEL.api.DOMAIN, else "".
func (h hosts) apiLabel(host string) string {
	label, ok := strings.CutSuffix(host, ".api."+h.domain)
	if !ok {
		return ""
	}
	return label
}
