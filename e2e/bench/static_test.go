//go:build e2e

package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/bench/peer"
	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

const nginxFiles = `daemon off;
worker_processes auto;
error_log %[1]s/error.log;
pid %[1]s/nginx.pid;
events { worker_connections 1024; }
http {
	access_log %[1]s/access.log;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server { listen %[2]s; root %[3]s; }
}
`

// nginx serves a directory that has a file index.html, or skips where it is not
// installed.
func nginx(s *sheet, root string) (url string) {
	s.Helper()
	bin, err := peer.Find("nginx")
	if err != nil {
		s.Skip("SKIP: nginx is not installed: apt-get install nginx-light")
	}
	dir, listen := scratch(s, "nginx"), "127.0.0.1:"+freePort(s)
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxFiles, dir, listen, root), 0o644); err != nil {
		s.Fatal(err)
	}
	server, err := answering(exec.Command(bin, "-c", conf, "-e", filepath.Join(dir, "error.log")), listen)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(server.Stop)
	return "http://" + listen
}

// BenchmarkStatic: static files through the gateway over nginx with sendfile:
// bytes a second of 100 MB, requests a second of 8 KiB. Both log every request.
func BenchmarkStatic(b *testing.B) {
	s := begin(b, "static")
	defer s.end()
	needWrk(s)
	dir := scratch(s, "static") // nginx's workers are another user
	for name, content := range map[string][]byte{
		"app.yaml":       []byte("runtime: python311\nhandlers:\n- {url: /, static_dir: www}\n"),
		"www/small.txt":  noise(8 << 10),
		"www/large.bin":  noise(100 << 20),
		"www/index.html": []byte("here\n"),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			s.Fatal(err)
		}
	}
	peer := nginx(s, filepath.Join(dir, "www"))
	server := platform.Start(s)
	host := server.Deploy(dir)
	for _, c := range []struct {
		name, path, title string
		conns             int
	}{
		{"large", "/large.bin", "100 MB", 1},
		{"large", "/large.bin", "100 MB", 4},
		{"small", "/small.txt", "8 KiB", 1},
		{"small", "/small.txt", "8 KiB", 16},
		{"small", "/small.txt", "8 KiB", 64},
	} {
		s.run(fmt.Sprintf("%s/c=%d", c.name, c.conns), func(s *sheet) {
			f := s.figure(results.Figure{ID: s.id, Title: c.title + ", " + connections(c.conns), Unit: "req/s", Higher: true, Base: "nginx"})
			if c.name == "large" {
				f.Unit = "MB/s"
			}
			measure := func(t target) float64 {
				r := mustLoad(s, t, c.conns)
				if c.name == "large" {
					return r.BytesPerSecond / 1e6
				}
				return r.RequestsPerSecond
			}
			s.turns(3,
				func() { f.Add("Sunya", measure(target{name: "Sunya", url: server.URL() + c.path, host: host})) },
				func() { f.Add("nginx", measure(target{name: "nginx", url: peer + c.path})) })
		})
	}
}

// noise is content that does not compress.
func noise(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(p)
	return p
}
