package appengine

import (
	"net/http"

	"github.com/sunya-cloud/sunya"
)

// The address that Google's own warm-up and start requests come from (App
// Engine standard, "Configuring warmup requests" and its request logs).
const lifecycleIP = "0.1.0.3"

// automatic reports whether a version follows its requests; it is the default.
func (v *Version) automatic() bool { return v.Scaling.Basic == nil && v.Scaling.Manual == nil }

// lifecycle is the requests that App Engine makes to an instance (App Engine
// standard, "How instances are managed"): /_ah/start and /_ah/stop with basic
// and manual scaling, where 2xx and 404 count as started, and /_ah/warmup with
// automatic scaling, when inbound_services asks for it.
func (a *Admin) lifecycle(v *Version) sunya.Lifecycle {
	call := func(path string, accept ...int) sunya.Call {
		return sunya.Call{
			Path:   path,
			Host:   v.Label() + "." + a.Domain,
			Accept: accept,
			Header: map[string]string{
				"X-Forwarded-For":     lifecycleIP,
				"X-Forwarded-Proto":   "http",
				"X-Appengine-User-Ip": lifecycleIP,
				"X-Appengine-Country": "ZZ",
				"X-Appengine-Https":   "off",
			},
		}
	}
	switch {
	case !v.automatic():
		return sunya.Lifecycle{Start: call("/_ah/start", http.StatusNotFound), Stop: call("/_ah/stop")}
	case v.WarmUp:
		return sunya.Lifecycle{WarmUp: call("/_ah/warmup")}
	}
	return sunya.Lifecycle{}
}
