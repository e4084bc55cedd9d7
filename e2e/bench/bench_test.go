//go:build e2e

// Package bench measures Sunya beside the bare program, interleaved in one run:
// only the ratios carry over to another machine. Run it with make bench.
package bench

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const (
	flaskMain     = "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.route('/')\ndef hello():\n    return 'Hello World!'\n"
	flaskGunicorn = "Flask\ngunicorn\n"
)

func flask(tb testing.TB) string {
	return platform.Files(tb, map[string]string{
		"app.yaml": "runtime: python311\n", "main.py": flaskMain, "requirements.txt": flaskGunicorn,
	})
}

// venv installs what the bare program needs, once.
func venv(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	for _, args := range [][]string{
		{"/usr/bin/python3", "-m", "venv", dir},
		{filepath.Join(dir, "bin", "pip"), "install", "-q", "Flask", "gunicorn"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return dir
}

// freePort finds a port that nobody listens on.
func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// bare starts a program on a port and returns when the first answer is there.
func bare(tb testing.TB, dir, port string, argv ...string) (took time.Duration, stop func()) {
	tb.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PORT="+port)
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}
	for {
		if err := fetch("http://127.0.0.1:"+port, ""); err == nil {
			return time.Since(begin), stop
		}
		if time.Since(begin) > 30*time.Second {
			stop()
			tb.Fatalf("%v does not answer", argv)
		}
		time.Sleep(time.Millisecond)
	}
}

// fetch makes one request on a fresh connection.
func fetch(url, host string) error {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Host = host
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", resp.Status)
	}
	return nil
}

// timed measures one request.
func timed(b *testing.B, url, host string) time.Duration {
	b.Helper()
	begin := time.Now()
	if err := fetch(url, host); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

// pairs are interleaved measurements of Sunya and of its peer.
type pairs struct{ sunya, peer []time.Duration }

func median[T time.Duration | float64](list []T) T {
	s := slices.Clone(list)
	slices.Sort(s)
	return s[len(s)/2]
}

// report prints medians and the median of the pairwise ratios.
func (p pairs) report(b *testing.B, peer string) {
	ratios := make([]float64, len(p.sunya))
	for i := range p.sunya {
		ratios[i] = float64(p.sunya[i]) / float64(p.peer[i])
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(median(p.sunya)), "sunya-ms")
	b.ReportMetric(ms(median(p.peer)), peer+"-ms")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(slices.Min(ratios), "ratio-min")
	b.ReportMetric(slices.Max(ratios), "ratio-max")
}

const rounds = 9

// BenchmarkColdStart: a request to a service without a process, over the bare
// boot of the same program with the same arguments.
func BenchmarkColdStart(b *testing.B) {
	env, dir := venv(b), flask(b)
	s := platform.Start(b, "--idle-timeout", "1s")
	host := s.Deploy(dir)
	var p pairs
	for b.Loop() {
		p = pairs{}
		for range rounds {
			s.Eventually(20*time.Second, "scaled to zero", func() error {
				if is := s.Instances(); len(is) > 0 {
					return fmt.Errorf("%v", is)
				}
				return nil
			})
			p.sunya = append(p.sunya, timed(b, s.URL(), host))
			port := freePort(b)
			took, stop := bare(b, dir, port, filepath.Join(env, "bin", "gunicorn"), "-b", ":"+port, "--workers", "1", "--threads", "8", "--timeout", "0", "main:app")
			stop()
			p.peer = append(p.peer, took)
		}
	}
	p.report(b, "bare")
}

// BenchmarkThaw: a request to a frozen instance, over a fresh-connection
// request to the bare program.
func BenchmarkThaw(b *testing.B) {
	env, dir := venv(b), flask(b)
	s := platform.Start(b)
	host := s.Deploy(dir)
	port := freePort(b)
	_, stop := bare(b, dir, port, filepath.Join(env, "bin", "gunicorn"), "-b", ":"+port, "--workers", "1", "--threads", "8", "--timeout", "0", "main:app")
	defer stop()
	timed(b, s.URL(), host)
	var p pairs
	for b.Loop() {
		p = pairs{}
		for range rounds {
			s.Eventually(20*time.Second, "frozen", func() error {
				is := s.Instances()
				if len(is) != 1 || is[0].State != "frozen" {
					return fmt.Errorf("%v", is)
				}
				return nil
			})
			p.sunya = append(p.sunya, timed(b, s.URL(), host))
			p.peer = append(p.peer, timed(b, "http://127.0.0.1:"+port, ""))
		}
	}
	p.report(b, "bare")
}

const goMain = `package main

import (
	"net/http"
	"os"
)

func main() {
	body := make([]byte, 1024)
	http.ListenAndServe(":"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) }))
}
`

// BenchmarkWarm: requests a second through the gateway over direct, for a Go
// program behind it, at 1, 16 and 64 connections.
func BenchmarkWarm(b *testing.B) {
	dir := platform.Files(b, map[string]string{
		"app.yaml":      "runtime: python311\nentrypoint: ./hello\nautomatic_scaling:\n  max_instances: 1\n  max_concurrent_requests: 80\n",
		"src/go.mod":    "module hello\n\ngo 1.26\n",
		"src/main.go":   goMain,
		".gcloudignore": "src/\n",
	})
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "hello"), ".")
	build.Dir = filepath.Join(dir, "src")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	s := platform.Start(b)
	host := s.Deploy(dir)
	port := freePort(b)
	_, stop := bare(b, dir, port, "./hello")
	defer stop()
	for _, conns := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("c=%d", conns), func(b *testing.B) {
			var sunya, direct, ratio []float64
			for b.Loop() {
				sunya, direct, ratio = nil, nil, nil
				for range 3 {
					d := rate(b, "http://127.0.0.1:"+port, "", conns)
					g := rate(b, s.URL(), host, conns)
					sunya, direct, ratio = append(sunya, g), append(direct, d), append(ratio, g/d)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(sunya), "sunya-rps")
			b.ReportMetric(median(direct), "direct-rps")
			b.ReportMetric(median(ratio), "ratio")
		})
	}
}

// rate sends requests over keep-alive connections for two seconds.
func rate(b *testing.B, url, host string, conns int) float64 {
	b.Helper()
	const span = 2 * time.Second
	transport := &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns, DisableCompression: true}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	counts := make([]int, conns)
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range conns {
		wg.Go(func() {
			for time.Since(begin) < span {
				req, _ := http.NewRequest(http.MethodGet, url, nil)
				req.Host = host
				resp, err := c.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begin).Seconds()
}

// BenchmarkRedeploy: changed code with unchanged requirements, from the command
// to the URL.
func BenchmarkRedeploy(b *testing.B) {
	dir := flask(b)
	s := platform.Start(b)
	begin := time.Now()
	s.Deploy(dir)
	first := time.Since(begin)
	var took []float64
	for b.Loop() {
		took = nil
		for i := range rounds {
			main := flaskMain + fmt.Sprintf("\n# change %d\n", i)
			if err := os.WriteFile(filepath.Join(dir, "main.py"), []byte(main), 0o644); err != nil {
				b.Fatal(err)
			}
			begin := time.Now()
			s.Deploy(dir, "--version", fmt.Sprintf("v%d", i))
			took = append(took, time.Since(begin).Seconds())
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(took), "redeploy-s")
	b.ReportMetric(slices.Max(took), "redeploy-max-s")
	b.ReportMetric(first.Seconds(), "first-s")
}
