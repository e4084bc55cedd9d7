//go:build e2e

package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const nginxConf = `daemon off;
worker_processes auto;
error_log %[1]s/error.log;
pid %[1]s/nginx.pid;
events { worker_connections 1024; }
http {
	access_log %[1]s/access.log;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server { listen 127.0.0.1:%[2]s; root %[3]s; }
}
`

// nginx serves a directory, or skips where it is not installed.
func nginx(b *testing.B, root string) (url string) {
	b.Helper()
	bin := "/usr/sbin/nginx"
	if _, err := os.Stat(bin); err != nil {
		b.Skip("nginx is not installed: apt-get install nginx-light")
	}
	dir, port := b.TempDir(), freePort(b)
	for _, d := range []string{dir, root, filepath.Dir(dir), filepath.Dir(root)} {
		if err := os.Chmod(d, 0o777); err != nil { // its workers are another user
			b.Fatal(err)
		}
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, port, root), 0o644); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(bin, "-c", conf, "-e", filepath.Join(dir, "error.log"))
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	url = "http://127.0.0.1:" + port
	for begin := time.Now(); fetch(url+"/small.txt", "") != nil; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			b.Fatal("nginx does not answer")
		}
	}
	return url
}

// BenchmarkStatic: static files through the gateway over nginx with sendfile:
// bytes a second of 100 MB, requests a second of 8 KiB. Both log every request.
func BenchmarkStatic(b *testing.B) {
	dir := platform.Files(b, map[string]string{
		"app.yaml":      "runtime: python311\nhandlers:\n- {url: /, static_dir: www}\n",
		"www/small.txt": string(noise(8 << 10)),
		"www/large.bin": string(noise(100 << 20)),
	})
	peer := nginx(b, filepath.Join(dir, "www"))
	s := platform.Start(b)
	host := s.Deploy(dir)
	for _, c := range []struct {
		name, path string
		conns      int
		unit       string
		scale      float64
	}{
		{"large/c=1", "/large.bin", 1, "MBps", 104.8576},
		{"large/c=4", "/large.bin", 4, "MBps", 104.8576},
		{"small/c=1", "/small.txt", 1, "rps", 1},
		{"small/c=16", "/small.txt", 16, "rps", 1},
		{"small/c=64", "/small.txt", 64, "rps", 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			var sunya, other, ratio []float64
			for b.Loop() {
				sunya, other, ratio = nil, nil, nil
				for range 3 {
					n := rate(b, peer+c.path, "", c.conns) * c.scale
					g := rate(b, s.URL()+c.path, host, c.conns) * c.scale
					sunya, other, ratio = append(sunya, g), append(other, n), append(ratio, g/n)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(sunya), "sunya-"+c.unit)
			b.ReportMetric(median(other), "nginx-"+c.unit)
			b.ReportMetric(median(ratio), "ratio")
		})
	}
}

// noise is content that does not compress.
func noise(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(p)
	return p
}
