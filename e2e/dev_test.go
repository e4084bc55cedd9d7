//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// session is one sunya dev under test.
type session struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr *writings
	ended          chan struct{}
}

// writings can be read while they are written.
type writings struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *writings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *writings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// startDev runs sunya dev. stdin is nil or a terminal that the session is to
// control.
func startDev(t *testing.T, server string, stdin *os.File, args ...string) *session {
	t.Helper()
	bin, err := filepath.Abs(orDefault(os.Getenv("SUNYA_BIN"), "../bin/sunya"))
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, stdout: &writings{}, stderr: &writings{}, ended: make(chan struct{})}
	s.cmd = exec.Command(bin, append([]string{"dev", "--port", "0"}, args...)...)
	s.cmd.Env = os.Environ()
	if server != "" {
		s.cmd.Env = append(s.cmd.Env, "SUNYA_SERVER="+server)
	}
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	if stdin != nil {
		s.cmd.Stdin = stdin
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	t.Cleanup(func() {
		s.end(syscall.SIGINT)
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", platform.Tail(s.stdout.String(), 4000), platform.Tail(s.stderr.String(), 4000))
		}
	})
	return s
}

func orDefault(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// end signals the session and returns its exit code.
func (s *session) end(sig syscall.Signal) int {
	_ = s.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(60 * time.Second):
		s.t.Error("sunya dev did not end")
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	return s.cmd.ProcessState.ExitCode()
}

func (s *session) eventually(what string, cond func() error) {
	s.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := cond()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: %v\nstderr: %s", what, err, platform.Tail(s.stderr.String(), 4000))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

var pagesRE = regexp.MustCompile(`(?m)http://\S+:(\d+)$`)

// pages waits for the address on stdout and returns it, as an address that
// every resolver knows.
func (s *session) pages() string {
	s.t.Helper()
	var port string
	s.eventually("the address is printed", func() error {
		m := pagesRE.FindStringSubmatch(s.stdout.String())
		if m == nil {
			return errors.New("no address on stdout")
		}
		port = m[1]
		return nil
	})
	return "http://127.0.0.1:" + port
}

// get asks as a program, or as a browser that is told to.
func get(url, host, accept string) (int, string, error) {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	r.Host = host
	r.Header.Set("Accept", accept)
	resp, err := platform.Client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// answers waits until the app says what it should.
func (s *session) answers(url, host, want string) {
	s.t.Helper()
	s.eventually("the new answer", func() error {
		code, body, err := get(url, host, "*/*")
		if err == nil && code == http.StatusOK && body == want {
			return nil
		}
		return fmt.Errorf("%d %q %w", code, platform.Tail(body, 200), orNone(err))
	})
}

func orNone(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

func save(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDev is a developer's hour: nothing runs, an app is started, edited,
// broken in two ways, mended, and ended with Ctrl-C.
func TestDev(t *testing.T) {
	t.Parallel()
	dir := platform.Bare(t, "one")
	s := startDev(t, "", nil, dir, "--data", dataDir(t))
	url := s.pages()
	s.answers(url, "", "one")
	children := platform.Below(t, s.cmd.Process.Pid)
	if len(children) == 0 {
		t.Error("no server was started")
	}

	save(t, dir, "main.py", platform.BareMain("two"))
	saved := time.Now()
	s.answers(url, "", "two")
	t.Logf("from the save to the new answer: %v", time.Since(saved).Round(time.Millisecond))

	broken := func(text, title, place, cause string) {
		t.Helper()
		save(t, dir, "main.py", text)
		s.eventually("the page shows the error", func() error {
			code, body, err := get(url, "", "text/html")
			if err == nil && code == http.StatusInternalServerError && strings.Contains(body, title) {
				for _, want := range []string{place, cause, "continue with it"} {
					if !strings.Contains(body, want) {
						return fmt.Errorf("the page lacks %q:\n%s", want, body)
					}
				}
				return nil
			}
			return fmt.Errorf("%d %w", code, orNone(err))
		})
		if _, body, err := get(url, "", "*/*"); err != nil || body != "two" {
			t.Errorf("the last good version does not serve: %q %v", body, err)
		}
		terminal := s.stderr.String() + s.stdout.String()
		if n := strings.Count(terminal, cause); n > 1 {
			t.Errorf("%q is shown %d times", cause, n)
		}
	}
	broken(platform.BareMain("three")+"\ndef (\n", "SyntaxError", "main.py:", "SyntaxError: invalid syntax")
	broken("def go():\n    raise ValueError('not today')\ngo()\n", "did not become ready", "main.py:2", "ValueError: not today")
	s.eventually("the terminal shows the traceback", func() error {
		if n := strings.Count(s.stderr.String()+s.stdout.String(), "ValueError: not today"); n != 1 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})

	save(t, dir, "main.py", platform.BareMain("four"))
	s.answers(url, "", "four")
	s.eventually("pages are the app's again", func() error {
		code, body, err := get(url, "", "text/html")
		if err == nil && code == http.StatusOK && body == "four" {
			return nil
		}
		return fmt.Errorf("%d %q %w", code, platform.Tail(body, 200), orNone(err))
	})

	if code := s.end(syscall.SIGINT); code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	for _, p := range children {
		if p.Alive() {
			t.Errorf("still runs: %v", p)
		}
	}
}

// dataDir is a directory that a server without root can reach.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sunya-dev-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

// TestDevOnAServerThatRuns works on two services, deploys only what changed,
// takes keys of a terminal, and gives the traffic back.
func TestDevOnAServerThatRuns(t *testing.T) {
	t.Parallel()
	server := platform.Start(t)
	dir := platform.Bare(t, "old")
	host := server.Deploy(dir, "--version", "v1")
	worker := filepath.Join(dir, "worker")
	if err := os.Mkdir(worker, 0o755); err != nil {
		t.Fatal(err)
	}
	save(t, worker, "app.yaml", "runtime: python311\nservice: worker\nentrypoint: python3 main.py\n")
	save(t, worker, "main.py", platform.BareMain("worker one"))
	save(t, dir, "main.py", platform.BareMain("new"))

	keyboard, terminal := openTerminal(t)
	s := startDev(t, server.URL(), terminal, filepath.Join(dir, "app.yaml"), filepath.Join(worker, "app.yaml"))
	url := s.pages()
	s.answers(url, "", "new")
	s.answers(url, "worker-dot-sunya.localhost", "worker one")
	if got := server.Get(host, "/"); got != "new" {
		t.Errorf("the service's own host answers %q", got)
	}

	boot := server.Get(host, "/pid")
	save(t, worker, "main.py", platform.BareMain("worker two"))
	s.answers(url, "worker-dot-sunya.localhost", "worker two")
	if got := server.Get(host, "/pid"); got != boot {
		t.Error("the other service was restarted")
	}
	if _, err := keyboard.WriteString("r"); err != nil {
		t.Fatal(err)
	}
	s.eventually("r restarts", func() error {
		if got := server.Get(host, "/pid"); got == boot {
			return errors.New("the same instance answers")
		}
		return nil
	})
	if _, err := keyboard.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("q: exit %d", code)
	}
	if got := server.Get(host, "/"); got != "old" {
		t.Errorf("after the session the app answers %q, not what it did before", got)
	}
	versions := server.OK("app", "versions", "list", "--service", "default").Stdout
	if strings.Contains(versions, "dev") {
		t.Errorf("the session's version is left:\n%s", versions)
	}
}

// openTerminal makes a pseudo terminal: what is written to keyboard is typed at
// terminal.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close(); terminal.Close() })
	return keyboard, terminal
}
