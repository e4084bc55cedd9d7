//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const mischief = `import http.server, json, os, signal, sys, threading, time

BOOT = str(time.time_ns()).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/exit":
            os._exit(5)
        if path == "/abort":
            os.kill(os.getpid(), signal.SIGKILL)
        if path == "/slow":
            time.sleep(8)
        if path == "/memory":
            hold = []
            while True:
                hold.append(b"x" * (1 << 20))
        if path == "/fork":
            n = 0
            try:
                while True:
                    if os.fork() == 0:
                        time.sleep(600)
                        os._exit(0)
                    n += 1
            except OSError as e:
                return self.answer(json.dumps({"n": n, "errno": e.errno}).encode())
        if path == "/flood":
            worst, line = 0, b"f" * 1000 + b"\n"
            end = time.monotonic() + 3
            n = 0
            while time.monotonic() < end:
                begin = time.monotonic()
                os.write(1, line)
                worst = max(worst, time.monotonic() - begin)
                n += 1
            return self.answer(json.dumps({"worst": worst, "lines": n}).encode())
        if path == "/garbage":
            self.wfile.write(b"\x00\xff this is no HTTP\r\n\r\n" * 100)
            self.close_connection = True
            return
        if path == "/silent":
            self.close_connection = True
            return
        if path == "/early":
            for i in range(100000):
                self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            return
        if path == "/short":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
            self.close_connection = True
            return
        if path == "/long":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            return
        if path == "/both":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            self.close_connection = True
            return
        if path == "/headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-H%d: %s\r\n" % (i, b"v" * 1000) for i in range(2000)) + b"\r\n")
            self.close_connection = True
            return
        if path == "/stop":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nhello\r\n")
            self.wfile.flush()
            time.sleep(0.2)
            os._exit(6)
        self.answer(BOOT)

    do_POST = do_GET

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


Server(("", int(os.environ["PORT"])), Handler).serve_forever()
`

// deployMischief deploys the program above as a service of its own.
func deployMischief(t *testing.T, s *platform.Server, service, more string) (host string) {
	t.Helper()
	yaml := "service: " + service + bareYAML + more
	return s.Deploy(platform.Files(t, map[string]string{"app.yaml": yaml, "main.py": mischief}))
}

// program is the app's own process in an instance: the one that no sandbox of
// ours is.
func program(t *testing.T, s *platform.Server) platform.Process {
	t.Helper()
	for _, p := range platform.Below(t, s.Launcher()) {
		if strings.Contains(p.Args, "main.py") {
			return p
		}
	}
	t.Fatal("no program runs")
	return platform.Process{}
}

// TestProgramDies (F3): whatever ends a program in the middle of a request, the
// request ends with a reason and the next one finds a new instance.
func TestProgramDies(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	deployMischief(t, s, "default", "")
	host := "sunya.localhost:" + s.Port
	for _, c := range []struct {
		name, path string
		kill       func() // what happens while the request is under way
	}{
		{"exits", "/exit", nil},
		{"kills itself", "/abort", nil},
		{"is killed", "/slow", func() { kill(t, program(t, s).PID) }},
		{"its PID 1 is killed", "/slow", func() { kill(t, program(t, s).Parent) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Get(host, "/")
			if c.kill != nil {
				go func() { inFlight(s, 1); c.kill() }()
			}
			resp, err := postTo(s, host, c.path) // not repeated: it is a POST
			if err != nil || resp != http.StatusBadGateway {
				t.Errorf("%d %v, want 502", resp, err)
			}
			begin := time.Now()
			s.Get(host, "/")
			t.Logf("next answer after %v", time.Since(begin))
		})
	}
	s.Eventually(10*time.Second, "one instance, nothing in flight", func() error {
		if is := s.Instances(); len(is) != 1 || is[0].InFlight != 0 {
			return fmt.Errorf("%+v", is)
		}
		return nil
	})
	checkNothingLeft(t, s)
}

func kill(t *testing.T, pid int) {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("kill %d: %v", pid, err)
	}
}

// inFlight waits until that many requests are in instances.
func inFlight(s *platform.Server, want int) {
	s.Eventually(20*time.Second, fmt.Sprintf("%d requests in flight", want), func() error {
		n := 0
		for _, i := range s.Instances() {
			n += i.InFlight
		}
		if n != want {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
}

func postTo(s *platform.Server, host, path string) (int, error) {
	req, err := http.NewRequest(http.MethodPost, s.URL()+path, strings.NewReader("x"))
	if err != nil {
		return 0, err
	}
	req.Host = host
	resp, err := platform.Client.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// TestHostileAnswers (F29): a program that does not speak HTTP gets a 502 in
// its place, soon, or a connection cut where the response stopped being right.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	deployMischief(t, s, "default", "")
	host := "sunya.localhost:" + s.Port
	for _, c := range []struct {
		path string
		code int
		cut  bool // the body ends in an error
	}{
		{"/garbage", 502, false}, {"/silent", 502, false}, {"/early", 502, false}, {"/short", 200, true},
		{"/both", 200, false} /* framed anew: RFC 9112 6.3 */, {"/headers", 502, false}, {"/stop", 200, true}, {"/long", 200, false},
	} {
		t.Run(c.path[1:], func(t *testing.T) {
			begin := time.Now()
			code, body, err := s.Try(host, c.path)
			took := time.Since(begin)
			switch {
			case c.cut:
				if err == nil {
					t.Errorf("%d %q: an incomplete response looks complete", code, platform.Tail(body, 200))
				}
			case err != nil || code != c.code:
				t.Errorf("%d %v %q, want %d", code, err, platform.Tail(body, 200), c.code)
			}
			if took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if got := s.Get(host, "/"); got == "forged" {
				t.Error("a response that nobody asked for was given to the next request")
			}
		})
	}
	inFlight(s, 0)
}

// TestFrozenByItself (F4): a program that stops answering ends its request at
// the timeout and not later, and the server and other services do not mind.
func TestFrozenByItself(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	deployMischief(t, s, "default", "")
	host := "sunya.localhost:" + s.Port
	s.Get(host, "/")
	p := program(t, s)
	if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	if resp, err := platform.Client.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("%s from a stopped program", resp.Status)
	}
	inFlight(s, 0) // the client has gone, and its slot with it
	if err := syscall.Kill(p.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.Get(host, "/")
	checkNothingLeft(t, s)
}

// TestGreedyPrograms (F11, F12, F14): memory, processes and output have their
// limits; a neighbour does not notice.
func TestGreedyPrograms(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP: the limits of level user are doctor's to report")
	}
	s := platform.Start(t)
	neighbour := s.Deploy(platform.Bare(t, "calm"))
	greedy := deployMischief(t, s, "greedy", "instance_class: F1\n")
	quit := make(chan struct{})
	var wg sync.WaitGroup
	var slowest time.Duration
	wg.Go(func() {
		for {
			select {
			case <-quit:
				return
			default:
			}
			begin := time.Now()
			if code, body, err := s.Try(neighbour, "/"); err != nil || code != 200 {
				t.Errorf("neighbour: %d %s %v", code, platform.Tail(body, 200), err)
			}
			slowest = max(slowest, time.Since(begin))
		}
	})
	t.Run("memory", func(t *testing.T) {
		if code, err := postTo(s, greedy, "/memory"); err != nil || code != http.StatusBadGateway {
			t.Errorf("%d %v, want 502", code, err)
		}
		s.Eventually(20*time.Second, "the log says that memory ran out, and of how much", func() error {
			out := s.OK("logs", "greedy", "--tail", "50").Stdout
			if !strings.Contains(strings.ToLower(out), "memory") || !strings.Contains(out, "384") {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
		s.Get(greedy, "/")
	})
	t.Run("forks", func(t *testing.T) {
		code, body, err := s.Try(greedy, "/fork")
		t.Logf("%d %s %v", code, platform.Tail(body, 200), err)
		if err != nil || code != 200 && code != 502 {
			t.Errorf("%d %v", code, err)
		}
	})
	t.Run("output", func(t *testing.T) {
		before := size(t, filepath.Join(s.Data, "logs"))
		body := s.Get(greedy, "/flood")
		t.Logf("%s", body)
		s.Eventually(20*time.Second, "the log says what is missing", func() error {
			out := s.OK("logs", "greedy", "--tail", "300").Stdout
			if !strings.Contains(out, "dropped") {
				return fmt.Errorf("%s", platform.Tail(out, 300))
			}
			return nil
		})
		grown := size(t, filepath.Join(s.Data, "logs")) - before
		t.Logf("logs grew by %d KiB", grown>>10)
		if grown > 200<<20 {
			t.Errorf("logs grew by %d MiB", grown>>20)
		}
	})
	close(quit)
	wg.Wait()
	t.Logf("slowest answer of the neighbour: %v", slowest)
	checkNothingLeft(t, s)
}

func size(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // files come and go
		}
		if fi, err := d.Info(); err == nil {
			bytes += fi.Size()
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return bytes
}

// TestLauncherKilled: without its launcher the server cannot go on; it says so,
// ends with an error, and the next one finds everything.
func TestLauncherKilled(t *testing.T) {
	s := platform.Start(t)
	host := s.Deploy(platform.Bare(t, "hi"))
	s.Get(host, "/")
	below := platform.Below(t, s.Launcher())
	kill(t, s.Launcher())
	select {
	case <-s.Ended():
	case <-time.After(40 * time.Second):
		t.Fatal("the server goes on without its launcher")
	}
	if out := s.Output(); !strings.Contains(out, "launcher has ended") {
		t.Errorf("the server does not say why it ended:\n%s", platform.Tail(out, 1000))
	}
	s.Eventually(10*time.Second, "no process is left", func() error {
		for _, p := range below {
			if p.Alive() {
				return fmt.Errorf("%v", p)
			}
		}
		return nil
	})
	s.Up()
	if got := s.Get(host, "/"); got != "hi" {
		t.Errorf("afterwards: %q", got)
	}
	checkNothingLeft(t, s)
}
