package build_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/hoststack"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns"
	"github.com/sunya-cloud/sunya/internal/adapt/usernet"
	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// sandboxed is a Runner on the engine that Sunya really uses.
type sandboxed struct {
	*build.Runner
	data   string
	layers *disk.Layers
	engine *linuxns.Engine
}

func newSandboxed(t *testing.T) *sandboxed {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: uses the package index")
	}
	s := &sandboxed{data: t.TempDir()}
	letIn(t, s.data)
	host, err := hoststack.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.engine = openEngine(t, s.data, host)
	if s.layers, err = disk.OpenLayers(filepath.Join(s.data, "layers"), time.Hour, time.Now); err != nil {
		t.Fatal(err)
	}
	s.Runner, err = build.New(build.Options{Engine: s.engine, Layers: s.layers, Machine: host.Machine(),
		CacheDir: filepath.Join(s.data, "cache"), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// letIn lets another user walk to dir: t.TempDir is private.
func letIn(t *testing.T, dir string) {
	t.Helper()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func openEngine(t *testing.T, data string, host *hoststack.Host) *linuxns.Engine {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "launcher")
	cmd := exec.Command("go", "build", "-trimpath", "-o", bin, "../../adapt/linuxns/helper/cmd/sunya-launcher")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build launcher: %v\n%s", err, out)
	}
	program, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	var policy usernet.Policy
	for _, a := range host.Loopback() {
		policy.Allow = append(policy.Allow, netip.MustParseAddrPort(a))
	}
	log := slog.New(slog.DiscardHandler)
	e, err := linuxns.Open(t.Context(), linuxns.Config{
		DataDir: data, HostPaths: host.Prefixes(), ServerUID: os.Getuid(), ServerGID: os.Getgid(), Launcher: program, Log: log,
		Network: func(_ sandbox.Spec, link *os.File) (io.Closer, error) { return usernet.Attach(link, policy, log) },
	})
	if err != nil {
		t.Skipf("SKIP: no sandboxes here: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}

// source copies the example into the data directory, where builds may write.
func (s *sandboxed) source(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(s.data, name)
	if err := os.CopyFS(dir, os.DirFS("../../../examples/hello-python")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *sandboxed) build(t *testing.T, dir string, env map[string]string) (*build.Result, string) {
	t.Helper()
	var log bytes.Buffer
	start := time.Now()
	res, err := s.Build(t.Context(), request(dir, env, &log))
	t.Logf("took %v\n%s", time.Since(start), log.String())
	if err != nil {
		t.Fatal(err)
	}
	return res, log.String()
}

func request(dir string, env map[string]string, log io.Writer) build.Request {
	return build.Request{
		ID: "b1", Project: "sunya", Service: "apps/sunya/services/default", UIDRange: 1, Dir: dir, Log: log,
		Spec: sunya.BuildSpec{Runtime: "python311", Env: env},
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestInSandboxes builds with the real engine, the real tools and the real
// package index. The parts share one data directory: uv is fetched once.
func TestInSandboxes(t *testing.T) {
	s := newSandboxed(t)
	t.Run("Flask", s.flask)
	t.Run("Managers", s.managers)
	t.Run("BadSource", s.badSource)
	t.Run("BadPrograms", s.badPrograms)
	t.Run("Hostile", s.hostile)
	t.Run("Node", s.node)
}

// flask walks the whole way from three files to an answer.
func (s *sandboxed) flask(t *testing.T) {
	dir := s.source(t, "one")
	res, _ := s.build(t, dir, nil)
	if got := s.answer(t, res); got != "Hello World!" {
		t.Errorf("answer %q", got)
	}
	write(t, dir, "other.py", "x = 1\n")
	if _, log := s.build(t, dir, nil); !strings.Contains(log, "Dependencies unchanged: reused") || !strings.Contains(log, "Source compiled") {
		t.Error("changed code installed something")
	}
	if _, log := s.build(t, dir, nil); strings.Count(log, "unchanged: reused") != 2 {
		t.Error("unchanged source ran something")
	}
	write(t, dir, "requirements.txt", "Flask\n# again\n")
	s.build(t, dir, nil) // with a warm download cache
}

// answer starts the image as an instance and asks it for /.
func (s *sandboxed) answer(t *testing.T, res *build.Result) string {
	t.Helper()
	spec := sandbox.Spec{ID: "i-test", Kind: "instance", Profile: sandbox.App, Args: res.Command, Dir: res.Dir, Hostname: "test",
		Env: []string{"PORT=8080"}, UIDRange: 1, MemoryBytes: 384 << 20, Port: 8080}
	for _, e := range res.Env {
		spec.Env = append(spec.Env, e.Name+"="+e.Value)
	}
	for _, l := range res.Image.Layers {
		path, err := s.layers.Path(l.Digest)
		if err != nil {
			t.Fatal(err)
		}
		spec.Mounts = append(spec.Mounts, sandbox.Mount{Source: path, Target: l.Target})
	}
	for _, p := range res.Image.HostPaths {
		spec.Mounts = append(spec.Mounts, sandbox.Mount{Source: p, Target: p})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sb, err := s.engine.Start(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Stop(context.WithoutCancel(ctx), time.Second)
	_, stderr := sb.Output()
	if err := sb.Ready(ctx); err != nil {
		out, _ := io.ReadAll(io.LimitReader(stderr, 4096))
		t.Fatalf("%v\n%s", err, out)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return sb.Dial(ctx) }}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://app/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// managers installs one package by each manifest that needs no lock file.
func (s *sandboxed) managers(t *testing.T) {
	project := "[project]\nname='x'\nversion='1'\nrequires-python='>=3.9'\ndependencies=['itsdangerous==2.2.0']\n"
	system := "[build-system]\nrequires=['setuptools']\nbuild-backend='setuptools.build_meta'\n[tool.setuptools]\npy-modules=['main']\n"
	pip := map[string]string{"GOOGLE_PYTHON_PACKAGE_MANAGER": "pip"}
	tests := []struct {
		rule, file, content string
		env                 map[string]string
	}{
		{"project", "pyproject.toml", project, nil},
		{"package", "pyproject.toml", project + system, nil},
		{"package with pip", "pyproject.toml", project + system, pip},
		{"requirements with pip", "requirements.txt", "itsdangerous==2.2.0\n", pip},
		{"pipenv", "Pipfile", "[packages]\nitsdangerous='==2.2.0'\n", nil},
	}
	for i, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			dir := filepath.Join(s.data, "manager"+strconv.Itoa(i))
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, dir, "main.py", "app = 1\n")
			write(t, dir, tt.file, tt.content)
			res, _ := s.build(t, dir, tt.env)
			venv, err := s.layers.Path(res.Image.Layers[0].Digest)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"itsdangerous/__init__.py", "itsdangerous/__pycache__/*.pyc", "gunicorn/__init__.py"} {
				if got, err := filepath.Glob(filepath.Join(venv, "lib/python3*/site-packages", name)); len(got) == 0 {
					t.Errorf("%s is not installed: %v", name, err)
				}
			}
		})
	}
}

// badSource is what a user does wrong, seen by the real tools.
func (s *sandboxed) badSource(t *testing.T) {
	tests := []struct{ rule, file, content, want string }{
		{"syntax error", "main.py", "def app():\n    return (1\n", "main.py:2: SyntaxError: '(' was never closed"},
		{"NUL in the source", "main.py", "x = 1\x00\n", "main.py"},
		{"unknown package", "requirements.txt", "Flask\n\nflaskk-no-such-thing\n", "no package `flaskk-no-such-thing` found: check requirements.txt line 3"},
		{"unknown version", "requirements.txt", "Flask==99.0\n", "no version of `flask` fits: check requirements.txt line 1"},
		{"not a requirement", "requirements.txt", "Flask\n==== what\n", "requirements.txt"},
	}
	for i, tt := range tests {
		dir := s.source(t, "bad"+strconv.Itoa(i))
		write(t, dir, tt.file, tt.content)
		var log bytes.Buffer
		_, err := s.Build(t.Context(), request(dir, nil, &log))
		var e *build.Error
		if !errors.As(err, &e) || !strings.Contains(e.Err.Message, tt.want) || len(e.Lines) == 0 {
			t.Errorf("%s: %v\n%s", tt.rule, err, log.String())
			continue
		}
		t.Logf("%s: %s\n%s", tt.rule, e.Err.Message, strings.Join(e.Lines, "\n"))
	}
}

// hostile looks around from a build's own code: what is private to
// the machine is not there, and what it leaves behind does no harm.
func (s *sandboxed) hostile(t *testing.T) {
	dir := s.source(t, "hostile")
	write(t, dir, "requirements.txt", ".\n")
	write(t, dir, "setup.py", `import os, sys
from setuptools import setup
for p in ("/root/.ssh", "/etc/shadow", "/home", "/var/lib", "/proc/1/root/root"):
    if os.path.isdir(p) and os.listdir(p) or os.path.isfile(p):
        sys.exit("SEEN " + p)
if os.getuid() == 0: sys.exit("SEEN uid 0")
for p in ("/layers/uv/x", "/usr/x", "/etc/x"):
    try:
        open(p, "w"); sys.exit("WRITTEN " + p)
    except OSError: pass
try:
    os.symlink("/etc/passwd", "/layers/python/out"); os.mkfifo("/layers/python/fifo")
    os.mkdir("/layers/python/shut"); open("/layers/python/shut/f", "w").close(); os.chmod("/layers/python/shut", 0)
    os.symlink("/", "/workspace/root"); os.mkdir("/workspace/shut"); os.chmod("/workspace/shut", 0)
except FileExistsError: pass
setup(name="x", version="1", py_modules=["main"])
`)
	res, log := s.build(t, dir, nil)
	if strings.Contains(log, "SEEN") || strings.Contains(log, "WRITTEN") {
		t.Error(log)
	}
	venv, err := s.layers.Path(res.Image.Layers[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(venv, "fifo")); err == nil {
		t.Error("a pipe is in the layer")
	}
	if fi, err := os.Stat(filepath.Join(venv, "shut")); err != nil || fi.Mode().Perm() != 0o755 {
		t.Errorf("shut: %v %v", fi, err)
	}
}
