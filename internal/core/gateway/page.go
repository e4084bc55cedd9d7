package gateway

import (
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/activator"
)

// fail answers a request that no instance answered.
func (x *exchange) fail(err error) {
	a := answerFor(err)
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
		after := max(activator.RetryAfter(err), time.Second)
		x.w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		x.w.Header().Set("Connection", "close") // where the next request begins is unknown
	}
	x.page(a)
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
	h.Set("Content-Length", strconv.Itoa(len(text)))
	x.w.WriteHeader(a.status)
	if x.r.Method == http.MethodHead {
		return
	}
	n, _ := x.w.Write([]byte(text)) // nobody is left to tell
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
