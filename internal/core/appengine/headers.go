package appengine

import (
	"net/http"

	"github.com/sunya-cloud/sunya/internal/core/gateway"
)

// Headers adds App Engine's own headers to requests. The gateway has removed
// whatever a client sent under these names.
type Headers struct{}

var _ gateway.Decorator = Headers{}

// Decorate implements gateway.Decorator. Where the client is, is not known: ZZ,
// ? and 0,0 are what Google sends then.
func (Headers) Decorate(h http.Header, info gateway.RequestInfo) {
	https := "off"
	if info.Scheme == "https" {
		https = "on"
	}
	h.Set("X-Appengine-Country", "ZZ")
	h.Set("X-Appengine-City", "?")
	h.Set("X-Appengine-CityLatLong", "0.000000,0.000000")
	h.Set("X-Appengine-Https", https)
	h.Set("X-Appengine-User-Ip", info.ClientIP)
	h.Set("X-Appengine-Request-Log-Id", info.RequestID)
	h.Set("X-Appengine-Default-Version-Hostname", info.DefaultHost)
}
