package hoststack

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// loopbackRE finds the host of a URL on this machine: scheme and user, host,
// port, and what ends it.
var loopbackRE = regexp.MustCompile(`([a-z][a-z0-9+.-]*)(://(?:[^/@\s,|]*@)?)(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?([/?#,|\s]|$)`)

var defaultPorts = map[string]string{"http": ":80", "https": ":443", "socks5": ":1080", "socks5h": ":1080"}

// throughGateway makes the settings that name this machine's loopback name the
// gateway of the sandbox instead, which leads there, and returns the addresses
// on the loopback that the network policy must let through.
func throughGateway(env map[string]string) []string {
	var addrs []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		var found []string
		env[name], found = redirect(env[name])
		addrs = append(addrs, found...)
	}
	slices.Sort(addrs)
	addrs = slices.Compact(addrs)
	if len(addrs) > 0 {
		trustGateway(env, addrs)
	}
	return addrs
}

// redirect makes the URLs in a text that name the loopback name the gateway.
func redirect(text string) (redirected string, addrs []string) {
	redirected = loopbackRE.ReplaceAllStringFunc(text, func(url string) string {
		m := loopbackRE.FindStringSubmatch(url)
		port := m[3]
		if port == "" {
			port = defaultPorts[m[1]]
		}
		if port == "" {
			return url
		}
		addrs = append(addrs, "127.0.0.1"+port)
		return m[1] + m[2] + sandbox.GatewayIP + port + m[4]
	})
	return redirected, addrs
}

// trustGateway lets installers use the gateway as they would use localhost:
// without TLS, and not through a proxy.
func trustGateway(env map[string]string, addrs []string) {
	var hosts []string
	for _, a := range addrs {
		hosts = append(hosts, strings.Replace(a, "127.0.0.1", sandbox.GatewayIP, 1))
	}
	for _, name := range []string{"PIP_TRUSTED_HOST", "UV_INSECURE_HOST"} {
		env[name] = strings.TrimSpace(env[name] + " " + strings.Join(hosts, " "))
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if env[name] != "" {
			env[name] += "," + sandbox.GatewayIP
		}
	}
}
