package front

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Role is what a listener is for; roles add up.
type Role uint8

// The roles.
const (
	Apps    Role = 1 << iota // the gateway
	API                      // admin APIs
	Console                  // web console
)

// AllRoles is what a listener on loopback has unless told otherwise.
const AllRoles = Apps | API | Console

// roleNames are the roles in the order in which they are written.
var roleNames = []struct {
	role Role
	name string
}{{Apps, "apps"}, {API, "api"}, {Console, "console"}}

// Has says whether all of want are among the roles.
func (r Role) Has(want Role) bool { return r&want == want }

// String returns the roles as ParseSpec reads them: apps+api.
func (r Role) String() string {
	var names []string
	for _, n := range roleNames {
		if r.Has(n.role) {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, "+")
}

// Spec is a listener as it is asked for: --listen ADDR[,roles=apps+api+console].
type Spec struct {
	Host  string // empty: every address of the machine
	Port  int    // 0: any free one
	Roles Role
}

// ParseSpec reads a Spec. Without roles a listener on loopback has all of them;
// any other has to say which, and never apps beside the others: what the
// internet sees is not what administers.
func ParseSpec(s string) (Spec, error) {
	addr, options, hasOptions := strings.Cut(s, ",")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return Spec{}, sunya.Errorf(sunya.InvalidArgument, "", "%q is not an address: use HOST:PORT, such as 127.0.0.1:8080", addr)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Spec{}, sunya.Errorf(sunya.InvalidArgument, "", "%q is not a port: use 0 to 65535", port)
	}
	spec := Spec{Host: host, Port: int(n)}
	if host != "" {
		if spec.Host, err = CanonicalHost(hostOnly(host)); err != nil {
			return Spec{}, sunya.Errorf(sunya.InvalidArgument, "", "%q is not a host name or address", host)
		}
	}
	if hasOptions {
		if spec.Roles, err = parseRoles(options); err != nil {
			return Spec{}, err
		}
	} else if spec.Loopback() {
		spec.Roles = AllRoles
	}
	return spec, spec.check()
}

// hostOnly puts an IPv6 address back into brackets.
func hostOnly(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// parseRoles reads roles=apps+api.
func parseRoles(s string) (Role, error) {
	names, ok := strings.CutPrefix(s, "roles=")
	if !ok {
		return 0, sunya.Errorf(sunya.InvalidArgument, "", "%q is not an option: only roles=apps+api+console is", s)
	}
	var roles Role
	for name := range strings.SplitSeq(names, "+") {
		role := roleNamed(name)
		if role == 0 {
			return 0, sunya.Errorf(sunya.InvalidArgument, "", "%q is not a role: use apps, api or console", name)
		}
		roles |= role
	}
	return roles, nil
}

// roleNamed returns the role of that name, or 0.
func roleNamed(name string) Role {
	for _, n := range roleNames {
		if n.name == name {
			return n.role
		}
	}
	return 0
}

// check enforces rule 18 of the security rules.
func (s Spec) check() error {
	switch {
	case s.Roles == 0:
		return sunya.Errorf(sunya.InvalidArgument, "", "%s is not a loopback address: say what it is for with ,roles=apps or ,roles=api+console", s.Addr())
	case !s.Loopback() && s.Roles.Has(Apps) && s.Roles != Apps:
		return sunya.Errorf(sunya.InvalidArgument, "", "%s is not a loopback address: it may have roles=apps or roles=api+console, not both", s.Addr())
	}
	return nil
}

// Loopback says whether only this machine can connect.
func (s Spec) Loopback() bool {
	if s.Host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(s.Host)
	return err == nil && ip.IsLoopback()
}

// Addr returns HOST:PORT for net.Listen.
func (s Spec) Addr() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }
