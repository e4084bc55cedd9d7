package front

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// client speaks only the protocols given.
func client(t testing.TB, set func(*http.Protocols), insecure bool) *http.Client {
	t.Helper()
	var p http.Protocols
	set(&p)
	tr := &http.Transport{Protocols: &p}
	if insecure {
		tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func h2c(p *http.Protocols)   { p.SetUnencryptedHTTP2(true) }
func http1(p *http.Protocols) { p.SetHTTP1(true) }

// do sends a request to a door under a host name.
func do(t testing.TB, c *http.Client, method, url, host string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestOnePortSpeaksAllProtocols(t *testing.T) {
	d := open(t, AllRoles, nil)
	url := "http://" + d.addr + "/v1/apps/x"
	for name, set := range map[string]func(*http.Protocols){"HTTP/1.1": http1, "HTTP/2.0": h2c} {
		resp, body := do(t, client(t, set, false), "GET", url, "localhost")
		if resp.Proto != name || body != "appengine /v1/apps/x" {
			t.Errorf("%s: %s %q", name, resp.Proto, body)
		}
	}
}

func TestGRPCGoesToItsServer(t *testing.T) {
	d := open(t, AllRoles, nil)
	c := client(t, h2c, false)
	url := "http://" + d.addr + "/google.appengine.v1.Versions/GetVersion"
	const grpc = "Content-Type: application/grpc+proto"
	if _, body := do(t, c, "POST", url, "localhost", grpc); body != "grpc /google.appengine.v1.Versions/GetVersion" {
		t.Errorf("answer = %q", body)
	}
	if _, body := do(t, c, "POST", url, "hello.sunya.test", grpc); !strings.HasPrefix(body, "apps ") {
		t.Errorf("an app's gRPC went to %q", body)
	}
	if _, body := do(t, client(t, http1, false), "POST", url, "localhost", grpc); strings.HasPrefix(body, "grpc") {
		t.Errorf("gRPC over HTTP/1.1 went to %q", body)
	}
	resp, _ := do(t, c, "POST", url, "localhost", grpc, "Origin: http://evil.example")
	if got := resp.Header.Get("Grpc-Status"); resp.StatusCode != 200 || got != "7" {
		t.Errorf("a browser's gRPC: HTTP %d, grpc-status %q, want 200, 7", resp.StatusCode, got)
	}
	if msg := resp.Header.Get("Grpc-Message"); !strings.Contains(msg, "token") {
		t.Errorf("grpc-message = %q", msg)
	}
}

// TestShutdownLetsRequestsFinish: what was being answered when the end came is
// answered.
func TestShutdownLetsRequestsFinish(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	d := &door{}
	c := d.config()
	c.Apps = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "finished")
	})
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := f.NewServer([]Listener{{Listener: l, Roles: AllRoles}})
	s.Drain = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()

	answer := make(chan string, 1)
	go func() {
		_, body := do(t, client(t, http1, false), "GET", "http://"+l.Addr().String()+"/", "hello.sunya.test")
		answer <- body
	}()
	<-entered
	cancel()
	close(release)
	if got := <-answer; got != "finished" {
		t.Errorf("answer = %q", got)
	}
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

// TestShutdownEnds: a request that never ends does not hold up the end.
func TestShutdownEnds(t *testing.T) {
	entered := make(chan struct{})
	d := &door{}
	c := d.config()
	c.Apps = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := f.NewServer([]Listener{{Listener: l, Roles: AllRoles}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: hello.sunya.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestBrokenListenerEndsRun(t *testing.T) {
	f, err := New((&door{}).config())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := f.NewServer([]Listener{{Listener: l, Roles: AllRoles}}).Run(t.Context()); err == nil {
		t.Error("no error")
	}
}

// writeCertificate writes a new self-signed certificate, dated at mtime.
func writeCertificate(t *testing.T, dir, name string, mtime time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: raw},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, mtime, mtime); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestCertificateIsReloaded(t *testing.T) {
	dir := t.TempDir()
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	certFile, keyFile := writeCertificate(t, dir, "first.test", day)
	cert, err := LoadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d := &door{}
	f, err := New(d.config())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run(t, f.NewServer([]Listener{{Listener: l, Roles: AllRoles, TLS: cert}}))
	name := func() string {
		both := func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }
		resp, body := do(t, client(t, both, true), "GET", "https://"+l.Addr().String()+"/v1/apps/x", "localhost")
		if resp.ProtoMajor != 2 || body != "appengine /v1/apps/x" {
			t.Fatalf("%s %q", resp.Proto, body)
		}
		return resp.TLS.PeerCertificates[0].DNSNames[0]
	}
	if got := name(); got != "first.test" {
		t.Errorf("certificate = %s", got)
	}
	writeCertificate(t, dir, "second.test", day.Add(time.Hour))
	if got := name(); got != "second.test" {
		t.Errorf("certificate after renewal = %s", got)
	}
	if err := os.WriteFile(certFile, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "second.test" {
		t.Errorf("certificate while the file is broken = %s", got)
	}
}

func TestLoadCertificateNamesTheFile(t *testing.T) {
	_, err := LoadCertificate("/nonexistent/cert.pem", "/nonexistent/key.pem", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "cert.pem") {
		t.Errorf("err = %v", err)
	}
}

// deadlines records what a paced body asks of its connection.
type deadlines struct {
	http.ResponseWriter
	due time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.due = t; return nil }

// TestBodyHasToMove: the deadline moves with the bytes, not with the reads.
func TestBodyHasToMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := &deadlines{}
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://x/", io.NopCloser(strings.NewReader(strings.Repeat("x", 20<<10))))
		if err != nil {
			t.Fatal(err)
		}
		limitBody(w, r, time.Now)
		for _, want := range []time.Duration{30 * time.Second, 40 * time.Second, 50 * time.Second} {
			time.Sleep(5 * time.Second)
			if _, err := io.ReadFull(r.Body, make([]byte, 10<<10)); err != nil && want < 50*time.Second {
				t.Fatal(err)
			}
			if want < 50*time.Second && w.due.Sub(start) != want {
				t.Errorf("deadline = %v, want %v", w.due.Sub(start), want)
			}
		}
		if !w.due.IsZero() {
			t.Errorf("deadline after the end = %v, want none", w.due)
		}
	})
}

// TestSlowBodyIsNotWaitedForAfterItsDeadline: with the deadline taken back,
// net/http reads the rest of the body before it answers.
func TestSlowBodyIsNotWaitedForAfterItsDeadline(t *testing.T) {
	w := &deadlines{}
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://x/", io.NopCloser(iotest.ErrReader(os.ErrDeadlineExceeded)))
	if err != nil {
		t.Fatal(err)
	}
	limitBody(w, r, time.Now)
	if _, err := r.Body.Read(make([]byte, 1)); err == nil || w.due.IsZero() {
		t.Errorf("err = %v, deadline = %v: want it to stay", err, w.due)
	}
}
