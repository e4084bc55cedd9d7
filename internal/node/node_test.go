package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/wire/sunyav1"
)

// childEnv makes the test binary a server: a Node gives up root for its whole
// process, so it gets one of its own.
const childEnv = "SUNYA_TEST_NODE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(usageChild); dir != "" {
		fmt.Println(countForever(context.Background(), dir)) // why it ended
		os.Exit(1)
	}
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err := Open(ctx, Config{Version: "test", Ephemeral: true, Listen: []string{"127.0.0.1:0"}}, log)
	if err != nil {
		log.Error("open", "err", err)
		os.Exit(1)
	}
	os.Stdout.WriteString(n.Banner())
	if err := n.Run(ctx); err != nil {
		log.Error("run", "err", err)
		os.Exit(1)
	}
}

// TestNodeServesAndLeavesNothing: a server with an ephemeral data directory
// answers, ends when it is told to and leaves no file behind.
func TestNodeServesAndLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	// The server is another user than root: let it in, and let it make files.
	if err := errors.Join(os.Chmod(filepath.Dir(tmp), 0o711), os.Chmod(tmp, 0o777|os.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1", "TMPDIR="+tmp)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, banner := awaitAddress(stdout)
	if address == "" {
		_ = cmd.Wait()
		if strings.Contains(stderr.String(), "sandbox") && os.Getuid() != 0 {
			t.Skipf("no sandboxes for this user here: %s", stderr.String())
		}
		t.Fatalf("no address in %q; stderr: %s", banner, stderr.String())
	}
	var status sunyav1.Status
	if err := json.Unmarshal(get(t, "http://"+address+"/sunya/v1/status"), &status); err != nil {
		t.Fatal(err)
	}
	if status.Version != "test" || status.Domain != "localhost" || !strings.HasPrefix(status.DataDir, tmp) ||
		len(status.Listeners) != 1 || strings.Join(status.Listeners[0].Roles, " ") != "apps api console" {
		t.Errorf("status = %+v", status)
	}
	if got := string(get(t, "http://"+address+"/healthz")); got != "ok\n" {
		t.Errorf("healthz = %q", got)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v; stderr: %s", err, stderr.String())
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// awaitAddress reads a banner to the line that names the APIs' address.
func awaitAddress(r io.Reader) (address, banner string) {
	re := regexp.MustCompile(`APIs +http://([0-9.:]+)`)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		banner += lines.Text() + "\n"
		if m := re.FindStringSubmatch(lines.Text()); m != nil {
			return m[1], banner
		}
	}
	return "", banner
}

// get asks until the server says that it is ready: the banner is printed before.
func get(t *testing.T, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			t.Fatal(err)
		case resp.StatusCode == http.StatusServiceUnavailable:
			continue
		case resp.StatusCode != http.StatusOK:
			t.Fatalf("GET %s: %s %s", url, resp.Status, body)
		}
		return body
	}
}

// TestOpenThatFailsGivesEverythingBack: the directory that was made, and the
// sockets that were open before the one that could not be.
func TestOpenThatFailsGivesEverythingBack(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	first := free.Addr().String()
	free.Close()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	_, err = Open(t.Context(), Config{Ephemeral: true, Listen: []string{first, taken.Addr().String()}}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "listen on "+taken.Addr().String()) {
		t.Errorf("err = %v, want the address that is taken", err)
	}
	again, err := net.Listen("tcp", first)
	if err != nil {
		t.Errorf("the first listener was left open: %v", err)
	} else {
		again.Close()
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestURLs(t *testing.T) {
	at := func(port int, roles front.Role, secure bool) front.Listener {
		l := front.Listener{Listener: address{port}, Roles: roles}
		if secure {
			l.TLS = &front.Certificate{}
		}
		return l
	}
	for _, c := range []struct {
		rule      string
		listeners []front.Listener
		want      string
	}{
		{"the port is part of it", []front.Listener{at(8080, front.AllRoles, false)}, "http://hello.localhost:8080"},
		{"but not the usual one", []front.Listener{at(80, front.Apps, false)}, "http://hello.localhost"},
		{"a certificate makes it https", []front.Listener{at(443, front.Apps, true)}, "https://hello.localhost"},
		{"at another port too", []front.Listener{at(8443, front.Apps, true)}, "https://hello.localhost:8443"},
		{"a public listener goes first", []front.Listener{at(8080, front.AllRoles, false), at(80, front.Apps, false)}, "http://hello.localhost"},
		{"a listener without apps is none", []front.Listener{at(8081, front.API, false), at(8080, front.AllRoles, false)}, "http://hello.localhost:8080"},
		{"nowhere", []front.Listener{at(8081, front.API, false)}, "http://hello.localhost"},
	} {
		n := &Node{cfg: Config{Domain: "localhost"}, machine: &machine{listeners: c.listeners}}
		if got := n.url("hello"); got != c.want {
			t.Errorf("%s: %s, want %s", c.rule, got, c.want)
		}
	}
}

// address is a listener that has an address only.
type address struct{ port int }

func (a address) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (a address) Close() error              { return nil }
func (a address) Addr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.port} }
