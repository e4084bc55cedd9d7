package linuxns

import (
	"bufio"
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// awaitPrepared waits until so many sandboxes are ready for a program.
func awaitPrepared(t testing.TB, e *Engine, n int) {
	t.Helper()
	until(t, func() bool { return countPrepared(t, e) >= n })
}

func countPrepared(t testing.TB, e *Engine) int {
	t.Helper()
	m, _, err := e.call(context.WithoutCancel(t.Context()), &ipc.Message{Verb: ipc.List})
	if err != nil {
		t.Fatal(err)
	}
	return m.N
}

// TestPreparedIsTakenOnce: a prepared sandbox gets one program, and leaves nothing
// to the next.
func TestPreparedIsTakenOnce(t *testing.T) {
	cfg := config(dataDir(t))
	cfg.Prepared = 1
	e := open(t, cfg)
	t.Cleanup(func() { shutdown(t, e) })
	seen := map[string]bool{}
	for _, id := range []string{"a", "b", "c"} {
		awaitPrepared(t, e, 1)
		s := start(t, e, sandbox.Spec{
			ID: id, Hostname: id, MemoryBytes: 64 << 20, Args: shell("cat /proc/sys/kernel/hostname; ls -A /tmp /dev/shm; " +
				"touch /tmp/x /dev/shm/x; readlink /proc/self/ns/*; echo end; exec sleep 1000"),
		})
		if countPrepared(t, e) != 0 {
			t.Errorf("%s did not take what was prepared", id)
		}
		lines := linesUntil(t, s, "end")
		if len(lines) < 10 || strings.Join(lines[:4], " ") != id+" /dev/shm:  /tmp:" {
			t.Fatalf("output = %q", lines)
		}
		for _, ns := range slices.Compact(lines[4:]) { // pid, and pid_for_children
			if seen[ns] && !strings.HasPrefix(ns, "time") && !strings.HasPrefix(ns, "cgroup") {
				t.Errorf("%s is in %s, where another is", id, ns)
			}
			seen[ns] = true
		}
	}
}

// linesUntil reads what a program prints up to a line.
func linesUntil(t *testing.T, s sandbox.Sandbox, last string) []string {
	t.Helper()
	stdout, stderr := s.Output()
	t.Cleanup(func() { _, _ = stdout.Close(), stderr.Close() })
	var lines []string
	for in := bufio.NewScanner(stdout); in.Scan() && in.Text() != last; {
		lines = append(lines, in.Text())
	}
	return lines
}

// TestPreparedDies: one that was killed while it waited is passed over.
func TestPreparedDies(t *testing.T) {
	cfg := config(dataDir(t))
	cfg.Prepared = 2
	e := open(t, cfg)
	t.Cleanup(func() { shutdown(t, e) })
	awaitPrepared(t, e, 2)
	killed := 0
	for _, pid := range children(t, e.info.PID) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
			killed++
		}
	}
	if killed != 2 {
		t.Errorf("the launcher had %d children, want 2", killed)
	}
	s := start(t, e, sandbox.Spec{Args: shell("echo ok")})
	if stdout, stderr := output(t, s); stdout != "ok\n" {
		t.Errorf("output = %q, %q", stdout, stderr)
	}
}

// children returns the processes that a process has started from any thread.
func children(t *testing.T, pid int) []int {
	t.Helper()
	stats, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, entry := range stats {
		data, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue
		}
		var child, parent int
		var state string
		text := string(data)
		child = number(text[:strings.IndexByte(text, ' ')])
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		state, parent = fields[0], number(fields[1])
		if parent == pid && state != "Z" {
			all = append(all, child)
		}
	}
	return all
}

func number(text string) int {
	n := 0
	for _, c := range text {
		n = n*10 + int(c-'0')
	}
	return n
}

// TestPreparedLeavesNothing when the launcher is told to end, and when it is
// killed.
func TestPreparedLeavesNothing(t *testing.T) {
	dir := dataDir(t)
	cfg := config(dir)
	first := open(t, cfg)
	awaitPrepared(t, first, 1)
	waiting := children(t, first.info.PID)
	if err := syscall.Kill(first.info.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-first.exit
	for _, pid := range waiting {
		until(t, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH })
	}
	second := open(t, cfg)
	if len(cgroups(t, dir)) > 0 && len(second.info.Swept) == 0 {
		t.Error("nothing was swept")
	}
	awaitPrepared(t, second, 1)
	waiting = children(t, second.info.PID)
	shutdown(t, second)
	if left := cgroups(t, dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	for _, pid := range waiting {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d is alive", pid)
		}
	}
}
