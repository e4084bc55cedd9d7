package gateway

import (
	"net/http"
	"net/textproto"
	"strings"
)

// hopByHop are the headers of one connection (RFC 9110 §7.6.1), and those that
// would make a CGI-style server believe in a proxy (httpoxy).
var hopByHop = map[string]bool{
	"Connection":          true,
	"Expect":              true,
	"Http2-Settings":      true,
	"Keep-Alive":          true,
	"Proxy":               true,
	"Proxy-Authenticate":  true,
	"Proxy-Authorization": true,
	"Proxy-Connection":    true,
	"Te":                  true,
	"Trailer":             true,
	"Transfer-Encoding":   true,
	"Upgrade":             true,
}

// ownedPrefixes begin the names that only the platform sets (robustness.md
// rule 19; contracts.md 1.5).
var ownedPrefixes = []string{
	"X-Appengine-",
	"X-Cloudscheduler",
	"X-Cloudtasks-",
	"X-Forwarded-",
	"X-Goog-",
	"X-Google-",
}

// owned reports whether only the platform sets a header. name is canonical.
func owned(name string) bool {
	switch name {
	case "Forwarded", headerCloudTrace, headerTraceparent, serverlessAuthorization:
		return true
	}
	if len(name) < 2 || name[:2] != "X-" {
		return false
	}
	for _, p := range ownedPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// requestHeader returns what of a client's header an instance may see.
func requestHeader(in http.Header) http.Header {
	out := make(http.Header, len(in)+8)
	drop := listed(in)
	for name, values := range in {
		if hopByHop[name] || owned(name) || drop[name] {
			continue
		}
		if strings.Contains(name, "_") && ambiguous(in, name) {
			continue
		}
		out[name] = values
	}
	for _, te := range in["Te"] {
		if hasToken(te, "trailers") {
			out["Te"] = []string{"trailers"}
		}
	}
	return out
}

// purifyTrailer removes from a client's trailers what it could not send as a
// header: servers merge the two (RFC 9110 §6.5.1).
func purifyTrailer(t http.Header) {
	for name := range t {
		if d := dashed(name); hopByHop[d] || owned(d) || framing(d) {
			delete(t, name)
		}
	}
}

// framing reports whether a header says what a message is.
func framing(name string) bool {
	switch name {
	case "Host", "Content-Length", "Content-Type":
		return true
	}
	return false
}

// ambiguous reports whether a name with underscores would be taken for another
// one by a CGI-style server, which turns - and _ into the same (rule 20).
func ambiguous(in http.Header, name string) bool {
	dashed := dashed(name)
	if hopByHop[dashed] || owned(dashed) || framing(dashed) {
		return true
	}
	for other := range in {
		if other != name && dashedEqual(other, dashed) {
			return true
		}
	}
	return false
}

func dashed(name string) string {
	return textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

func dashedEqual(name, want string) bool {
	return len(name) == len(want) && dashed(name) == want
}

// listed returns the headers that Connection names (RFC 9110 §7.6.1).
func listed(h http.Header) map[string]bool {
	var out map[string]bool
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
			// A client cannot have end-to-end headers removed that decide what
			// a request means.
			if name == "" || name == "Close" || name == "Host" || name == "Authorization" || name == "Cookie" || name == "Content-Length" {
				continue
			}
			if out == nil {
				out = map[string]bool{}
			}
			out[name] = true
		}
	}
	return out
}

// hasToken reports whether a comma-separated list has a token, in any case and
// whatever parameters follow it.
func hasToken(list, token string) bool {
	for part := range strings.SplitSeq(list, ",") {
		part, _, _ = strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(part), token) {
			return true
		}
	}
	return false
}

// copyResponseHeader gives the client the instance's headers, without those of
// the connection between gateway and instance.
func copyResponseHeader(dst, src http.Header) {
	drop := listed(src)
	for name, values := range src {
		if !hopByHop[name] && !drop[name] {
			dst[name] = values
		}
	}
	if _, ok := dst["Content-Type"]; !ok {
		dst["Content-Type"] = nil // net/http would guess one
	}
}

// wantsWebSocket reports whether a request asks for the one protocol that it
// may switch to (rule 21).
func wantsWebSocket(r *http.Request) bool {
	if r.ProtoMajor != 1 || r.Method != http.MethodGet || len(r.Header["Upgrade"]) != 1 {
		return false
	}
	if !strings.EqualFold(r.Header["Upgrade"][0], "websocket") {
		return false
	}
	for _, v := range r.Header["Connection"] {
		if hasToken(v, "upgrade") {
			return true
		}
	}
	return false
}
