package gateway

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/http1"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// hopByHop reports whether a header is of one connection (RFC 9110 §7.6.1), or
// would make a CGI-style server believe in a proxy (httpoxy). name is canonical.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Expect", "Http2-Settings", "Keep-Alive", "Proxy", "Proxy-Authenticate", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
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

// requestHeader adds to out what of a client's header an instance may see.
func requestHeader(out, in http1.Header) http1.Header {
	drop := listed(in)
	for _, f := range in {
		if f.Name == "Te" && http1.HasToken(f.Value, "trailers") && !out.Has("Te") {
			out.Add("Te", "trailers")
		}
		if hopByHop(f.Name) || owned(f.Name) || slices.Contains(drop, f.Name) {
			continue
		}
		if f.Name == "User-Agent" && (f.Value == "" || out.Has(f.Name)) {
			continue // it is one or none, as net/http sends it
		}
		if strings.IndexByte(f.Name, '_') >= 0 && ambiguous(in, f.Name) {
			continue
		}
		out = append(out, f)
	}
	return out
}

// purifyTrailer removes from a client's trailers what it could not send as a
// header: servers merge the two (RFC 9110 §6.5.1).
func purifyTrailer(t http.Header) {
	for name := range t {
		if d := dashed(name); hopByHop(d) || owned(d) || framing(d) {
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
func ambiguous(in http1.Header, name string) bool {
	dashed := dashed(name)
	if hopByHop(dashed) || owned(dashed) || framing(dashed) {
		return true
	}
	for i := range in {
		if in[i].Name != name && dashedEqual(in[i].Name, dashed) {
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

// listed returns the headers that Connection names (RFC 9110 §7.6.1), canonical.
func listed(h http1.Header) []string {
	var out []string
	for v := range h.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name == "" || strings.EqualFold(name, "keep-alive") || strings.EqualFold(name, "close") {
				continue // most of them
			}
			name = textproto.CanonicalMIMEHeaderKey(name)
			// A client cannot have end-to-end headers removed that decide what
			// a request means.
			if name == "Host" || name == "Authorization" || name == "Cookie" || name == "Content-Length" {
				continue
			}
			out = append(out, name)
		}
	}
	return out
}

// passedOn adds to out a response's headers, without those of the connection
// between gateway and instance.
func passedOn(out, in http1.Header) http1.Header {
	drop := listed(in)
	for _, f := range in {
		if !hopByHop(f.Name) && !slices.Contains(drop, f.Name) {
			out = append(out, f)
		}
	}
	return out
}

// trailerOf is what the client sees of a response's trailer: nothing in it can
// say what the message is.
func trailerOf(in http1.Header) http1.Header {
	return slices.DeleteFunc(passedOn(nil, in), func(f http1.Field) bool { return framing(f.Name) })
}

// responseHeader adds to out what the client sees of an instance's header.
func (x *exchange) responseHeader(out, in http1.Header) http1.Header {
	out = passedOn(out, in)
	if x.rev.Product == sunya.CloudFunctions {
		out.Del("X-Google-Status") // a functions framework's word to the platform: crash, error
	}
	if !setsCookie(out, serving.Cookie) {
		out = x.keepOnRevision(out)
	}
	out = x.keepOnInstance(out)
	if x.rev.Product == sunya.CloudRun && out.Has("Set-Cookie") {
		keepPrivate(&out)
	}
	return out
}

// setsCookie reports whether a response sets a cookie itself.
func setsCookie(h http1.Header, name string) bool {
	for v := range h.Values("Set-Cookie") {
		if strings.HasPrefix(v, name+"=") {
			return true
		}
	}
	return false
}

// keepPrivate keeps a response that sets cookies out of shared caches (Cloud
// Run).
func keepPrivate(h *http1.Header) {
	for v := range h.Values("Cache-Control") {
		if http1.HasToken(v, "private") || http1.HasToken(v, "no-store") || http1.HasToken(v, "no-cache") {
			return
		}
	}
	h.Set("Cache-Control", "private")
}

// keepOnRevision gives the client its bucket where a split goes by cookie.
func (x *exchange) keepOnRevision(h http1.Header) http1.Header {
	if x.sticky {
		h.Add("Set-Cookie", serving.Cookie+"="+strconv.Itoa(x.bucket)+"; Path=/")
	}
	return h
}

// programHeader adds to h what the program sees: the client's header, purified,
// with what the platform adds.
func (x *exchange) programHeader(h http1.Header) http1.Header {
	h = requestHeader(h, x.header)
	h.Add("X-Forwarded-For", x.client.via)
	h.Add("X-Forwarded-Proto", x.client.scheme)
	mark := len(x.texts)
	x.texts = x.client.appendForwarded(x.texts, x.host)
	h.Add("Forwarded", x.text(mark))
	mark = len(x.texts)
	x.texts = x.trace.appendCloud(x.texts)
	h.Add(headerCloudTrace, x.text(mark))
	mark = len(x.texts)
	x.texts = x.trace.appendParent(x.texts)
	h.Add(headerTraceparent, x.text(mark))
	if x.unsigned != "" {
		h.Set("Authorization", x.unsigned)
	}
	if d := x.g.Decorators[x.rev.Product]; d != nil {
		h = d.Decorate(h, x.info())
	}
	return h
}
