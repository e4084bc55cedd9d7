package linuxns

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func shell(script string) []string { return []string{"/bin/sh", "-c", script} }

func wait(t *testing.T, s sandbox.Sandbox) sandbox.Exit {
	t.Helper()
	select {
	case <-s.Done():
		return s.Exit()
	case <-time.After(20 * time.Second):
		t.Fatal("sandbox did not end")
		return sandbox.Exit{}
	}
}

// echo checks that the probe's server answers.
func echo(t testing.TB, s sandbox.Sandbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := s.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "ping\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "ping\n" {
		t.Fatalf("answer = %q, %v", line, err)
	}
}

func TestRunsToTheEnd(t *testing.T) {
	tests := []struct {
		name   string
		script string
		exit   sandbox.Exit
		want   string // part of the output
	}{
		{"status", "exit 3", sandbox.Exit{Code: 3}, ""},
		{"signal", "kill -9 $$", sandbox.Exit{Code: 137, Signal: 9}, ""},
		{"user", "id", sandbox.Exit{}, "uid=1000(app) gid=1000(app)"},
		{"home", "cd && pwd", sandbox.Exit{}, "/tmp\n"},
		{"standard input is empty", "wc -c", sandbox.Exit{}, "0\n"},
		{"host name", "cat /etc/hostname; hostname", sandbox.Exit{}, "localhost\nlocalhost\n"},
		{"name server", "cat /etc/resolv.conf", sandbox.Exit{}, "nameserver 169.254.169.254\n"},
		{"root is read-only", "touch /x || touch /usr/x || touch /etc/x || echo no", sandbox.Exit{}, "no\n"},
		{"temporary directory is writable", "echo yes > /tmp/x && cat /tmp/x", sandbox.Exit{}, "yes\n"},
		{"shared memory is writable", "echo yes > /dev/shm/x && cat /dev/shm/x", sandbox.Exit{}, "yes\n"},
		{"ignores no signal", "kill -TERM $$", sandbox.Exit{Code: 143, Signal: 15}, ""},
		{"leaves nobody behind", "sleep 1000 & echo left", sandbox.Exit{}, "left\n"},
	}
	e := engine(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, e, sandbox.Spec{Args: shell(tt.script)})
			stdout, stderr := output(t, s)
			if got := wait(t, s); got != tt.exit {
				t.Errorf("exit = %+v, want %+v; stderr %s", got, tt.exit, stderr)
			}
			if !strings.Contains(stdout, tt.want) {
				t.Errorf("output = %q, %q; want %q", stdout, stderr, tt.want)
			}
		})
	}
}

// TestOutputCanBeOpenedAgain: a program that logs to /dev/stderr was refused,
// as the pipe was root's.
func TestOutputCanBeOpenedAgain(t *testing.T) {
	e := open(t, config(dataDir(t)))
	t.Cleanup(func() { shutdown(t, e) })
	s := start(t, e, sandbox.Spec{Args: shell("echo out >/dev/stdout; echo err >/dev/stderr")})
	if stdout, stderr := output(t, s); stdout != "out\n" || stderr != "err\n" {
		t.Errorf("output = %q, %q", stdout, stderr)
	}
	wait(t, s)
}

func TestCannotStart(t *testing.T) {
	dir := dataDir(t)
	e := open(t, config(dir))
	t.Cleanup(func() { shutdown(t, e) })
	if err := os.Symlink("/etc", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "layers"), 0o755); err != nil {
		t.Fatal(err)
	}
	app := func(change func(*sandbox.Spec)) sandbox.Spec {
		s := sandbox.Spec{ID: "box", Profile: sandbox.App, Args: []string{"true"}}
		change(&s)
		return s
	}
	bind := func(source, target string, writable bool) func(*sandbox.Spec) {
		return func(s *sandbox.Spec) {
			s.Mounts = []sandbox.Mount{{Source: source, Target: target, Writable: writable}}
		}
	}
	tests := []struct {
		name string
		spec sandbox.Spec
		code sunya.Code
		want string
	}{
		{"no such program", app(func(s *sandbox.Spec) { s.Args = []string{"nonesuch"} }), sunya.FailedPrecondition, `program "nonesuch" is not in PATH`},
		{"no such directory", app(func(s *sandbox.Spec) { s.Dir = "/nonesuch" }), sunya.FailedPrecondition, "/nonesuch"},
		{"no arguments", app(func(s *sandbox.Spec) { s.Args = nil }), sunya.InvalidArgument, "no program"},
		{"bad name", app(func(s *sandbox.Spec) { s.ID = "../x" }), sunya.InvalidArgument, "sandbox name"},
		{"bad profile", app(func(s *sandbox.Spec) { s.Profile = "x" }), sunya.Unimplemented, "profile"},
		{"source outside", app(bind("/etc", "/app", false)), sunya.InvalidArgument, "outside the data directory"},
		{"source through a link", app(bind(filepath.Join(dir, "link"), "/app", false)), sunya.InvalidArgument, "too many levels of symbolic links"},
		{"source with dots", app(bind(dir+"/../etc", "/app", false)), sunya.InvalidArgument, "clean"},
		{"host source for writing", app(bind("/usr", "/app", true)), sunya.InvalidArgument, "outside the data directory"},
		{"target relative", app(bind(dir, "app", false)), sunya.InvalidArgument, "target"},
		{"target in a read-only mount", app(bind(filepath.Join(dir, "layers"), "/usr/nonesuch", false)), sunya.InvalidArgument, "read-only mount"},
		{"the whole data directory", app(bind(dir, "/data", false)), sunya.InvalidArgument, "the server's own"},
		{"the keys", app(bind(dir+"/keys", "/keys", false)), sunya.InvalidArgument, "the server's own"},
		{"environment too large", app(func(s *sandbox.Spec) { s.Env = []string{"X=" + strings.Repeat("x", 300000)} }), sunya.InvalidArgument, "160 KiB"},
		{"network without one", app(func(s *sandbox.Spec) { s.Network = true }), sunya.FailedPrecondition, "no network"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := e.Start(t.Context(), tt.spec)
			if err == nil {
				stop(t, s)
				t.Fatal("started")
			}
			if sunya.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v (code %d), want %q (code %d)", err, sunya.CodeOf(err), tt.want, tt.code)
			}
		})
	}
}

func TestReadyAndDial(t *testing.T) {
	e := engine(t)
	for _, address := range []string{"127.0.0.1:80", "0.0.0.0:80", "[::]:80", "[::1]:80", "127.0.0.2:80"} {
		t.Run(address, func(t *testing.T) {
			s := start(t, e, sandbox.Spec{Args: []string{"/app/probe", "listen", address}, Port: 80})
			for range 20 { // more than the spare sockets
				echo(t, s)
			}
		})
	}
}

func TestNotReady(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"listens elsewhere", []string{"/app/probe", "listen", "127.0.0.1:5000"}, "listens on 5000, not on $PORT (8080)"},
		{"exits", shell("exit 7"), "exited with status 7 before it listened on $PORT (8080)"},
		{"is killed", shell("kill -9 $$"), "exited with signal 9 (killed) before"},
		{"silent", shell("sleep 1000"), "does not listen on $PORT (8080)"},
	}
	e := engine(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, e, sandbox.Spec{Args: tt.args, Port: 8080})
			if tt.name == "listens elsewhere" {
				until(t, func() bool { return strings.Contains(s.(*box).silence(), "5000") })
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if !strings.Contains(tt.want, "exited") {
				cancel()
			}
			defer cancel()
			err := s.Ready(ctx)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

// until waits for something that the launcher reports by itself.
func until(t testing.TB, done func() bool) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("did not happen within 10s")
		}
	}
}

func TestFreezeAndThaw(t *testing.T) {
	e := engine(t)
	s := start(t, e, sandbox.Spec{Args: []string{"/app/probe", "listen", "127.0.0.1:80"}, Port: 80})
	echo(t, s)
	for range 3 {
		for range 2 { // idempotent
			if err := s.Freeze(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		frozen(t, s)
		for range 2 {
			if err := s.Thaw(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		echo(t, s)
	}
	if err := s.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, s) // a frozen sandbox can be stopped
	if got := s.Exit(); got.Signal == 0 {
		t.Errorf("exit = %+v", got)
	}
}

// frozen checks that the server takes no connection's data.
func frozen(t *testing.T, s sandbox.Sandbox) {
	t.Helper()
	conn, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "ping\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a frozen sandbox answered: %v", err)
	}
}

func TestStop(t *testing.T) {
	tests := []struct {
		name  string
		args  []string
		grace time.Duration
		exit  sandbox.Exit
	}{
		{"gracefully", []string{"/app/probe", "wait"}, 10 * time.Second, sandbox.Exit{}},
		{"a shell's child", shell("/app/probe wait; exit 5"), 10 * time.Second, sandbox.Exit{Code: 143, Signal: 15}},
		{"stubborn", []string{"/app/probe", "stubborn"}, 50 * time.Millisecond, sandbox.Exit{Code: 137, Signal: 9}},
	}
	e := engine(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, e, sandbox.Spec{Args: tt.args, Mounts: []sandbox.Mount{probeMount(t, e.cfg.DataDir)}})
			stdout, stderr := s.Output()
			defer func() { _, _ = stdout.Close(), stderr.Close() }()
			if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "waiting\n" {
				t.Fatalf("output = %q, %v", line, err)
			}
			for range 2 { // stopping twice is not an error
				if err := s.Stop(t.Context(), tt.grace); err != nil {
					t.Fatal(err)
				}
			}
			if got := wait(t, s); got != tt.exit {
				t.Errorf("exit = %+v, want %+v", got, tt.exit)
			}
		})
	}
}

func TestMounts(t *testing.T) {
	dir := dataDir(t)
	e := open(t, config(dir))
	t.Cleanup(func() { shutdown(t, e) })
	layer, work := filepath.Join(dir, "layer"), filepath.Join(dir, "work")
	for _, d := range []string{layer, work} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(layer, "file"), []byte("layer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, e, sandbox.Spec{
		Profile: sandbox.Build, UIDRange: 3, Dir: "/scratch",
		Args: shell("cat /deep/er/layer/file /one; touch /deep/er/layer/x; cat /scratch/old; echo new > new; ls -ln new; df -k /fresh | tail -1; echo z > /fresh/z"),
		Mounts: []sandbox.Mount{
			{Source: layer, Target: "/deep/er/layer"}, {Source: work, Target: "/scratch", Writable: true},
			{Source: filepath.Join(layer, "file"), Target: "/one"},
			{Target: "/fresh", Writable: true, Bytes: 1 << 20},
		},
	})
	stdout, stderr := output(t, s)
	if got := wait(t, s); got.Code != 0 {
		t.Errorf("exit = %+v", got)
	}
	for _, want := range []string{"layer\nlayer\n", "1000 1000 4 ", "1024"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output = %q, want %q", stdout, want)
		}
	}
	if !strings.Contains(stderr, "Read-only file system") {
		t.Errorf("the layer was writable: %q", stderr)
	}
	info, err := os.Stat(filepath.Join(work, "new"))
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if diff := cmp.Diff([]int{e.cfg.ServerUID, e.cfg.ServerGID}, []int{int(st.Uid), int(st.Gid)}); diff != "" {
		t.Errorf("owner on disk (-want +got):\n%s", diff)
	}
}

// TestServerIsAnotherUser is the level full as a node uses it: the launcher is
// root, the server and all its files belong to somebody else.
func TestServerIsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const uid, gid = 65533, 65532
	dir := dataDir(t)
	cfg := config(dir)
	cfg.ServerUID, cfg.ServerGID = uid, gid
	e := open(t, cfg)
	t.Cleanup(func() { shutdown(t, e) })
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "old"), []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, work, filepath.Join(work, "old")} {
		if err := os.Chown(name, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, e, sandbox.Spec{
		Profile: sandbox.Build, UIDRange: 5, Dir: "/scratch", Args: shell("cat old; echo new > new; rm old; id -u"),
		Mounts: []sandbox.Mount{{Source: work, Target: "/scratch", Writable: true}},
	})
	if stdout, stderr := output(t, s); stdout != "old\n1000\n" {
		t.Errorf("output = %q, %q", stdout, stderr)
	}
	for name, mode := range map[string]os.FileMode{filepath.Join(work, "new"): 0o644, filepath.Join(dir, runDir, socketName): 0o600} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		if st.Uid != uid || st.Gid != gid || info.Mode().Perm() != mode {
			t.Errorf("%s is %d:%d %v", name, st.Uid, st.Gid, info.Mode())
		}
	}
}

// TestHostPath shows an interpreter from below a directory that only root may
// enter.
func TestHostPath(t *testing.T) {
	dir := dataDir(t)
	prefix := filepath.Join(t.TempDir(), "private", "python")
	if err := os.MkdirAll(prefix, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(prefix), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(prefix, "run"), []byte("#!/bin/sh\necho found\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cfg := config(dir)
	cfg.HostPaths = []string{prefix}
	e := open(t, cfg)
	t.Cleanup(func() { shutdown(t, e) })
	s := start(t, e, sandbox.Spec{
		Args: []string{filepath.Join(prefix, "run")}, Mounts: []sandbox.Mount{{Source: prefix, Target: prefix}},
	})
	if stdout, stderr := output(t, s); stdout != "found\n" {
		t.Errorf("output = %q, %q", stdout, stderr)
	}
}

func TestLimits(t *testing.T) {
	e := engine(t)
	t.Run("memory", func(t *testing.T) {
		if missing(e, "memory limit") {
			t.Skip("no memory controller")
		}
		s := start(t, e, sandbox.Spec{Args: []string{"/app/probe", "eat"}, MemoryBytes: 64 << 20})
		stdout, _ := output(t, s)
		if got := wait(t, s); !got.OOMKilled || got.Code != 137 {
			t.Errorf("exit = %+v, output %q", got, stdout)
		}
	})
	t.Run("memory of a process that is started again", func(t *testing.T) {
		if missing(e, "memory limit") {
			t.Skip("no memory controller")
		}
		s := start(t, e, sandbox.Spec{Args: shell("while :; do tail /dev/zero; done"), MemoryBytes: 64 << 20})
		stdout, _ := output(t, s)
		if got := wait(t, s); !got.OOMKilled || got.Code != 137 {
			t.Errorf("exit = %+v, output %q", got, stdout)
		}
	})
	t.Run("temporary files", func(t *testing.T) {
		s := start(t, e, sandbox.Spec{Args: shell("head -c 90M /dev/zero > /tmp/x; echo $?"), MemoryBytes: 64 << 20})
		_, _ = output(t, s)
		if got := wait(t, s); got.Code == 0 && !missing(e, "memory limit") {
			t.Logf("exit = %+v", got) // refused by tmpfs or killed: either keeps the limit
		}
	})
	t.Run("processes", func(t *testing.T) {
		s := start(t, e, sandbox.Spec{Args: []string{"/app/probe", "fork"}, PIDs: 50})
		stdout, _ := output(t, s)
		if !strings.HasPrefix(stdout, "refused after ") {
			t.Errorf("output = %q", stdout)
		}
	})
}

func missing(e *Engine, what string) bool {
	for _, m := range e.Report().Missing {
		if strings.HasPrefix(m, what+":") {
			return true
		}
	}
	return false
}

func TestUsage(t *testing.T) {
	e := engine(t)
	s := start(t, e, sandbox.Spec{Args: shell("while :; do :; done")})
	if missing(e, "memory limit") {
		t.Skip("no memory controller")
	}
	until(t, func() bool {
		u, err := s.Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u.MemoryBytes > 0 && u.CPU > 0 && u.PIDs >= 2
	})
}

// TestPageOut needs swap: a zram device is enough.
func TestPageOut(t *testing.T) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil || info.Freeswap*uint64(info.Unit) < 128<<20 {
		t.Skip("no swap")
	}
	e := engine(t)
	s := start(t, e, sandbox.Spec{Args: []string{"/usr/bin/python3", "-c", "import random, time; x = random.randbytes(64 << 20); print('ready', flush=True); time.sleep(1000)"}})
	if missing(e, "memory limit") {
		t.Skip("no memory controller")
	}
	held := func() int64 {
		u, err := s.Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u.MemoryBytes
	}
	until(t, func() bool { return held() > 64<<20 })
	if err := s.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.(sandbox.Pager).PageOut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := held(); got > 16<<20 {
		t.Errorf("a frozen program still holds %d MiB", got>>20)
	}
}

func TestCheckFindsNothing(t *testing.T) {
	e := engine(t)
	start(t, e, sandbox.Spec{Args: shell("sleep 1000")})
	checks := e.Check(t.Context())
	if checks[0].Status != "ok" || !strings.Contains(checks[0].Detail, "1 sandboxes") {
		t.Errorf("launcher = %+v", checks[0])
	}
}
