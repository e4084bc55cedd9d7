//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	bigint "math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// exchange makes one request and returns the response with its body read.
func exchange(t testing.TB, s *platform.Server, method, host, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := platform.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}

// TestStaticFiles serves an app of files: no instance ever starts for it, not
// even at its deploy.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	dir := platform.Files(t, map[string]string{
		"app.yaml": `runtime: python311
default_expiration: "1d 2h"
handlers:
- url: /assets
  static_dir: www
- url: /
  static_files: www/index.html
  upload: www/index\.html
- url: /(.*\.(css|bin))$
  static_files: www/\1
  upload: www/.*\.(css|bin)$
  expiration: "0"
  http_headers:
    X-Robots-Tag: noindex
`,
		"www/index.html": "<h1>ü</h1>",
		"www/a.css":      strings.Repeat("p { color: teal }\n", 1000),
	})
	large := make([]byte, 100<<20)
	mathrand.NewChaCha8([32]byte{1}).Read(large)
	if err := os.WriteFile(filepath.Join(dir, "www", "big.bin"), large, 0o644); err != nil {
		t.Fatal(err)
	}
	host := s.Deploy(dir)

	t.Run("ranges of 100 MB", func(t *testing.T) {
		resp, body := exchange(t, s, "GET", host, "/big.bin")
		if resp.StatusCode != 200 || sha256.Sum256(body) != sha256.Sum256(large) {
			t.Fatalf("%d, %d bytes: not what was deployed", resp.StatusCode, len(body))
		}
		for _, r := range [][2]int{{0, 0}, {1 << 20, 3<<20 + 17}, {100<<20 - 5, 100<<20 - 1}, {0, 100<<20 - 1}} {
			resp, body := exchange(t, s, "GET", host, "/big.bin", "Range", fmt.Sprintf("bytes=%d-%d", r[0], r[1]))
			if resp.StatusCode != 206 || !bytes.Equal(body, large[r[0]:r[1]+1]) {
				t.Errorf("%v: %d, %d bytes: not the part that was asked for", r, resp.StatusCode, len(body))
			}
			if got, want := resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-%d/%d", r[0], r[1], len(large)); got != want {
				t.Errorf("Content-Range = %q, want %q", got, want)
			}
		}
	})
	t.Run("conditions", func(t *testing.T) {
		first, _ := exchange(t, s, "GET", host, "/")
		if resp, body := exchange(t, s, "GET", host, "/", "If-None-Match", first.Header.Get("Etag")); resp.StatusCode != 304 || len(body) > 0 {
			t.Errorf("%d with %d bytes, want 304 with none", resp.StatusCode, len(body))
		}
	})
	t.Run("headers and forms", func(t *testing.T) {
		page, _ := exchange(t, s, "GET", host, "/")
		if got := page.Header.Get("Cache-Control") + page.Header.Get("Content-Type"); got != "public, max-age=93600text/html; charset=utf-8" {
			t.Errorf("page: %s", got)
		}
		css, body := exchange(t, s, "GET", host, "/a.css", "Accept-Encoding", "gzip")
		if css.Header.Get("X-Robots-Tag") != "noindex" || css.Header.Get("Cache-Control") != "public, max-age=0" {
			t.Errorf("header = %v", css.Header)
		}
		zr, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(zr); err != nil || len(plain) != 18000 {
			t.Errorf("%d bytes, %v", len(plain), err)
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		for path, want := range map[string]int{"/nothing": 404, "/assets/none": 404, "/assets/..%2fapp.yaml": 404, "/assets/": 404, "/assets/a.css": 200} {
			if resp, _ := exchange(t, s, "GET", host, path); resp.StatusCode != want {
				t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
			}
		}
	})
	if logs := s.OK("logs", "--tail", "200").Stdout; strings.Contains(logs, "instance started") || len(s.Instances()) > 0 {
		t.Errorf("an instance was started:\n%s", logs)
	}
	s.Kill()
	s.Up()
	if resp, _ := exchange(t, s, "GET", host, "/assets/a.css"); resp.StatusCode != 200 {
		t.Errorf("after kill -9: %d", resp.StatusCode)
	}
}

// TestHandlersAndDispatch puts files, a program and two services behind one
// host.
func TestHandlersAndDispatch(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	app := func(greeting, yaml string) string {
		dir := platform.Bare(t, greeting)
		for name, text := range map[string]string{
			"app.yaml":          "runtime: python311\nentrypoint: python3 main.py\n" + yaml,
			"static/secret.txt": "static only",
			"both/a.txt":        "for both",
			"sorry.html":        "<h1>the app's own page</h1>",
		} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	const handlers = `handlers:
- url: /static
  static_dir: static
- url: /both/(.*)
  static_files: both/\1
  upload: both/.*
  application_readable: true
  require_matching_file: true
- url: /(env|slow|both/.*|)
  script: auto
error_handlers:
- file: sorry.html
`
	host := s.Deploy(app("main", handlers))
	worker := s.Deploy(app("work", "service: worker\n"))
	for path, want := range map[string]string{
		"/": "main", "/static/secret.txt": "static only", "/both/a.txt": "for both", "/both/b.txt": "main",
	} {
		if got := s.Get(host, path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	if resp, _ := exchange(t, s, "GET", host, "/unhandled"); resp.StatusCode != 404 {
		t.Errorf("a path of no handler: %d", resp.StatusCode)
	}
	dispatch := filepath.Join(t.TempDir(), "dispatch.yaml")
	if err := os.WriteFile(dispatch, []byte("dispatch:\n- url: '*/jobs/*'\n  service: worker\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.OK("app", "deploy", dispatch, "--quiet")
	s.Kill()
	s.Up()
	if got := s.Get(host, "/jobs/x"); got != "work" {
		t.Errorf("dispatched: %q", got)
	}
	if got := s.Get(worker, "/other"); got != "work" {
		t.Errorf("the service's own host: %q", got)
	}
	if resp, _ := exchange(t, s, "GET", "default-dot-"+host, "/jobs/x"); resp.StatusCode != 404 {
		t.Errorf("a host that names the service is dispatched: %d", resp.StatusCode)
	}
}

// TestErrorPages shows the app's own page when its program cannot serve.
func TestErrorPages(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	dir := platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\nerror_handlers:\n- file: sorry.html\n",
		"main.py": `import os, socket
s = socket.create_server(("", int(os.environ["PORT"])))
while True:
    s.accept()[0].close()
`,
		"sorry.html": "<h1>sorry</h1>",
	})
	host := s.Deploy(dir)
	if resp, body := exchange(t, s, "GET", host, "/"); resp.StatusCode != 502 || string(body) != "<h1>sorry</h1>" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

// TestSecureHandlers redirects to the HTTPS listener and back.
func TestSecureHandlers(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t, "sunya.localhost")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	public := l.Addr().String()
	l.Close()
	s := platform.Start(t, "--public", public, "--tls-cert", cert, "--tls-key", key)
	dir := platform.Bare(t, "hi")
	yaml := "runtime: python311\nentrypoint: python3 main.py\nhandlers:\n- {url: /safe, script: auto, secure: always, redirect_http_response_code: 301}\n- {url: /.*, script: auto, secure: never}\n"
	if err := os.WriteFile(filepath.Join(dir, "app.yaml"), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	host := s.Deploy(dir)
	_, port, _ := net.SplitHostPort(public)
	resp, _ := exchange(t, s, "GET", host, "/safe?x=1")
	if got, want := resp.Header.Get("Location"), "https://sunya.localhost:"+port+"/safe?x=1"; resp.StatusCode != 301 || got != want {
		t.Errorf("%d to %q, want 301 to %q", resp.StatusCode, got, want)
	}
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: platform.Client.CheckRedirect,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "sunya.localhost"}},
	}
	for path, want := range map[string]string{"/safe": "200 ", "/open": "302 http://sunya.localhost:" + s.Port + "/open"} {
		req, err := http.NewRequest("GET", "https://"+public+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "sunya.localhost:" + port
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Location")); got != want {
			t.Errorf("https %s: %q, want %q", path, got, want)
		}
	}
	client.CloseIdleConnections()
}

// selfSigned makes a certificate for a name.
func selfSigned(t testing.TB, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: bigint.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
