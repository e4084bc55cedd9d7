package ociremote

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sunya-cloud/sunya"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhereARegistryMaySendTheServer(t *testing.T) {
	for _, tt := range []struct {
		registry string
		trusted  bool
		host, ip string
		ok       bool
	}{
		{"registry.example.com", false, "registry.example.com", "93.184.216.34", true},
		{"registry.example.com", false, "cdn.example.net", "93.184.216.35", true},
		{"registry.example.com", false, "cdn.example.net", "2606:4700::1", true},
		{"registry.example.com", false, "registry.example.com", "127.0.0.1", false},
		{"registry.example.com", false, "registry.example.com", "::ffff:127.0.0.1", false},
		{"registry.example.com", true, "registry.example.com", "127.0.0.1", true},
		{"registry.example.com", true, "evil.example.net", "127.0.0.1", false},
		{"registry.example.com", false, "evil.example.net", "10.0.0.7", false},
		{"registry.example.com", false, "evil.example.net", "fd00::7", false},
		{"registry.example.com", false, "metadata", "169.254.169.254", false},
		{"registry.example.com", true, "registry.example.com", "169.254.169.254", false},
		{"localhost:5000", false, "evil.example.net", "169.254.169.254", false},
		{"localhost:5000", false, "localhost", "127.0.0.1", true},
		{"[::1]:5000", false, "::1", "::1", true},
		{"127.0.0.1:5000", false, "localhost", "::1", true},
		{"registry.example.com", false, "evil.example.net", "0.0.0.0", false},
		{"registry.example.com", true, "registry.example.com", "100.100.100.200", false},
		{"registry.example.com", false, "evil.example.net", "168.63.129.16", false},
		{"registry.example.com", false, "registry.example.com", "fd00:ec2::254", false},
		{"registry.example.com", false, "evil.example.net", "64:ff9b::a9fe:a9fe", false},
		{"registry.example.com", false, "evil.example.net", "2002:7f00:1::", false},
		{"registry.example.com", false, "evil.example.net", "::127.0.0.1", false},
		{"registry.example.com", false, "evil.example.net", "224.0.0.1", false},
	} {
		g := newGuard(tt.registry, tt.trusted)
		err := g.check(tt.host, netip.MustParseAddr(tt.ip).Unmap())
		if (err == nil) != tt.ok || err != nil && sunya.CodeOf(err) != sunya.PermissionDenied {
			t.Errorf("%s sends to %s at %s: %v, want ok %v", tt.registry, tt.host, tt.ip, err, tt.ok)
		}
	}
}

// A registry that is in a private network itself may redirect within it.
func TestPrivateRegistry(t *testing.T) {
	g := newGuard("registry.corp.example", false)
	ip := netip.MustParseAddr("10.1.2.3")
	if err := g.check("store.corp.example", ip); err == nil {
		t.Error("a private address before the registry was found to be at one")
	}
	if err := g.check("registry.corp.example", ip); err != nil {
		t.Error(err)
	}
	if err := g.check("store.corp.example", ip); err != nil {
		t.Error(err)
	}
}

func TestSameSite(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"index.docker.io", "auth.docker.io", true},
		{"ghcr.io", "ghcr.io", true},
		{"registry.gitlab.com", "gitlab.com", true},
		{"docker.io", "docker.com", false},
		{"a.github.io", "b.github.io", false}, // the names of two owners
		{"10.0.0.1", "10.0.0.2", false},
		{"localhost", "127.0.0.1", false},
		{"example.com", "example.com.evil.net", false},
	} {
		if got := sameSite(tt.a, tt.b); got != tt.want {
			t.Errorf("%s and %s: %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestRedirects(t *testing.T) {
	request := func(u string) *http.Request {
		r := httptest.NewRequest("GET", u, nil)
		return r
	}
	home := []*http.Request{request("https://r.example.com/v2/")}
	for _, tt := range []struct {
		to   string
		via  []*http.Request
		want bool
	}{
		{"https://cdn.example.net/x", home, true},
		{"http://cdn.example.net/x", home, false},
		{"http://localhost:5001/x", []*http.Request{request("http://localhost:5000/v2/")}, true},
		{"https://cdn.example.net/x", make([]*http.Request, maxRedirects+1), false},
	} {
		if err := checkRedirect(request(tt.to), tt.via); (err == nil) != tt.want {
			t.Errorf("%s after %d: %v, want ok %v", tt.to, len(tt.via), err, tt.want)
		}
	}
}

// drip is a body that gives one byte at a time, with a pause.
type drip struct {
	pause  time.Duration
	closed chan struct{}
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.pause):
		p[0] = 'x'
		return 1, nil
	case <-d.closed:
		return 0, errors.New("closed")
	}
}

func (d *drip) Close() error {
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	return nil
}

func TestSlowDrip(t *testing.T) {
	for _, pause := range []time.Duration{time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			body := newPaced(&drip{pause: pause, closed: make(chan struct{})}, -1)
			_, err := io.Copy(io.Discard, body)
			if sunya.CodeOf(err) != sunya.Unavailable || !strings.Contains(err.Error(), "16 KiB a second") {
				t.Errorf("%v, want that it is too slow", err)
			}
			if took := time.Since(begin); took < bodyGrace || took > bodyGrace+pause {
				t.Errorf("given up after %v", took)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEndlessAnswer(t *testing.T) {
	body := newPaced(io.NopCloser(endless{}), 1<<20)
	defer body.Close()
	n, err := io.Copy(io.Discard, body)
	if sunya.CodeOf(err) != sunya.InvalidArgument || n > 2<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestCredentials(t *testing.T) {
	c, warning, err := ParseCredentials([]byte(`{"auths":{
		"https://index.docker.io/v1/":{"auth":"dTpwOnc="},
		"ghcr.io":{"username":"a","password":"b"},
		"quay.io":{"identitytoken":"t"},
		"helped.io":{}},"credsStore":"desktop"}`))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string][3]string{
		"index.docker.io": {"u", "p:w", ""}, "ghcr.io": {"a", "b", ""}, "GHCR.io": {"a", "b", ""}, "quay.io": {"", "", "t"}, "helped.io": {}, "evil.io": {},
	} {
		got, err := c.of(host).Authorization()
		if err != nil || got.Username != want[0] || got.Password != want[1] || got.IdentityToken != want[2] {
			t.Errorf("%s: %+v, %v, want %v", host, got, err, want)
		}
	}
	if !strings.Contains(warning, "helped.io") || !strings.Contains(warning, "desktop") {
		t.Errorf("warning = %q", warning)
	}
	for _, bad := range []string{"", "[]", `{"auths":{"x":{"auth":"?"}}}`} {
		if _, _, err := ParseCredentials([]byte(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if a, err := (*Credentials)(nil).of("x").Authorization(); err != nil || a.Username != "" {
		t.Errorf("none: %v, %v", a, err)
	}
}
