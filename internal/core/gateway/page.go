package gateway

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/activator"
)

// fail answers a request that no instance answered.
func (x *exchange) fail(err error) {
	a := x.inProduct(answerFor(err))
	// To net/http a client whose body is too slow has left, too.
	if x.r.Context().Err() != nil && a.status != http.StatusRequestTimeout {
		a = answer{status: statusClientGone}
	}
	x.status, x.problem = a.status, err.Error()
	if a.status == http.StatusInternalServerError {
		x.g.log.Error("request failed", "request", x.id, "host", x.r.Host, "err", err)
	}
	if a.status == statusClientGone || x.began {
		return
	}
	clear(x.w.Header())
	switch a.status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if broken(err) {
			break // it may have done what it was asked
		}
		after := max(activator.RetryAfter(err), time.Second)
		x.w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		x.w.Header().Set("Connection", "close") // where the next request begins is unknown
	}
	if x.allow != "" {
		x.w.Header().Set("Allow", x.allow)
	}
	if x.challenge != "" {
		x.w.Header().Set("Www-Authenticate", x.challenge)
	}
	switch {
	case x.grpc && x.r.ProtoMajor == 2:
		x.grpcStatus(a)
	case !x.ownPage(a.status):
		x.page(a)
	}
}

// inProduct is an answer with the status that the product has for it: Cloud Run
// calls an instance that broke off unavailable.
func (x *exchange) inProduct(a answer) answer {
	if a.status == http.StatusBadGateway && x.rev != nil && x.rev.Product == sunya.CloudRun {
		a.status = http.StatusServiceUnavailable
	}
	return a
}

// ownPage answers with the page that the revision has for such an error.
func (x *exchange) ownPage(status int) bool {
	if x.rev == nil || len(x.rev.ErrorPages) == 0 || x.rev.Site == "" {
		return false
	}
	p, ok := pageFor(x.rev.ErrorPages, status)
	if !ok {
		return false
	}
	site, err := x.site()
	if err != nil {
		x.g.log.Error("open error page", "revision", x.rev.Name, "err", err)
		return false
	}
	body, ok := site.ReadAll(p.File)
	if !ok {
		return false
	}
	h := x.w.Header()
	h.Set("Content-Type", cmp.Or(p.MIMEType, "text/html"))
	h.Set("Cache-Control", "no-store")
	x.answerWith(status, body)
	return true
}

// pageFor returns the page for a status that the platform answers with.
func pageFor(pages []sunya.ErrorPage, status int) (page sunya.ErrorPage, ok bool) {
	kind := sunya.ErrorDefault
	switch {
	case status == http.StatusGatewayTimeout:
		kind = sunya.ErrorTimeout
	case status == http.StatusTooManyRequests:
		kind = sunya.ErrorOverQuota
	case status < http.StatusInternalServerError:
		return page, false // the client's own mistake
	}
	for _, p := range pages {
		if p.On == kind {
			return p, true
		}
		if p.On == sunya.ErrorDefault {
			page, ok = p, true
		}
	}
	return page, ok
}

// page writes a small page in the form that the client asks for.
func (x *exchange) page(a answer) {
	h := x.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	title := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	text := fmt.Sprintf("%s\n%s\n", title, sentence(a.text))
	if a.hint != "" {
		text += a.hint + "\n"
	}
	text += "Request: " + x.id + "\n"
	if strings.Contains(x.r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/html; charset=utf-8")
		text = htmlPage(title, a, x.id)
	} else {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	x.answerWith(a.status, []byte(text))
}

// answerWith sends a whole small response.
func (x *exchange) answerWith(status int, body []byte) {
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		return
	}
	n, _ := x.w.Write(body) // nobody is left to tell
	x.sent = int64(n)
}

func htmlPage(title string, a answer, id string) string {
	esc := html.EscapeString
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>\n", esc(title))
	fmt.Fprintf(&b, "<h1>%s</h1>\n<p>%s</p>\n", esc(title), esc(sentence(a.text)))
	if a.hint != "" {
		fmt.Fprintf(&b, "<p>%s</p>\n", esc(a.hint))
	}
	fmt.Fprintf(&b, "<p><small>Request %s</small></p>\n</html>\n", esc(id))
	return b.String()
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
