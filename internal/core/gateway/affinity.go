package gateway

import (
	"net/http"
	"strings"
)

// AffinityCookie keeps a client on one instance of a service with session
// affinity (Cloud Run, which names it so).
const AffinityCookie = "GAESA"

// affinityAge is how long a client keeps it: 30 days, as Cloud Run says.
const affinityAge = "2592000"

// affinityKey is what the cookie says of an instance: the random end of its id.
func affinityKey(instance string) string {
	return instance[strings.LastIndexByte(instance, '-')+1:]
}

// lastInstance is the key of the instance that the client was on, or empty.
func (x *exchange) lastInstance() string {
	cookie, err := x.r.Cookie(AffinityCookie)
	if err != nil || len(cookie.Value) > 64 {
		return ""
	}
	return cookie.Value
}

// keepOnInstance tells the client which instance it is on, when that is news.
func (x *exchange) keepOnInstance(h http.Header) {
	if !x.rev.Affinity {
		return
	}
	if key := affinityKey(x.instance); key != x.prefer {
		h.Add("Set-Cookie", AffinityCookie+"="+key+"; Path=/; Max-Age="+affinityAge+"; HttpOnly")
	}
}
