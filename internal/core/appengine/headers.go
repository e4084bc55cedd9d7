package appengine

import (
	"net/http"
)

// RequestInfo is what the gateway knows about a request that it sends to an
// application.
type RequestInfo struct {
	ClientIP string
	HTTPS    bool
	LogID    string // id of the request's log entry
	Project  string
}

// Decorator adds App Engine's own headers to requests. The gateway has removed
// whatever a client sent under these names.
type Decorator struct {
	Hostname func(project string) string // the application's default host name
}

// Decorate sets the headers of contracts 1.5. Where the client is, is not
// known: ZZ, ? and 0,0 are what Google sends then.
func (d Decorator) Decorate(h http.Header, info RequestInfo) {
	https := "off"
	if info.HTTPS {
		https = "on"
	}
	h.Set("X-Appengine-Country", "ZZ")
	h.Set("X-Appengine-City", "?")
	h.Set("X-Appengine-CityLatLong", "0.000000,0.000000")
	h.Set("X-Appengine-Https", https)
	h.Set("X-Appengine-User-Ip", info.ClientIP)
	h.Set("X-Appengine-Request-Log-Id", info.LogID)
	h.Set("X-Appengine-Default-Version-Hostname", d.Hostname(info.Project))
}
