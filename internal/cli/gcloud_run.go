package cli

import (
	"cmp"
	"context"
	"net"
	"net/url"
	"slices"
	"time"
)

// gcloud writes the region in front of the host that Cloud Run's API is at:
// us-central1-run.api.localhost. So that host has to be a name, and all names
// below it have to lead to the server.

// runEndpoint are the properties that lead gcloud run to a server. domain is the
// server's. Where its names are not known here, gcloud takes the server itself for
// a proxy: then nobody has to know them.
func runEndpoint(ctx context.Context, env *Env, base *url.URL, domain string) []property {
	host := "run.api." + domain
	port := base.Port()
	at := host
	if port != "" {
		at = net.JoinHostPort(host, port)
	}
	out := []property{{"api_endpoint_overrides", "run", base.Scheme + "://" + at + "/"}}
	switch {
	case env.leads(ctx, "us-central1-"+host, base.Hostname()):
	case base.Scheme == "http":
		out = append(out,
			property{"proxy", "type", "http"},
			property{"proxy", "address", base.Hostname()},
			property{"proxy", "port", cmp.Or(port, "80")})
	default:
		env.warnf("gcloud run will not find the server: *.api.%s does not lead to %s; give the domain's names an address", domain, base.Hostname())
	}
	return out
}

// lookupTimeout is how long a name may take to be found.
const lookupTimeout = 2 * time.Second

// leads reports whether a name leads to a server, whose own name or address is
// host.
func (e *Env) leads(ctx context.Context, name, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	lookup := e.LookupHost
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	want, err := lookup(ctx, host)
	if err != nil {
		return false
	}
	got, err := lookup(ctx, name)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(got, func(a string) bool {
		return slices.Contains(want, a) || loopback(a) && slices.ContainsFunc(want, loopback)
	})
}

func loopback(address string) bool {
	ip := net.ParseIP(address)
	return ip != nil && ip.IsLoopback()
}
