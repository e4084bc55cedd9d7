//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bin is the program under test.
func bin(t testing.TB) string {
	t.Helper()
	p := os.Getenv("SUNYA_BIN")
	if p == "" {
		p = "../bin/sunya"
	}
	p, err := filepath.Abs(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("%v: run make build, or set SUNYA_BIN", err)
	}
	return p
}

// server is one running platform.
type server struct {
	t    testing.TB
	data string
	args []string
	port string
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
}

// output collects what the server prints.
type output struct {
	file *os.File
}

func (o *output) String() string {
	b, err := os.ReadFile(o.file.Name())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// start runs sunya up with these flags on a free port and waits until it is
// ready. It is stopped when the test ends.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "sunya-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, data: filepath.Join(dir, "data"), args: args, port: "0", out: &output{f}}
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("server output:\n%s", tail(s.out.String(), 8000))
		}
		f.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("data directory cannot be removed: %v", err)
		}
	})
	s.up()
	return s
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}

var apisLine = regexp.MustCompile(`(?m)^\s*APIs\s+http://[^:\s]+:(\d+)`)

// up starts the process; after a kill it comes back on the same port.
func (s *server) up() {
	s.t.Helper()
	mark := len(s.out.String())
	s.cmd = exec.Command(bin(s.t), append([]string{"up", "--data", s.data, "--listen", "127.0.0.1:" + s.port}, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.out.file, s.out.file
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { _ = cmd.Wait(); close(done) }(s.cmd, s.done)
	s.eventually(20*time.Second, "server is ready", func() error {
		select {
		case <-s.done:
			s.t.Fatalf("server exited: %s", s.out)
		default:
		}
		m := apisLine.FindStringSubmatch(s.out.String()[mark:])
		if m == nil {
			return errors.New("no APIs line printed")
		}
		s.port = m[1]
		resp, err := http.Get(s.url() + "/healthz")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("healthz: %s", resp.Status)
		}
		return nil
	})
}

func (s *server) url() string { return "http://127.0.0.1:" + s.port }

// kill ends the server as a power cut would, and nothing else.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// stop is Ctrl-C.
func (s *server) stop() {
	select {
	case <-s.done:
		return
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-s.done:
	case <-time.After(40 * time.Second):
		s.t.Errorf("server did not stop within 40 s of SIGINT")
		s.kill()
	}
}

// eventually waits for a condition.
func (s *server) eventually(limit time.Duration, what string, cond func() error) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := cond()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// result is what a command said.
type result struct {
	stdout, stderr string
	code           int
}

// lastLine is the last line of stdout.
func (r result) lastLine() string {
	lines := strings.Split(strings.TrimRight(r.stdout, "\n"), "\n")
	return lines[len(lines)-1]
}

// cli runs the command line against this server.
func (s *server) cli(args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin(s.t), args...)
	cmd.Env = append(os.Environ(), "SUNYA_SERVER="+s.url())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("sunya %s: %v", strings.Join(args, " "), err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ok runs the command line and expects success.
func (s *server) ok(args ...string) result {
	s.t.Helper()
	r := s.cli(args...)
	if r.code != 0 {
		s.t.Fatalf("sunya %s: exit %d\nstdout: %s\nstderr: %s\nserver: %s", strings.Join(args, " "), r.code, r.stdout, r.stderr, tail(s.out.String(), 3000))
	}
	return r
}

// deploy deploys a directory and returns the host under which it answers.
func (s *server) deploy(dir string, flags ...string) (host string) {
	s.t.Helper()
	r := s.ok(append([]string{"app", "deploy", dir, "--quiet"}, flags...)...)
	u, err := url.Parse(r.lastLine())
	if err != nil || u.Host == "" {
		s.t.Fatalf("last line of stdout is not a URL: %q", r.stdout)
	}
	return u.Host
}

// client has no proxy and no redirects, and a deadline.
var client = &http.Client{
	Timeout:       90 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// try asks an app and returns status and body.
func (s *server) try(host, path string) (int, string, error) {
	req, err := http.NewRequest(http.MethodGet, s.url()+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// get asks an app and expects 200.
func (s *server) get(host, path string) string {
	s.t.Helper()
	code, body, err := s.try(host, path)
	if err != nil || code != http.StatusOK {
		s.t.Fatalf("GET %s%s: %d %v\n%s\nserver: %s", host, path, code, err, tail(body, 2000), tail(s.out.String(), 3000))
	}
	return body
}

// instance is one row of status.
type instance struct {
	ID, Revision, State string
}

// instances asks the server what runs.
func (s *server) instances() []instance {
	s.t.Helper()
	resp, err := client.Get(s.url() + "/sunya/v1/status")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var st struct{ Instances []instance }
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		s.t.Fatal(err)
	}
	return st.Instances
}

// processes lists the command lines of all processes that mention word, as the
// machine sees them.
func processes(t testing.TB, word string) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range dirs {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		line := strings.ReplaceAll(string(b), "\x00", " ")
		if strings.Contains(line, word) && !strings.Contains(line, "sunya app deploy") {
			out = append(out, f+" "+line)
		}
	}
	return out
}

// noOrphans asks doctor.
func (s *server) noOrphans() {
	s.t.Helper()
	r := s.cli("doctor", "--json")
	sc := bufio.NewScanner(strings.NewReader(r.stdout))
	sc.Buffer(nil, 1<<20)
	var doc struct {
		Checks []struct{ Name, Status, Detail string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil {
		s.t.Fatalf("doctor --json: %v\n%s\n%s", err, r.stdout, r.stderr)
	}
	for _, c := range doc.Checks {
		if c.Status == "fail" || strings.Contains(c.Name, "orphan") && c.Status != "ok" {
			s.t.Errorf("doctor: %s: %s: %s", c.Name, c.Status, c.Detail)
		}
	}
}
