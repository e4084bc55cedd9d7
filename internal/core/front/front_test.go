package front

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
)

const testToken = "s3cret-token"

// door is a running front whose handlers say who they are.
type door struct {
	addr    string
	uid     atomic.Int64 // of whoever connects
	changes atomic.Int64 // calls that reached a handler which changes something
}

// names answers with a name, and counts as a change unless it is a GET.
func (d *door) names(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && name != "apps" {
			d.changes.Add(1)
		}
		_, _ = fmt.Fprintf(w, "%s %s", name, r.URL.EscapedPath())
	})
}

// config is the front of a small server with two APIs.
func (d *door) config() Config {
	return Config{
		Later:  map[string]string{"cloudscheduler.googleapis.com": "cron jobs come with it"},
		Domain: "sunya.test",
		Routes: []Route{
			{Method: "GET", Pattern: "/healthz", Permission: Public, Handler: Health(func() error { return nil })},
			{API: "appengine.googleapis.com", Pattern: "/v1/", Permission: Local, Handler: d.names("appengine")},
			{API: "run.googleapis.com", Pattern: "/v1/projects/", Permission: Local, Handler: d.names("run")},
			{API: "storage.googleapis.com", Pattern: "/storage/v1/", Permission: Local, Handler: d.names("storage")},
			{Method: "POST", Pattern: "/admin/stop", Permission: Token, Handler: d.names("stop")},
		},
		GRPC:    d.names("grpc"),
		Apps:    d.names("apps"),
		Owners:  []int{0, 1000},
		Token:   testToken,
		PeerUID: func(net.Conn) (int, error) { return int(d.uid.Load()), nil },
		Now:     time.Now,
		Log:     slog.New(slog.DiscardHandler),
	}
}

// open starts the front on a loopback listener with these roles.
func open(t testing.TB, roles Role, change func(*Config)) *door {
	t.Helper()
	d := &door{}
	c := d.config()
	if change != nil {
		change(&c)
	}
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr = l.Addr().String()
	run(t, f.NewServer([]Listener{{Listener: l, Roles: roles}}))
	return d
}

// run runs a server until the test ends.
func run(t testing.TB, s *Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// call is one request as bytes on the wire know it: nothing is tidied up.
type call struct {
	method, target, host string
	header               []string // "Name: value"
	body                 string
}

// send returns the status and body of the answer.
func (d *door) send(t testing.TB, c call) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if c.method == "" {
		c.method = "GET"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", c.method, c.target, c.host)
	for _, h := range c.header {
		b.WriteString(h + "\r\n")
	}
	if c.method != "GET" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(c.body))
	}
	b.WriteString("\r\n" + c.body)
	if _, err := io.WriteString(conn, b.String()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s %s: %v", c.method, c.target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestHostDecidesWhere(t *testing.T) {
	d := open(t, AllRoles, nil)
	_, port, _ := net.SplitHostPort(d.addr)
	for _, tt := range []struct {
		host, target string
		status       int
		body         string
	}{
		{"localhost", "/v1/apps/x", 200, "appengine /v1/apps/x"},
		{"LocalHost:" + port, "/v1/apps/x", 200, "appengine /v1/apps/x"},
		{"127.0.0.1:" + port, "/v1/apps/x", 200, "appengine /v1/apps/x"},
		{"[::1]:" + port, "/v1/apps/x", 200, "appengine /v1/apps/x"},
		{"[::ffff:127.0.0.1]", "/v1/apps/x", 200, "appengine /v1/apps/x"},
		{"api.sunya.test", "/v1/apps/x", 200, "appengine /v1/apps/x"},
		{"api.sunya.test.", "/v1/projects/x", 200, "run /v1/projects/x"},
		{"appengine.api.sunya.test", "/v1/projects/x", 200, "appengine /v1/projects/x"},
		{"us-central1-run.api.sunya.test", "/v1/projects/x", 200, "run /v1/projects/x"},
		{"run.api.sunya.test", "/storage/v1/b", 404, ""},
		{"my.bucket.storage.api.sunya.test", "/storage/v1/b", 200, "storage /storage/v1/b"},
		{"storage.googleapis.com", "/storage/v1/b", 200, "storage /storage/v1/b"},
		{"my.bucket.storage.googleapis.com", "/storage/v1/b", 200, "storage /storage/v1/b"},
		{"us-central1-run.googleapis.com", "/v1/projects/x", 200, "run /v1/projects/x"},
		{"vision.googleapis.com", "/v1/projects/x", 404, "vision.googleapis.com is not served here"},
		{"localhost", "/appengine.googleapis.com/v1/projects/x", 200, "appengine /v1/projects/x"},
		{"localhost", "/pubsub.googleapis.com/v1/projects/x", 404, "pubsub.googleapis.com is not served here"},
		{"localhost", "/cloudscheduler.googleapis.com/v1beta1/projects/x", 404, "not served here yet: cron jobs come with it"},
		{"localhost", "/healthz", 200, "ok\n"},
		{"localhost", "/nowhere", 404, "NOT_FOUND"},
		{"console.sunya.test", "/", 404, noConsole},
		{"functions.sunya.test", "/p/l/f", 200, "apps /p/l/f"},
		{"hello.sunya.test", "/v1/apps/x", 200, "apps /v1/apps/x"},
		{"sunya.test", "/", 200, "apps /"},
		{"my-domain.example", "/a//b/%2e%2e/c", 200, "apps /a//b/%2e%2e/c"},
		{"bad host", "/", 400, ""},
		{"", "/", 400, "INVALID_ARGUMENT"},
	} {
		t.Run(tt.host+tt.target, func(t *testing.T) {
			status, body := d.send(t, call{host: tt.host, target: tt.target})
			if status != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("answer = %d %q, want %d %q", status, body, tt.status, tt.body)
			}
		})
	}
}

func TestErrorsAreGooglesEnvelope(t *testing.T) {
	d := open(t, AllRoles, nil)
	status, body := d.send(t, call{method: "DELETE", target: "/healthz", host: "localhost"})
	var doc envelope
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	if status != 405 || doc.Error.Code != 405 || doc.Error.Status != "UNIMPLEMENTED" || doc.Error.Message == "" {
		t.Errorf("answer = %d %+v", status, doc)
	}
}

// TestS14BrowserAttacksOnLocalhost: a page that the owner's browser shows can
// send requests to loopback, and none of them does anything.
func TestS14BrowserAttacksOnLocalhost(t *testing.T) {
	d := open(t, AllRoles, nil)
	create := call{method: "POST", target: "/v1/apps/x/services", host: "localhost", body: "{}"}
	for _, tt := range []struct {
		name   string
		host   string
		header []string
		status int
	}{
		{"foreign origin", "localhost", []string{"Origin: https://evil.example"}, 403},
		{"null origin", "localhost", []string{"Origin: null"}, 403},
		{"an app's origin", "localhost", []string{"Origin: http://hello.localhost:8080"}, 403},
		{"our own origin", "localhost", []string{"Origin: http://localhost:8080"}, 403},
		{"form post", "localhost", []string{"Origin: https://evil.example", "Content-Type: application/x-www-form-urlencoded"}, 403},
		{"JSON as text/plain", "localhost", []string{"Sec-Fetch-Site: cross-site", "Content-Type: text/plain"}, 403},
		{"from a sibling host", "localhost", []string{"Sec-Fetch-Site: same-site"}, 403},
		{"two marks, one harmless", "localhost", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"}, 403},
		{"WebSocket", "localhost", []string{"Origin: https://evil.example", "Upgrade: websocket", "Connection: Upgrade"}, 403},
		{"wrong token", "localhost", []string{"Origin: https://evil.example", "Authorization: Bearer guess"}, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := create
			c.host, c.header = tt.host, tt.header
			if status, body := d.send(t, c); status != tt.status {
				t.Errorf("answer = %d %q, want %d", status, body, tt.status)
			}
		})
	}
	if n := d.changes.Load(); n != 0 {
		t.Errorf("%d calls came through", n)
	}
	t.Run("rebinding host", func(t *testing.T) {
		for _, roles := range []Role{AllRoles, API, API | Console} {
			d := open(t, roles, nil)
			c := create
			c.host = "evil.example"
			status, body := d.send(t, c)
			if roles.Has(Apps) && body != "apps /v1/apps/x/services" || !roles.Has(Apps) && status != 403 {
				t.Errorf("roles %s: answer = %d %q", roles, status, body)
			}
			if d.changes.Load() != 0 {
				t.Errorf("roles %s: the call came through", roles)
			}
		}
	})
	t.Run("the owner's tools still work", func(t *testing.T) {
		if status, body := d.send(t, create); status != 200 {
			t.Errorf("answer = %d %q", status, body)
		}
		withToken := create
		withToken.header = []string{"Origin: http://console.localhost", "Authorization: bearer " + testToken}
		if status, body := d.send(t, withToken); status != 200 {
			t.Errorf("answer = %d %q", status, body)
		}
	})
}

// TestS16Spellings: however a request is spelled, it is judged and routed as
// the same, or refused.
func TestS16Spellings(t *testing.T) {
	d := open(t, AllRoles, nil)
	d.uid.Store(4711) // a stranger: nothing but /healthz may answer
	paths := []string{
		"/v1/apps/x", "//v1/apps/x", "/./v1/apps/x", "/v1//apps/x", "/v1/./apps/x", "/x/../v1/apps/x",
		"/%76%31/apps/x", "/v1%2Fapps/x", "/v1%2fapps%2fx", "/%2e/v1/apps/x", "/%2E%2e/v1/apps/x",
		"/healthz/../v1/apps/x", "/healthz/%2e%2e/v1/apps/x", "/healthz%2f..%2fv1/apps/x", "/healthz/..%2fv1/apps/x",
		"/healthz;/../v1/apps/x", "/healthz\\..\\v1/apps/x", "/healthz/..%5cv1/apps/x", "/v1/apps/x%00", "/v1/apps/x%0a",
		"/V1/apps/x", "/appengine.googleapis.com/v1/apps/x", "/appengine.googleapis.com//v1/apps/x",
		"/appengine.googleapis.com/../v1/apps/x", "/appengine%2egoogleapis.com/v1/apps/x", "/Appengine.googleapis.com/v1/apps/x",
		"http://localhost/v1/apps/x", "http://hello.sunya.test/../v1/apps/x", "/%", "/%zz", "*",
		"/google.appengine.v1.Versions/GetVersion", "google.appengine.v1.Versions/GetVersion",
	}
	hosts := []string{"localhost", "LOCALHOST", "localhost.", "localhost:1", "LocalHost.:8080", "127.0.0.1", "[::1]",
		"[::ffff:7f00:1]", "API.Sunya.Test.", "run.API.sunya.test", "appengine.api.sunya.test:443"}
	for i := range 100 {
		hosts = append(hosts, fmt.Sprintf("region%d-appengine.api.sunya.test", i))
	}
	for _, host := range hosts {
		for _, path := range paths {
			status, body := d.send(t, call{host: host, target: path})
			if status < 400 && !strings.HasPrefix(body, "apps ") {
				t.Errorf("%s %s: a stranger got %d %q", host, path, status, body)
			}
		}
	}
}

func TestCanonicalPathIsWhatTheHandlerSees(t *testing.T) {
	d := open(t, AllRoles, nil)
	for target, want := range map[string]string{
		"/%76%31/apps/x":                    "appengine /v1/apps/x",
		"/storage/v1/b/x/o/dir%2ffile%2etx": "storage /storage/v1/b/x/o/dir%2Ffile.tx",
		"/storage/v1/b/x/o/%e2%82%ac":       "storage /storage/v1/b/x/o/%E2%82%AC",
	} {
		if status, body := d.send(t, call{host: "localhost", target: target}); status != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", target, status, body, want)
		}
	}
}

// TestS17NobodyUninvited: every route and a few that are none, asked for by
// those who may not.
func TestS17NobodyUninvited(t *testing.T) {
	targets := []struct{ method, path string }{
		{"GET", "/healthz"}, {"GET", "/v1/apps/x"}, {"POST", "/v1/projects/x"}, {"PUT", "/storage/v1/b"},
		{"POST", "/admin/stop"}, {"GET", "/"}, {"GET", "/debug/pprof/"}, {"GET", "/nowhere"},
		{"GET", "/run.googleapis.com/v1/projects/x"},
	}
	for _, who := range []struct {
		name   string
		uid    int64
		header []string
		change func(*Config)
		open   bool // may use Local routes
	}{
		{"another user", 4711, nil, nil, false},
		{"another user guessing", 4711, []string{"Authorization: Bearer guess"}, nil, false},
		{"another user with basic authentication", 4711, []string{"Authorization: Basic " + testToken}, nil, false},
		{"a browser", 1000, []string{"Sec-Fetch-Site: cross-site"}, nil, false},
		{"somebody behind a local proxy", 0, []string{"X-Forwarded-For: 203.0.113.9"}, nil, false},
		{"a peer that cannot be told", 0, nil, func(c *Config) {
			c.PeerUID = func(net.Conn) (int, error) { return 0, errors.New("no") }
		}, false},
		{"everybody, when there is no lookup", 0, nil, func(c *Config) { c.PeerUID = nil }, false},
		{"an empty token, when none is set", 4711, []string{"Authorization: Bearer "}, func(c *Config) { c.Token = "" }, false},
		{"the owner", 1000, nil, nil, true},
		{"root", 0, nil, nil, true},
	} {
		t.Run(who.name, func(t *testing.T) {
			d := open(t, AllRoles, who.change)
			d.uid.Store(who.uid)
			for _, target := range targets {
				status, body := d.send(t, call{method: target.method, target: target.path, host: "localhost", header: who.header})
				want := status >= 400
				switch {
				case target.path == "/healthz":
					want = status == 200
				case target.path == "/admin/stop":
					want = status == 401
				case who.open && (strings.Contains(target.path, "v1")):
					want = status == 200
				}
				if !want {
					t.Errorf("%s %s = %d %q", target.method, target.path, status, body)
				}
			}
		})
	}
}

// TestPasswords: clients of the registry know users and passwords, and ask for
// one only when they are told to.
func TestPasswords(t *testing.T) {
	basic := func(password string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+password))
	}
	for _, tt := range []struct {
		rule    string
		uid     int64
		headers []string
		want    int
	}{
		{"the owner needs none", 1000, nil, 200},
		{"another user is asked for one", 4711, nil, 401},
		{"and so is whoever comes through a proxy", 1000, []string{"Via: 1.1 x"}, 401},
		{"the admin token", 4711, []string{basic(testToken)}, 200},
		{"the admin token as a bearer", 4711, []string{"Authorization: Bearer " + testToken}, 200},
		{"a token of an account", 4711, []string{basic("account")}, 200},
		{"a wrong one, from the owner, too", 1000, []string{basic("wrong")}, 401},
		{"an empty one", 4711, []string{basic("")}, 401},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			d := open(t, AllRoles, func(c *Config) {
				c.Account = func(_ context.Context, token string) error {
					if token != "account" {
						return errors.New("no account")
					}
					return nil
				}
				c.Routes = append(c.Routes, Route{Pattern: "/v2/", Permission: Password, Handler: c.Routes[1].Handler, Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
					w.Header().Set("X-Refused", "yes")
					w.WriteHeader(sunya.CodeOf(err).HTTP())
				}})
			})
			d.uid.Store(tt.uid)
			status, body := d.send(t, call{method: "GET", target: "/v2/", host: "localhost", header: tt.headers})
			if status != tt.want {
				t.Errorf("status = %d %s, want %d", status, body, tt.want)
			}
		})
	}
}

// TestOtherMachinesNeedAToken: what comes in on an address other than loopback
// is never trusted by uid.
func TestOtherMachinesNeedAToken(t *testing.T) {
	g := newGuard(Config{Owners: []int{0}, Token: testToken})
	far := &peer{lookup: func() (int, error) { return 0, nil }}
	for _, tt := range []struct {
		name, authorization string
		permission          Permission
		ok                  bool
	}{
		{"public", "", Public, true},
		{"no token", "", Local, false},
		{"wrong token", "Bearer x", Local, false},
		{"token", "Bearer " + testToken, Local, true},
		{"token where one is always needed", "Bearer " + testToken, Token, true},
		{"closed route", "Bearer " + testToken, Deny, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := context.WithValue(t.Context(), peerKey{}, far)
			r, err := http.NewRequestWithContext(ctx, "GET", "http://api.sunya.test/v1/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.authorization != "" {
				r.Header.Set("Authorization", tt.authorization)
			}
			if err := g.permit(r, tt.permission); (err == nil) != tt.ok {
				t.Errorf("permit = %v", err)
			}
		})
	}
}

func TestRolesOfListener(t *testing.T) {
	for _, tt := range []struct {
		roles  Role
		host   string
		status int
	}{
		{Apps, "hello.sunya.test", 200},
		{Apps, "api.sunya.test", 404},
		{Apps, "localhost", 404},
		{Apps, "console.sunya.test", 404},
		{API, "api.sunya.test", 200},
		{API, "hello.sunya.test", 403},
		{API, "console.sunya.test", 404},
	} {
		d := open(t, tt.roles, nil)
		if status, body := d.send(t, call{host: tt.host, target: "/v1/apps/x"}); status != tt.status {
			t.Errorf("%s on %s = %d %q, want %d", tt.host, tt.roles, status, body, tt.status)
		}
	}
}

func TestNewRefusesBadRoutes(t *testing.T) {
	ok := http.NotFoundHandler()
	for name, r := range map[string]Route{
		"no permission":    {Pattern: "/x", Handler: ok},
		"no handler":       {Pattern: "/x", Permission: Public},
		"dot segment":      {Pattern: "/x/../y", Permission: Public, Handler: ok},
		"not canonical":    {Pattern: "/%78", Permission: Public, Handler: ok},
		"relative":         {Pattern: "x", Permission: Public, Handler: ok},
		"not a Google API": {API: "run", Pattern: "/x", Permission: Public, Handler: ok},
	} {
		c := (&door{}).config()
		c.Routes = append(c.Routes, r)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAdmit is a route that lets in, or refuses, before anybody's token is asked
// for.
func TestAdmit(t *testing.T) {
	d := open(t, AllRoles, func(c *Config) {
		for i := range c.Routes {
			c.Routes[i].Admit = func(r *http.Request) (bool, error) {
				switch r.Header.Get("X-Shown") {
				case "good":
					return true, nil
				case "bad":
					return false, sunya.Errorf(sunya.PermissionDenied, "", "forged")
				}
				return false, nil
			}
		}
	})
	for shown, want := range map[string]int{"good": 200, "bad": 403, "": 403} {
		// A page of somebody else's may do nothing by itself.
		status, body := d.send(t, call{host: "localhost", target: "/v1/apps/x", header: []string{"Origin: http://evil.example", "X-Shown: " + shown}})
		if status != want {
			t.Errorf("shown %q: %d %s, want %d", shown, status, body, want)
		}
	}
}
