package linuxns

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

func TestAdoption(t *testing.T) {
	dir := dataDir(t)
	first := open(t, config(dir))
	spec := sandbox.Spec{
		ID: "kept", Kind: "instance", Labels: map[string]string{"revision": "hello-00001-abc"},
		Profile: sandbox.App, Args: shell("echo before; read x < /app/go; echo after; /app/probe listen 127.0.0.1:80"),
		Port: 80, Mounts: []sandbox.Mount{probeMount(t, dir)},
	}
	fifo := filepath.Join(dir, "app", "go")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := first.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	pid := first.info.PID
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	// While no server is there the program goes on and writes.
	if err := os.WriteFile(fifo, []byte("x\n"), 0); err != nil {
		t.Fatal(err)
	}

	second := open(t, config(dir))
	t.Cleanup(func() { shutdown(t, second) })
	if second.info.PID != pid {
		t.Errorf("launcher is process %d, not %d", second.info.PID, pid)
	}
	all, err := second.Adopt(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("adopted %d, %v", len(all), err)
	}
	adopted := all[0]
	if diff := cmp.Diff(spec, adopted.Spec()); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if !adopted.StartTime().Equal(s.StartTime()) {
		t.Errorf("start time = %v, want %v", adopted.StartTime(), s.StartTime())
	}
	stdout, _ := adopted.Output()
	defer func() { _ = stdout.Close() }()
	for _, want := range []string{"before\n", "after\n"} {
		r := bufio.NewReaderSize(oneByte{stdout}, 16)
		if line, err := r.ReadString('\n'); line != want {
			t.Errorf("output = %q, %v; want %q", line, err, want)
		}
	}
	echo(t, adopted)
}

// oneByte keeps a buffered reader from taking more than a line.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:1]) }

func TestAdoptsWhatHasEnded(t *testing.T) {
	dir := dataDir(t)
	first := open(t, config(dir))
	s, err := first.Start(t.Context(), sandbox.Spec{ID: "gone", Profile: sandbox.App, Args: shell("echo last words; exit 4")})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, s)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, config(dir))
	t.Cleanup(func() { shutdown(t, second) })
	all, err := second.Adopt(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("adopted %d, %v", len(all), err)
	}
	if stdout, _ := output(t, all[0]); stdout != "last words\n" {
		t.Errorf("output = %q", stdout)
	}
	if got := wait(t, all[0]); got.Code != 4 {
		t.Errorf("exit = %+v", got)
	}
	stop(t, all[0])
	if again, err := second.Adopt(t.Context()); err != nil || len(again) != 0 {
		t.Errorf("adopted %d, %v", len(again), err)
	}
}

func TestOneServerAtATime(t *testing.T) {
	dir := dataDir(t)
	first := open(t, config(dir))
	t.Cleanup(func() { shutdown(t, first) })
	_, err := Open(t.Context(), config(dir))
	if sunya.CodeOf(err) != sunya.FailedPrecondition || !strings.Contains(err.Error(), "another server") {
		t.Errorf("error = %v", err)
	}
}

func TestLauncherDies(t *testing.T) {
	dir := dataDir(t)
	first := open(t, config(dir))
	s, err := first.Start(t.Context(), sandbox.Spec{ID: "victim", Profile: sandbox.App, Args: shell("sleep 1000")})
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := s.Output()
	defer func() { _, _ = stdout.Close(), stderr.Close() }()
	if err := syscall.Kill(first.info.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, s); got.Signal != 9 {
		t.Errorf("exit = %+v", got)
	}
	// The pipe ends when the last process that holds it has.
	if text, err := io.ReadAll(stdout); err != nil || len(text) > 0 {
		t.Errorf("output = %q, %v", text, err)
	}
	select {
	case <-first.Lost():
	case <-time.After(10 * time.Second):
		t.Error("engine did not notice")
	}
	_, err = first.Start(t.Context(), sandbox.Spec{ID: "next", Profile: sandbox.App, Args: shell("true")})
	if sunya.CodeOf(err) != sunya.Unavailable {
		t.Errorf("error = %v", err)
	}

	second := open(t, config(dir))
	if len(cgroups(t, dir)) > 0 {
		// It, and those that were prepared; the victim may have been one of them.
		if len(second.info.Swept) == 0 {
			t.Error("nothing was swept")
		}
	}
	shutdown(t, second)
	if left := cgroups(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// cgroups returns the directories of a data directory's groups.
func cgroups(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, err := filepath.Glob(pattern + "sunya-" + dirID(dir))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func TestEndsWithoutServer(t *testing.T) {
	dir := dataDir(t)
	cfg := config(dir)
	cfg.Linger = 20 * time.Millisecond
	e := open(t, cfg)
	s, err := e.Start(t.Context(), sandbox.Spec{ID: "alone", Profile: sandbox.App, Args: shell("sleep 1000")})
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := s.Output()
	defer func() { _, _ = stdout.Close(), stderr.Close() }()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-e.exit:
	case <-time.After(10 * time.Second):
		t.Fatal("launcher did not end")
	}
	if _, err := io.ReadAll(stdout); err != nil {
		t.Error(err)
	}
	if left := cgroups(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Lstat(filepath.Join(dir, runDir, socketName)); !os.IsNotExist(err) {
		t.Errorf("socket is left: %v", err)
	}
}

// TestServerReturnsTooLate meets the launcher at every moment of its ending.
func TestServerReturnsTooLate(t *testing.T) {
	cfg := config(dataDir(t))
	cfg.Linger = time.Millisecond
	for range 10 {
		e := open(t, cfg)
		s := sandbox.Spec{ID: "box", Profile: sandbox.App, Args: shell("sleep 1000")}
		if _, err := e.Start(t.Context(), s); err != nil && sunya.CodeOf(err) != sunya.AlreadyExists {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	shutdown(t, open(t, cfg))
}

func TestShutdownLeavesNothing(t *testing.T) {
	dir := dataDir(t)
	e := open(t, config(dir))
	for _, id := range []string{"a", "b", "c"} {
		s := sandbox.Spec{ID: id, Profile: sandbox.App, Args: shell("sleep 1000 & sleep 1000")}
		if _, err := e.Start(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	shutdown(t, e)
	if left := cgroups(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if alive := syscall.Kill(e.info.PID, 0); alive == nil {
		t.Error("launcher is alive")
	}
}

func TestStartIsAbandoned(t *testing.T) {
	e := engine(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	spec := sandbox.Spec{ID: "late", Profile: sandbox.App, Args: shell("sleep 1000")}
	if _, err := e.Start(ctx, spec); err == nil {
		t.Fatal("started")
	}
	until(t, func() bool {
		s, err := e.Start(t.Context(), spec)
		if err != nil {
			return false // the abandoned one still holds the name
		}
		stop(t, s)
		return true
	})
}

func TestWithoutLauncher(t *testing.T) {
	cfg := config(dataDir(t))
	cfg.Launcher = []byte("not a program")
	if _, err := Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "start launcher") {
		t.Errorf("error = %v", err)
	}
}

func TestDemandedLevel(t *testing.T) {
	cfg := config(dataDir(t))
	cfg.Level = sandbox.None
	if _, err := Open(t.Context(), cfg); sunya.CodeOf(err) != sunya.Unimplemented {
		t.Errorf("error = %v", err)
	}
	cfg.Level = sandbox.Full
	e, err := Open(t.Context(), cfg)
	if os.Geteuid() == 0 && err == nil {
		shutdown(t, e)
		return
	}
	if sunya.CodeOf(err) != sunya.FailedPrecondition {
		t.Errorf("error = %v", err)
	}
}
