//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

// probes are what has to be tried inside of a sandbox; S4 is package source's
// TestSwappedSource, S9 waits for listeners that ask for tokens.
var probes = []string{"S1", "S2", "S3", "S5", "S6", "S7", "S8", "S10"}

// canary stands for the secrets of the server's own environment.
const canary = "canary-5e1f0a"

// hostileServer is a server with a secret in its environment, and what a probe
// has to know of it.
func hostileServer(t *testing.T) (s *platform.Server, vars string) {
	t.Helper()
	t.Setenv("SUNYA_E2E_CANARY", canary)
	abstract := fmt.Sprintf("sunya-hostile-%d", os.Getpid())
	l, err := net.Listen("unix", "@"+abstract)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s = platform.Start(t)
	return s, fmt.Sprintf("  PROBE_HOST_PORT: %q\n  PROBE_ABSTRACT: %q\n", s.Port, abstract)
}

func probeSource(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../internal/adapt/linuxns/probe/probe.py")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkProbes wants every probe to have run and found nothing.
func checkProbes(t *testing.T, report string) {
	t.Helper()
	for _, id := range probes {
		if !strings.Contains(report, id+" ok") {
			t.Errorf("%s did not hold, or did not run", id)
		}
	}
	if strings.Contains(report, canary) {
		t.Error("the server's environment is inside")
	}
	if t.Failed() {
		t.Logf("report:\n%s", report)
	}
	for line := range strings.Lines(report) {
		if _, text, ok := strings.Cut(line, " skip "); ok {
			t.Logf("SKIP: %s", strings.TrimSpace(text))
		}
	}
	t.Log("SKIP: S4 here: it races the launcher's own opening of sources, see package source")
}

// TestHostileApp (S1 to S8, S10) looks for a way out of an instance.
func TestHostileApp(t *testing.T) {
	s, vars := hostileServer(t)
	host := s.Deploy(platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\nenv_variables:\n" + vars,
		"probe.py": probeSource(t),
		"main.py":  hostileMain,
	}))
	checkProbes(t, s.Get(host, "/")+s.Get(host, "/env"))
	for _, sig := range []string{"9", "15", "3", "11", "19"} {
		s.Get(host, "/sh?"+url.QueryEscape("kill -"+sig+" 1; true"))
	}
	if got := s.Get(host, "/sh?"+url.QueryEscape("cat /proc/1/environ /proc/1/cmdline "+s.Data+"/keys/*")); strings.Contains(got, "launcher") {
		t.Errorf("the first process can be read: %q", got)
	}
	left := s.Get(host, "/sh?"+url.QueryEscape("echo mine > /tmp/left; echo mine > /dev/shm/left; (setsid sleep 1000 >/dev/null 2>&1 &) ; echo done"))
	if !strings.Contains(left, "done") {
		t.Errorf("%q", left)
	}
	// Redeployed, nothing of the earlier instance is there.
	host = s.Deploy(platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\n",
		"main.py":  "# again\n" + hostileMain, "probe.py": "def run():\n    return ['again'], False\n",
	}))
	if got := s.Get(host, "/sh?"+url.QueryEscape("ls /tmp /dev/shm; ps ax 2>/dev/null; cat /proc/[0-9]*/cmdline")); strings.Contains(got, "left") || strings.Contains(got, "sleep") {
		t.Errorf("an earlier instance has left: %s", got)
	}
	s.NoOrphans()
}

// hostileMain does as it is told, from inside.
const hostileMain = `import http.server, os, subprocess, urllib.parse
import probe

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/env":
            body = repr(dict(os.environ))
        elif path == "/sh":
            try:
                p = subprocess.run(["/bin/sh", "-c", urllib.parse.unquote_plus(query)], text=True, errors="replace",
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, timeout=20)
                body = p.stdout
            except subprocess.TimeoutExpired:
                body = "timeout"
        elif path == "/flood":
            body = "flooded"
            for depth in (100, 3000, 9000):
                os.write(1, b'{"a":' * depth + b"1" + b"}" * depth + b"\n")
            os.write(1, b"\x1b]0;pwned\x07\x1b[2J a title\n" + b'{"message": "\\u001b[2J", "severity": "ALERT"}\n')
            for i in range(800):
                os.write(2, b"A" * 65535 + b"\n")
        else:
            body = "\n".join(probe.run()[0])
        body = body.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`

// hostilePackage is a source tree whose only dependency runs code when it is
// built.
func hostilePackage(t *testing.T, vars, code string) string {
	return platform.Files(t, map[string]string{
		"app.yaml":         "runtime: python311\nentrypoint: python3 main.py\nbuild_env_variables:\n" + vars,
		"main.py":          platform.BareMain("never"),
		"requirements.txt": "./evil\n",
		"evil/probe.py":    probeSource(t),
		"evil/pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n" +
			"[project]\nname = \"evil\"\nversion = \"1\"\n",
		"evil/backend.py": "import os, socket, subprocess, sys\nsys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))\n" +
			"def build_wheel(directory, config_settings=None, metadata_directory=None):\n" + code + "    raise SystemExit('done being evil')\n",
	})
}

// TestHostileBuild (S11; S1 to S8 and S10 in a build) looks for a way out of a
// build, and leaves what nobody likes to find.
func TestHostileBuild(t *testing.T) {
	s, vars := hostileServer(t)
	t.Cleanup(func() { // a project's cache is its builds' own, shut folders and all
		s.Stop()
		if err := tree.Remove(s.Data); err != nil {
			t.Error(err)
		}
	})
	r := s.CLI("app", "deploy", hostilePackage(t, vars, `    import probe
    print("\n".join(probe.run()[0]), file=sys.stderr)
    print(dict(os.environ), file=sys.stderr)
    print(open("/proc/self/mounts").read(), file=sys.stderr)
`), "--quiet")
	if r.Code != 6 {
		t.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
	checkProbes(t, s.OK("logs", "--build").Stdout)

	r = s.CLI("app", "deploy", hostilePackage(t, "  X: y\n", `    for root in ("/layers/python", "/workspace", "/build/tmp", "/cache"):
        os.chdir(root)
        os.symlink("`+s.Data+`/keys/admin.token", "token")
        os.symlink("/", "root")
        os.mkfifo("pipe")
        socket.socket(socket.AF_UNIX).bind("socket")
        open("setid", "w").close()
        os.chmod("setid", 0o6777)
        with open("endless", "w") as f:
            f.truncate(1 << 42)
        for i in range(3000):
            os.mkdir("d")
            os.chdir("d")
        os.chdir(root)
        os.mkdir("shut")
        open("shut/file", "w").close()
        os.chmod("shut", 0)
    os.remove("/workspace/requirements.txt")
    os.mkfifo("/workspace/requirements.txt")
    for i in range(10000):
        try:
            subprocess.Popen(["sleep", "1000"], start_new_session=True, stdout=-3, stderr=-3)
        except OSError:
            break
`), "--quiet")
	if r.Code != 6 {
		t.Errorf("exit %d: %s", r.Code, r.Stderr)
	}
	for _, left := range []string{"builds/*", "layers/tmp/*", "cache/.scratch/*"} {
		if found, _ := filepath.Glob(filepath.Join(s.Data, left)); len(found) > 0 {
			t.Errorf("left behind: %v", found)
		}
	}
	if err := nothingRuns(s); err != nil {
		t.Errorf("left running: %v", err)
	}
	s.Stop()
	s.Up()
	if host := s.Deploy(platform.Bare(t, "fine")); s.Get(host, "/") != "fine" {
		t.Error("the server does not deploy any more")
	}
	s.NoOrphans()
}

// TestHostileRequirements: what a manifest can name lies in the sandbox or
// nowhere, and no file of the server is quoted.
func TestHostileRequirements(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	token, err := os.ReadFile(filepath.Join(s.Data, "keys", "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"-r /etc/shadow", "-r /proc/1/environ", "-r " + s.Data + "/keys/admin.token", "-e ../..", "-r ../../keys/admin.token",
		"--find-links file:///root", "git+file:///root/x", "x @ file://" + s.Data + "/keys/admin.token", "/etc",
	} {
		dir := platform.Files(t, map[string]string{
			"app.yaml": "runtime: python311\nentrypoint: python3 main.py\n",
			"main.py":  platform.BareMain("never"), "requirements.txt": line + "\nno-such-package-at-all==1\n",
		})
		r := s.CLI("app", "deploy", dir, "--quiet")
		if r.Code != 6 {
			t.Errorf("%s: exit %d\n%s", line, r.Code, r.Stderr)
		}
		out := r.Stderr + s.OK("logs", "--build").Stdout
		if strings.Contains(out, strings.TrimSpace(string(token))) || strings.Contains(out, "root:") {
			t.Errorf("%s: a file of the server is quoted:\n%s", line, out)
		}
	}
}

// TestBombs (F11, F12, F14): memory, processes and files end at the instance's
// own limits, and the next request is answered.
func TestBombs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP: limits need root or a delegated cgroup")
	}
	s := platform.Start(t)
	host := s.Deploy(platform.Files(t, map[string]string{
		"app.yaml": "runtime: python311\nentrypoint: python3 main.py\n",
		"main.py":  hostileMain, "probe.py": "def run():\n    return ['alive'], False\n",
	}))
	for name, command := range map[string]string{
		"memory":    `exec python3 -c 'x = bytearray(2 << 30)'`,
		"processes": `python3 -c 'import os; [os.fork() for i in range(20)]' >/dev/null 2>&1 & sleep 1`,
		"files":     `dd if=/dev/zero of=/tmp/fill bs=1M count=4000`,
	} {
		_, _, _ = s.Try(host, "/sh?"+url.QueryEscape(command)) // may well be a 502
		s.Eventually(30*time.Second, "an answer after "+name, func() error {
			code, body, err := s.Try(host, "/")
			if err != nil || code != 200 || body != "alive" {
				return fmt.Errorf("%d %q %v", code, body, err)
			}
			return nil
		})
	}
	if got := s.Get(host, "/flood"); got != "flooded" {
		t.Errorf("%q", got)
	}
	s.Eventually(30*time.Second, "a log that can be read, without what a terminal obeys", func() error {
		out := s.OK("logs", "--since", "10m").Stdout
		if strings.Contains(out, "\x1b") || strings.Contains(out, "\a") {
			t.Error("control characters of an app reach the terminal")
		}
		if !strings.Contains(out, "a title") || !strings.Contains(out, "dropped") {
			return fmt.Errorf("%d bytes of log, no title or no marker of dropped lines", len(out))
		}
		return nil
	})
	s.NoOrphans()
}

// TestStrangerOnLoopback (S17): another account of the machine is told apart by
// the kernel, however it spells its request.
func TestStrangerOnLoopback(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP: needs root to become somebody else")
	}
	s := platform.Start(t)
	cmd := exec.Command("/usr/bin/python3", "-c", strangerPy, s.Port)
	cmd.Env, cmd.Dir = []string{"PATH=/usr/bin:/bin"}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54321, Gid: 54321}}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		switch code, _, _ := strings.Cut(line, " "); code {
		case "400", "401", "403", "404", "405":
		default:
			t.Errorf("not refused: %s", line)
		}
	}
	if n := strings.Count(string(out), "\n"); n < 15 {
		t.Errorf("only %d attempts:\n%s", n, out)
	}
}

// strangerPy asks for what only the owner may see. The last attempts hang up
// first: a closed socket looks like root's.
const strangerPy = `import socket, sys
port = int(sys.argv[1])
def ask(raw, hang=False):
    s = socket.create_connection(("127.0.0.1", port), timeout=10)
    s.sendall(raw.encode())
    if hang:
        s.shutdown(socket.SHUT_WR)
    line = s.makefile("rb").readline().decode(errors="replace")
    s.close()
    print(line.partition(" ")[2].strip() or "400 closed", repr(raw[:60]))
hosts = ["localhost", "127.0.0.1", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]", "api.localhost", "appengine.api.localhost"]
for h in hosts:
    for path in ("/v1/apps/sunya", "/appengine.googleapis.com/v1/apps/sunya", "/sunya/v1/status", "/storage/v1/b?project=sunya"):
        ask("GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n" % (path, h, port))
ask("GET http://127.0.0.1:%d/v1/apps/sunya HTTP/1.1\r\nHost: x.localhost\r\nConnection: close\r\n\r\n" % port)
ask("GET //v1/apps/sunya HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
ask("GET /%76%31/apps/sunya HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
ask("GET /x/../v1/apps/sunya HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
for auth in ("Bearer ", "Bearer x", "bearer null", "Basic Og=="):
    ask("GET /v1/apps/sunya HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nConnection: close\r\n\r\n" % auth)
ask("POST /google.appengine.v1.Services/ListServices HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{}")
ask("GET /v1/apps/sunya HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", True)
`
