package front

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// shortcut serves GET /direct and leaves the rest, with what it has read.
type shortcut struct{}

// ServeConn implements Direct.
func (shortcut) ServeConn(c net.Conn, s *Session) ([]byte, bool) {
	for buf := make([]byte, 4096); ; {
		if !s.Rest() {
			return nil, false
		}
		n, err := c.Read(buf)
		if err != nil || !s.Wake() {
			return nil, false
		}
		host := ""
		if _, rest, ok := strings.Cut(string(buf[:n]), "Host: "); ok {
			host, _, _ = strings.Cut(rest, "\r\n")
		}
		if !strings.HasPrefix(string(buf[:n]), "GET /direct ") || !s.Mine(host) {
			return buf[:n], true
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndirect")
	}
}

// directDoor serves with a shortcut; with a certificate over TLS.
func directDoor(t *testing.T, cert *Certificate) string {
	t.Helper()
	c := (&door{}).config()
	c.Direct = shortcut{}
	c.Apps = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s tls %v", r.Proto, r.URL.Path, r.TLS != nil)
	})
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run(t, f.NewServer([]Listener{{Listener: l, Roles: AllRoles, TLS: cert}}))
	return l.Addr().String()
}

func TestIntakeSharesConnections(t *testing.T) {
	addr := directDoor(t, nil)
	c := client(t, http1, false)
	for _, tt := range []struct{ path, host, want string }{
		{"/direct", "app.sunya.test", "direct"},
		{"/direct", "app.sunya.test", "direct"},
		{"/other", "app.sunya.test", "HTTP/1.1 /other tls false"},
		{"/direct", "app.sunya.test", "HTTP/1.1 /direct tls false"}, // it stays there
	} {
		if _, body := do(t, c, "GET", "http://"+addr+tt.path, tt.host); body != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, body, tt.want)
		}
	}
	if _, body := do(t, client(t, http1, false), "GET", "http://"+addr+"/direct", "localhost"); strings.Contains(body, "direct") && !strings.Contains(body, "not found") {
		t.Errorf("the API's host went to the direct path: %q", body)
	}
	if _, body := do(t, client(t, h2c, false), "GET", "http://"+addr+"/direct", "app.sunya.test"); body != "HTTP/2.0 /direct tls false" {
		t.Errorf("HTTP/2: %q", body)
	}
}

func TestIntakeOfTLS(t *testing.T) {
	certFile, keyFile := writeCertificate(t, t.TempDir(), "x.test", time.Now())
	cert, err := LoadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	addr := directDoor(t, cert)
	one := client(t, http1, true)
	both := client(t, func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }, true)
	for _, tt := range []struct {
		c          *http.Client
		path, want string
	}{
		{one, "/direct", "direct"},
		{one, "/other", "HTTP/1.1 /other tls true"},
		{both, "/direct", "HTTP/2.0 /direct tls true"},
	} {
		if _, body := do(t, tt.c, "GET", "https://"+addr+tt.path, "app.sunya.test"); body != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, body, tt.want)
		}
	}
}

// tired is a listener that is out of descriptors at first.
type tired struct {
	net.Listener
	failures int
}

type temporary struct{ error }

func (temporary) Temporary() bool { return true }

func (l *tired) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, temporary{errors.New("too many open files")}
	}
	return l.Listener.Accept()
}

func everything(netip.Addr) func(string) bool { return func(string) bool { return true } }

func (in *Intake) count() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.sessions)
}

// TestIntakeGoesOnWhenDescriptorsAreBack (F15).
func TestIntakeGoesOnWhenDescriptorsAreBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in := NewIntake(&tired{Listener: l, failures: 3}, shortcut{}, nil, everything)
	done := make(chan error, 1)
	go func() { done <- in.Run() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /direct HTTP/1.1\r\nHost: x\r\n\r\n")
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "HTTP/1.1 200 OK\r\n" {
		t.Errorf("%q %v", line, err)
	}
	if err := in.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	in.Close()
}

// stuck is a Direct that never ends by itself.
type stuck struct{}

// ServeConn implements Direct.
func (stuck) ServeConn(c net.Conn, _ *Session) ([]byte, bool) {
	_, _ = io.Copy(io.Discard, c)
	return nil, false
}

func TestIntakeBreaksOffWhatDoesNotEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in := NewIntake(l, stuck{}, nil, everything)
	go in.Run()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for in.count() == 0 {
		time.Sleep(time.Millisecond) // until it is taken in
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := in.Shutdown(ctx); err == nil {
		t.Error("no error, although something was broken off")
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
	in.Close()
}
