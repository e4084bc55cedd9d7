package gateway

import (
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/http1"
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
	key := x.cookie(AffinityCookie)
	if len(key) > 64 {
		return ""
	}
	return key
}

// keepOnInstance tells the client which instance it is on, when that is news.
func (x *exchange) keepOnInstance(h http1.Header) http1.Header {
	if !x.rev.Affinity {
		return h
	}
	if key := affinityKey(x.instance); key != x.prefer {
		h.Add("Set-Cookie", AffinityCookie+"="+key+"; Path=/; Max-Age="+affinityAge+"; HttpOnly")
	}
	return h
}
