//go:build e2e

package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pythonEnv has what the bare Python programs need, once a run.
func pythonEnv(tb testing.TB) string {
	tb.Helper()
	return installed(tb, "venv", func(dir string) error {
		for _, argv := range [][]string{
			{"/usr/bin/python3", "-m", "venv", dir},
			{filepath.Join(dir, "bin", "pip"), "install", "-q", "Flask", "gunicorn"},
		} {
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%v: %w: %s", argv, err, out)
			}
		}
		return nil
	})
}

// gunicorn is the argument vector of a Python program, as an instance has it.
func gunicorn(tb testing.TB) []string {
	return []string{filepath.Join(pythonEnv(tb), "bin", "gunicorn"), "-b", ":$PORT", "--workers", "1", "--threads", "8", "--timeout", "0", "main:app"}
}

// run runs a program without cgo that must succeed.
func run(tb testing.TB, dir string, argv ...string) {
	tb.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

// goBuild builds a Go program once a run.
func goBuild(tb testing.TB, name, dir string) string {
	tb.Helper()
	out := installed(tb, "go-"+name, func(out string) error {
		cmd := exec.Command("go", "build", "-o", filepath.Join(out, name), ".")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
		if msg, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w: %s", dir, err, msg)
		}
		return nil
	})
	return filepath.Join(out, name)
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

// bareApp is a program without Sunya that runs.
type bareApp struct {
	Addr string        // HOST:PORT
	Took time.Duration // from its start to the first byte of its first answer
	cmd  *exec.Cmd
}

// Stop ends the program and what it started.
func (a *bareApp) Stop() {
	_ = a.cmd.Process.Signal(os.Interrupt)
	_ = a.cmd.Wait()
}

// PID is its process.
func (a *bareApp) PID() int { return a.cmd.Process.Pid }

// bare starts a program on a free port, for which $PORT stands in its arguments,
// and returns once it has answered.
func bare(tb testing.TB, dir string, argv ...string) *bareApp {
	tb.Helper()
	a, err := tryBare(dir, freePort(tb), argv...)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func tryBare(dir, port string, argv ...string) (*bareApp, error) {
	mine := make([]string, len(argv))
	for i := range argv {
		mine[i] = strings.ReplaceAll(argv[i], "$PORT", port)
	}
	cmd := exec.Command(mine[0], mine[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PORT="+port)
	return answering(cmd, "127.0.0.1:"+port)
}

// answering starts a program and waits until it answers at an address.
func answering(cmd *exec.Cmd, addr string) (*bareApp, error) {
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	a := &bareApp{Addr: addr, cmd: cmd}
	for {
		got, err := ask(addr, "", "/", time.Minute)
		a.Took = got.At.Sub(begin)
		switch waited := time.Since(begin); {
		case err == nil && got.Status == 200:
			return a, nil
		case waited > 30*time.Second:
			a.Stop()
			return nil, fmt.Errorf("%v does not answer: %d %w", cmd.Args, got.Status, err)
		case waited > 20*time.Millisecond:
			time.Sleep(time.Millisecond)
		default: // what boots in few milliseconds shall not wait for the next look
			time.Sleep(200 * time.Microsecond)
		}
	}
}

// answer is what came of a request.
type answer struct {
	Status     int
	RetryAfter string
	At         time.Time     // of its first byte
	First      time.Duration // from before the connection was made to the first byte
	Last       time.Duration // to the last byte
}

// ask makes one request on a connection of its own. It takes neither a client's
// pool nor its goroutines: what is measured is the server. An error is a
// connection that gave no whole answer.
func ask(addr, host, path string, limit time.Duration) (answer, error) {
	var a answer
	begin := time.Now()
	c, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return a, err
	}
	defer c.Close()
	if err := c.SetDeadline(begin.Add(limit)); err != nil {
		return a, err
	}
	if host == "" {
		host = addr
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nConnection: close\r\n\r\n", path, host); err != nil {
		return a, err
	}
	r := bufio.NewReaderSize(c, 8<<10)
	if _, err := r.Peek(1); err != nil {
		return a, err
	}
	a.At = time.Now()
	a.First = a.At.Sub(begin)
	if err := a.read(r); err != nil {
		return a, err
	}
	a.Last = time.Since(begin)
	return a, nil
}

// read reads the status, the headers that matter and the rest.
func (a *answer) read(r *bufio.Reader) error {
	length := int64(-1)
	for n := 0; ; n++ {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimRight(line, "\r\n")
		if n == 0 {
			var minor int
			if _, err := fmt.Sscanf(line, "HTTP/1.%d %d", &minor, &a.Status); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			continue
		}
		if line == "" {
			break
		}
		switch k, v, _ := strings.Cut(line, ":"); {
		case strings.EqualFold(k, "Retry-After"):
			a.RetryAfter = strings.TrimSpace(v)
		case strings.EqualFold(k, "Content-Length"):
			if _, err := fmt.Sscan(v, &length); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
		}
	}
	if length >= 0 {
		_, err := io.CopyN(io.Discard, r, length)
		return err
	}
	_, err := io.Copy(io.Discard, r)
	return err
}

// first measures a request that must succeed, to its first byte.
func first(tb testing.TB, addr, host string) time.Duration {
	tb.Helper()
	a, err := ask(addr, host, "/", time.Minute)
	if err != nil {
		tb.Fatal(err)
	}
	if a.Status != 200 {
		tb.Fatalf("%s: status %d", host, a.Status)
	}
	return a.First
}
