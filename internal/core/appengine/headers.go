package appengine

import (
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/http1"
)

// Headers adds App Engine's own headers to requests. The gateway has removed
// whatever a client sent under these names.
type Headers struct{}

var _ gateway.Decorator = Headers{}

// Decorate implements gateway.Decorator. Where the client is, is not known: ZZ,
// ? and 0,0 are what Google sends then.
func (Headers) Decorate(h http1.Header, info gateway.RequestInfo) http1.Header {
	https := "off"
	if info.Scheme == "https" {
		https = "on"
	}
	h.Add("X-Appengine-Country", "ZZ")
	h.Add("X-Appengine-City", "?")
	h.Add("X-Appengine-Citylatlong", "0.000000,0.000000")
	h.Add("X-Appengine-Https", https)
	h.Add("X-Appengine-User-Ip", info.ClientIP)
	h.Add("X-Appengine-Request-Log-Id", info.RequestID)
	h.Add("X-Appengine-Default-Version-Hostname", info.DefaultHost)
	return h
}
