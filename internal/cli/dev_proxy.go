package cli

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/dev"
)

// devProxy is where a session's pages are. It hands every request to the
// platform as it is, and the answer back as it is; only while the newest source
// is broken does it answer pages itself, with what is wrong.
type devProxy struct {
	session  *devSession
	listener net.Listener
	forward  *httputil.ReverseProxy
}

// newDevProxy listens, and gives each service its URL.
func newDevProxy(s *devSession) (*devProxy, error) {
	l, err := listenNear(s.opts.port)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	for i, svc := range s.services {
		svc.url = "http://" + net.JoinHostPort(svc.host, port)
		if i == 0 {
			svc.url = "http://" + net.JoinHostPort("localhost", port)
		}
	}
	s.url = s.services[0].url
	p := &devProxy{session: s, listener: l}
	p.forward = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { p.rewrite(r, port) },
		Transport:     s.server.client.appsTransport(),
		FlushInterval: -1, // streams stay streams
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  p.unreachable,
	}
	return p, nil
}

// listenNear takes the port on loopback, or a free one when it is taken.
func listenNear(port int) (net.Listener, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		l, err = net.Listen("tcp4", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen for pages: %w", err)
	}
	return l, nil
}

// closeTimeout is how long requests may go on after the end was asked for.
const closeTimeout = time.Second

// run serves until ctx ends, whose cause it returns.
func (p *devProxy) run(ctx context.Context) error {
	srv := &http.Server{Handler: p, ReadHeaderTimeout: 30 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	stop := context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if srv.Shutdown(late) != nil {
			_ = srv.Close() // a stream that never ends is cut off
		}
	})
	defer stop()
	err := srv.Serve(p.listener)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("serve pages: %w", err)
}

// devPaths is where the session's own pages are; nothing of it reaches the app.
const devPaths = "/_sunya/dev/"

// continueCookie names the failure that somebody has chosen to look past.
const continueCookie = "sunya-dev-continue"

// ServeHTTP implements http.Handler.
func (p *devProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	svc := p.service(r.Host)
	state := svc.loop.State()
	switch {
	case r.URL.Path == devPaths+"state":
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintf(w, "%d %t\n", state.Deploys, state.Failure != nil || !state.Good)
	case r.URL.Path == devPaths+"continue":
		p.goOn(w, r, state)
	case state.Good && (state.Failure == nil || !wantsPage(r) || wentOn(r, state)):
		p.forward.ServeHTTP(w, r)
	default:
		p.showFailure(w, r, svc, state)
	}
}

// service is the one whose host was asked for; localhost and addresses mean the
// first.
func (p *devProxy) service(host string) *devService {
	host = withoutPort(host)
	for _, svc := range p.session.services {
		if strings.EqualFold(svc.host, host) {
			return svc
		}
	}
	return p.session.services[0]
}

// withoutPort is a host name as names are compared.
func withoutPort(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// rewrite addresses a request to the platform under the service's own name. The
// port is that of the pages, so that a link the app makes of it leads back here.
func (p *devProxy) rewrite(r *httputil.ProxyRequest, port string) {
	svc := p.service(r.In.Host)
	to, err := url.Parse(p.session.server.client.appsURL(svc.host))
	if err != nil {
		return // the transport says what is wrong with an empty address
	}
	r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
	r.Out.Host = net.JoinHostPort(svc.host, port)
}

// wantsPage reports whether somebody looks at the answer in a browser.
func wantsPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "iframe", "frame":
		return strings.Contains(r.Header.Get("Accept"), "text/html")
	}
	return false
}

func wentOn(r *http.Request, state dev.State) bool {
	c, err := r.Cookie(continueCookie)
	return err == nil && c.Value == strconv.Itoa(state.Deploys)
}

// goOn shows the last good version until the next failure.
func (p *devProxy) goOn(w http.ResponseWriter, r *http.Request, state dev.State) {
	http.SetCookie(w, &http.Cookie{
		Name: continueCookie, Value: strconv.Itoa(state.Deploys), Path: "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	to := r.URL.Query().Get("to")
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`) {
		to = "/"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (p *devProxy) unreachable(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, "sunya dev: the platform does not answer: "+err.Error(), http.StatusBadGateway)
}

//go:embed dev_page.html
var devPageText string

var devPage = template.Must(template.New("dev").Parse(devPageText))

// devFailure is what the page shows.
type devFailure struct {
	Service string
	Title   string // one sentence
	Place   string // file:line, or empty
	Source  []sourceLine
	Log     string
	Good    bool   // there is a version to go on with
	Waiting bool   // nothing has failed: the first deploy is under way
	To      string // where the visitor wanted to go
	State   string // as devPaths+"state" tells it
}

// sourceLine is one line around the place of a failure.
type sourceLine struct {
	Number int
	Text   string
	Here   bool
}

func (p *devProxy) showFailure(w http.ResponseWriter, r *http.Request, svc *devService, state dev.State) {
	f := svc.explain(state)
	f.To = r.URL.RequestURI()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	status := http.StatusInternalServerError
	if f.Waiting {
		status = http.StatusServiceUnavailable
		h.Set("Retry-After", "1")
	}
	if !wantsPage(r) {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, "%s\n%s\n%s\n", f.Title, f.Place, f.Log)
		return
	}
	var page bytes.Buffer
	if err := devPage.Execute(&page, f); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page.Bytes()) // whoever has left need not be told
	}
}

// explain puts a failure into the words of the page.
func (d *devService) explain(state dev.State) devFailure {
	out := devFailure{Service: d.name, Good: state.Good, State: fmt.Sprintf("%d %t", state.Deploys, true)}
	if state.Failure == nil {
		out.Title, out.Waiting = "The first deploy is under way.", true
		return out
	}
	f := asFailure(state.Failure)
	out.Title, out.Log = printable(plainly(state.Failure)), printable(strings.Join(f.logs, "\n"))
	lines := append([]string{message(state.Failure)}, f.logs...)
	if place, ok := dev.Locate(lines, build.Workspace, d.has); ok {
		out.Place = fmt.Sprintf("%s:%d", place.File, place.Line)
		out.Source = excerpt(filepath.Join(d.source.Dir, filepath.FromSlash(place.File)), place.Line)
	}
	return out
}

// around is how many lines are shown on each side of the one to blame.
const around = 4

// excerpt reads the lines around one of a file; none when it cannot be read.
func excerpt(path string, line int) []sourceLine {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := readAtMost(f, maxPeek)
	if err != nil {
		return nil
	}
	var out []sourceLine
	for i, s := range strings.Split(string(text), "\n") {
		if n := i + 1; n >= line-around && n <= line+around {
			out = append(out, sourceLine{n, printable(strings.TrimRight(s, "\r")), n == line})
		}
	}
	return out
}
