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
	"github.com/sunya-cloud/sunya/internal/core/http1"
)

// failed is the answer to a request that no instance answered; nothing to one
// that has an answer already, or whose client is gone.
func (x *exchange) failed(err error, gone bool) (p reply, ok bool) {
	a := x.inProduct(answerFor(err))
	if gone && a.status != http.StatusRequestTimeout {
		a = answer{status: statusClientGone}
	}
	x.status, x.problem = a.status, err.Error()
	if a.status == http.StatusInternalServerError {
		x.g.log.Error("request failed", "request", x.id, "host", x.host, "err", err)
	}
	if a.status == statusClientGone || x.began {
		return p, false
	}
	switch {
	case x.grpc() && x.major == 2:
		p = x.grpcStatus(a)
	default:
		if p, ok = x.ownPage(a.status); !ok {
			p = x.page(a)
		}
	}
	switch a.status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if broken(err) {
			break // it may have done what it was asked
		}
		after := max(activator.RetryAfter(err), time.Second)
		p.header.Set("Retry-After", strconv.Itoa(int(after.Seconds())))
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		p.header.Set("Connection", "close") // where the next request begins is unknown
	}
	if x.allow != "" {
		p.header.Set("Allow", x.allow)
	}
	if x.challenge != "" {
		p.header.Set("Www-Authenticate", x.challenge)
	}
	return p, true
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
func (x *exchange) ownPage(status int) (r reply, ok bool) {
	if x.rev == nil || len(x.rev.ErrorPages) == 0 || x.rev.Site == "" {
		return r, false
	}
	p, ok := pageFor(x.rev.ErrorPages, status)
	if !ok {
		return r, false
	}
	site, err := x.site()
	if err != nil {
		x.g.log.Error("open error page", "revision", x.rev.Name, "err", err)
		return r, false
	}
	body, ok := site.ReadAll(p.File)
	if !ok {
		return r, false
	}
	return reply{status: status, body: body, header: http1.Header{
		{Name: "Content-Type", Value: cmp.Or(p.MIMEType, "text/html")},
		{Name: "Cache-Control", Value: "no-store"},
	}}, true
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

// page is a small page in the form that the client asks for.
func (x *exchange) page(a answer) reply {
	title := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	text := fmt.Sprintf("%s\n%s\n", title, sentence(a.text))
	if a.hint != "" {
		text += a.hint + "\n"
	}
	text += "Request: " + x.id + "\n"
	kind := "text/plain; charset=utf-8"
	if strings.Contains(x.header.Get("Accept"), "text/html") {
		kind = "text/html; charset=utf-8"
		text = htmlPage(title, a, x.id)
	}
	return reply{status: a.status, body: []byte(text), header: http1.Header{
		{Name: "Content-Type", Value: kind},
		{Name: "Cache-Control", Value: "no-store"},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
		{Name: "Content-Security-Policy", Value: "default-src 'none'"},
	}}
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
