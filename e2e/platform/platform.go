// Package platform runs the real binary for tests and benchmarks, and talks to
// it as its users do.
package platform

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

// Server is one running platform.
type Server struct {
	t        testing.TB
	Data     string
	args     []string
	Port     string
	out      *output
	*process // shared by every part of a test
}

// process is the one that runs now; after a kill it is another.
type process struct {
	proc   *os.Process
	done   chan struct{}
	before []*process // that this one has taken over from; they end by themselves
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

// Start runs sunya up with these flags on a free port and waits until it is
// ready. It is stopped when the test ends.
func Start(t testing.TB, args ...string) *Server {
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
	s := &Server{t: t, Data: filepath.Join(dir, "data"), args: args, Port: "0", out: &output{f}, process: &process{}}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("server output:\n%s", Tail(s.out.String(), 8000))
		}
		f.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("data directory cannot be removed: %v", err)
		}
	})
	s.Up()
	return s
}

// For is the same server for a part of a test, which fails by itself. What a
// part kills and starts again is stopped at the end of the test all the same.
func (s *Server) For(t testing.TB) *Server {
	part := *s
	part.t = t
	return &part
}

// Tail returns the last n bytes of s.
func Tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}

var apisLine = regexp.MustCompile(`(?m)^\s*APIs\s+http://[^:\s]+:(\d+)`)

// Up starts the process; after a kill it comes back on the same port.
func (s *Server) Up() {
	s.t.Helper()
	mark := len(s.out.String())
	*s.process = *s.run(s.upArgs()...)
	s.awaitReady(mark)
}

// upArgs are how this server is started.
func (s *Server) upArgs(more ...string) []string {
	args := append([]string{"up", "--data", s.Data, "--listen", "127.0.0.1:" + s.Port}, s.args...)
	return append(args, more...)
}

// run starts the binary.
func (s *Server) run(args ...string) *process {
	s.t.Helper()
	cmd := exec.Command(bin(s.t), args...)
	cmd.Stdout, cmd.Stderr = s.out.file, s.out.file
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	p := &process{proc: cmd.Process, done: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.done) }()
	return p
}

// awaitReady waits until the process that was started last serves; it has printed
// after mark.
func (s *Server) awaitReady(mark int) {
	s.t.Helper()
	s.Eventually(20*time.Second, "server is ready", func() error {
		select {
		case <-s.done:
			s.t.Fatalf("server exited: %s", s.out)
		default:
		}
		m := apisLine.FindStringSubmatch(s.out.String()[mark:])
		if m == nil {
			return errors.New("no APIs line printed")
		}
		s.Port = m[1]
		resp, err := http.Get(s.URL() + "/healthz")
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

// URL is where the APIs answer.
func (s *Server) URL() string { return "http://127.0.0.1:" + s.Port }

// Kill ends the server as a power cut would, and nothing else.
func (s *Server) Kill() {
	_ = s.proc.Kill()
	<-s.done
}

// Ended is closed when the server's process is gone.
func (s *Server) Ended() <-chan struct{} { return s.done }

// Stop is Ctrl-C.
func (s *Server) Stop() {
	for _, old := range s.before {
		s.stop(old)
	}
	s.stop(s.process)
}

func (s *Server) stop(p *process) {
	select {
	case <-p.done:
		return
	default:
	}
	_ = p.proc.Signal(syscall.SIGINT)
	select {
	case <-p.done:
	case <-time.After(40 * time.Second):
		s.t.Errorf("server did not stop within 40 s of SIGINT")
		_ = p.proc.Kill()
		<-p.done
	}
}

// Eventually waits for a condition.
func (s *Server) Eventually(limit time.Duration, what string, cond func() error) {
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

// Result is what a command said.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// LastLine is the last line of stdout.
func (r Result) LastLine() string {
	lines := strings.Split(strings.TrimRight(r.Stdout, "\n"), "\n")
	return lines[len(lines)-1]
}

// CLI runs the command line against this server.
func (s *Server) CLI(args ...string) Result {
	s.t.Helper()
	return s.Follow(func(string) {}, args...)
}

// Follow runs the command line and shows each line of its progress as it comes.
func (s *Server) Follow(line func(string), args ...string) Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin(s.t), args...)
	cmd.Env = append(os.Environ(), "SUNYA_SERVER="+s.URL())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &lines{&stderr, line}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("sunya %s: %v", strings.Join(args, " "), err)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// lines collects what is written and passes on each write: the command line
// writes whole lines.
type lines struct {
	all  *bytes.Buffer
	line func(string)
}

func (l *lines) Write(p []byte) (int, error) {
	l.line(string(p))
	return l.all.Write(p)
}

// OK runs the command line and expects success.
func (s *Server) OK(args ...string) Result {
	s.t.Helper()
	r := s.CLI(args...)
	if r.Code != 0 {
		s.t.Fatalf("sunya %s: exit %d\nstdout: %s\nstderr: %s\nserver: %s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr, Tail(s.out.String(), 3000))
	}
	return r
}

// Deploy deploys a directory and returns the host under which it answers.
func (s *Server) Deploy(dir string, flags ...string) (host string) {
	s.t.Helper()
	r := s.OK(append([]string{"app", "deploy", dir, "--quiet"}, flags...)...)
	u, err := url.Parse(r.LastLine())
	if err != nil || u.Host == "" {
		s.t.Fatalf("last line of stdout is not a URL: %q", r.Stdout)
	}
	return u.Host
}

// Client has no proxy and no redirects, and a deadline.
var Client = &http.Client{
	Timeout:       90 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Try asks an app and returns status and body.
func (s *Server) Try(host, path string) (int, string, error) {
	req, err := http.NewRequest(http.MethodGet, s.URL()+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	resp, err := Client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// Get asks an app and expects 200.
func (s *Server) Get(host, path string) string {
	s.t.Helper()
	code, body, err := s.Try(host, path)
	if err != nil || code != http.StatusOK {
		s.t.Fatalf("GET %s%s: %d %v\n%s\nserver: %s", host, path, code, err, Tail(body, 2000), Tail(s.out.String(), 3000))
	}
	return body
}

// Instance is one row of status.
type Instance struct {
	ID, Revision, State string
	InFlight            int
}

// Instances asks the server what runs.
func (s *Server) Instances() []Instance {
	s.t.Helper()
	resp, err := Client.Get(s.URL() + "/sunya/v1/status")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var st struct{ Instances []Instance }
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		s.t.Fatal(err)
	}
	return st.Instances
}

// Process is a process of the machine.
type Process struct {
	PID, Parent int
	Args        string
}

// Descendants lists what runs under this server: its launcher, sandboxes, apps.
func (s *Server) Descendants() []Process {
	s.t.Helper()
	return Below(s.t, s.PID())
}

// Below lists the processes that descend from one.
func Below(t testing.TB, pid int) []Process {
	t.Helper()
	children := map[int][]Process{}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if p, ok := readProcess(dir); ok {
			children[p.Parent] = append(children[p.Parent], p)
		}
	}
	var out []Process
	for todo := children[pid]; len(todo) > 0; todo = todo[1:] {
		out = append(out, todo[0])
		todo = append(todo, children[todo[0].PID]...)
	}
	return out
}

// readProcess reads one entry of /proc; a process that is gone or a zombie is
// none.
func readProcess(dir string) (Process, bool) {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Process{}, false
	}
	args, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil || len(args) == 0 {
		return Process{}, false
	}
	var p Process
	var state string
	if _, err := fmt.Sscanf(string(stat), "%d", &p.PID); err != nil {
		return Process{}, false
	}
	after := stat[bytes.LastIndexByte(stat, ')')+1:] // a name may hold anything
	if _, err := fmt.Sscanf(string(after), "%s %d", &state, &p.Parent); err != nil || state == "Z" {
		return Process{}, false
	}
	p.Args = strings.TrimSpace(strings.ReplaceAll(string(args), "\x00", " "))
	return p, true
}

// Alive reports whether a process still runs.
func (p Process) Alive() bool {
	now, ok := readProcess(filepath.Join("/proc", fmt.Sprint(p.PID)))
	return ok && now.Args == p.Args
}

// NoOrphans asks doctor.
func (s *Server) NoOrphans() {
	s.t.Helper()
	r := s.CLI("doctor", "--json")
	sc := bufio.NewScanner(strings.NewReader(r.Stdout))
	sc.Buffer(nil, 1<<20)
	var doc struct {
		Checks []struct{ Name, Status, Detail string }
	}
	if err := json.Unmarshal([]byte(r.Stdout), &doc); err != nil {
		s.t.Fatalf("doctor --json: %v\n%s\n%s", err, r.Stdout, r.Stderr)
	}
	for _, c := range doc.Checks {
		if c.Status == "fail" || strings.Contains(c.Name, "orphan") && c.Status != "ok" {
			s.t.Errorf("doctor: %s: %s: %s", c.Name, c.Status, c.Detail)
		}
	}
}

// PID is the server's process id.
func (s *Server) PID() int { return s.proc.Pid }

// Output is what the server has printed so far, in all its runs.
func (s *Server) Output() string { return s.out.String() }
