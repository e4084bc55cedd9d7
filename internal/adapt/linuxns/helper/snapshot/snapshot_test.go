package snapshot

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const python = "/usr/bin/python3"

// control returns both ends of what a program is told and says over.
func control(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	if err := ours.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

// stopped starts a program as a template and returns what it says.
func stopped(t *testing.T, main string) (said string, pid int) {
	t.Helper()
	if !Supported {
		t.Skip("SKIP: snapshots need amd64")
	}
	if _, err := os.Stat(python); err != nil {
		t.Skip("SKIP: no " + python)
	}
	dir := t.TempDir()
	code, file := filepath.Join(dir, "template.py"), filepath.Join(dir, "main.py")
	// What the tests themselves were started with is not the program's.
	main = "import os\nos.closerange(4, 1024)\n" + main
	for name, text := range map[string][]byte{code: Python, file: []byte(main)} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ours, theirs := control(t)
	cmd := exec.Command(python, code, "3", "script", file, "an argument")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_ = theirs.Close()
	line, err := bufio.NewReader(ours).ReadString('\n')
	if err != nil {
		t.Fatalf("the program said nothing: %v", err)
	}
	line = strings.TrimSpace(line)
	if _, err := fmt.Sscanf(line, "ready %d", &pid); err != nil {
		pid = 0
	}
	return line, pid
}

func emptyFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestRestore: a program goes on in another process, with its memory, and each
// such process has its own.
func TestRestore(t *testing.T) {
	_, pid := stopped(t, `
import os, random, signal, sys, socket
random.seed(1)
big = bytearray(b'x' * 3000000)
signal.signal(signal.SIGUSR1, lambda *a: print('signalled', flush=True))
os.umask(0o027)
s = socket.socket()
big[5] = ord('y')
os.kill(os.getpid(), signal.SIGUSR1)
more = [bytes(1000) for i in range(10000)]
print(sys.argv[1], len(big), big[4:7].decode(), os.environ['WHO'], len(more), '%o' % os.umask(0), random.random(), flush=True)
`)
	f := emptyFile(t)
	h, err := Take(pid, f)
	if err != nil {
		t.Fatal(err)
	}
	if h.Bytes < 3_000_000 {
		t.Errorf("%d bytes are kept", h.Bytes)
	}
	last := map[string]bool{}
	for _, who := range []string{"one", "two"} {
		out := restored(t, f, who)
		fields := strings.Fields(out)
		if !strings.HasPrefix(out, "signalled\nan argument 3000000 xyx "+who+" 10000 27 ") {
			t.Errorf("output %q", out)
		}
		last[fields[len(fields)-1]] = true
	}
	if len(last) != 2 {
		t.Error("both have the same random numbers")
	}
}

// restored runs a program on from a snapshot and returns its output.
func restored(t *testing.T, f *os.File, who string) string {
	t.Helper()
	ours, theirs := control(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	type result struct {
		pid int
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked
		pid, err := Restore(f, theirs, [3]uintptr{0, w.Fd(), w.Fd()}, nil, func(exe string, files []uintptr) (int, error) {
			return syscall.ForkExec(exe, []string{exe}, &syscall.ProcAttr{Dir: "/", Files: files, Sys: &syscall.SysProcAttr{Ptrace: true, Setsid: true}})
		})
		done <- result{pid, err}
	}()
	got := <-done
	_, _ = theirs.Close(), w.Close()
	if got.err != nil {
		t.Fatal(got.err)
	}
	if _, err := fmt.Fprintf(ours, "{\"env\": {\"WHO\": %q}}\n", who); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = syscall.Wait4(got.pid, nil, 0, nil)
	return string(out)
}

// TestRefusals: what a copy of the process would not have too.
func TestRefusals(t *testing.T) {
	const opens = "import socket\nsocket.socket()\n"
	for _, c := range []struct{ name, main, want string }{
		{"thread", "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True, name='worker').start()\n", "threads (worker)"},
		{"socket", "import _socket\ns = _socket.socket()\n", "a socket open"},
		{"file for writing", "f = open('/dev/full', 'w')\n", "/dev/full open"},
		{"file for reading", "f = open('/etc/passwd')\n", "the file /etc/passwd open"},
		{"pipe", "import os\nr = os.pipe()\n", "a pipe open"},
		{"epoll", "import select\ne = select.epoll()\n", "eventpoll"},
		{"shared memory", "import mmap\nm = mmap.mmap(-1, 4096)\nm[0] = 1\n", "shares memory"},
		{"alarm", "import signal\nsignal.setitimer(signal.ITIMER_REAL, 100)\n", "alarm"},
		{"end", "import sys\nsys.exit(3)\n", "ended before it opened a socket (SystemExit: 3)"},
		{"error", "import nothing_of_this_name\n", "ModuleNotFoundError"},
		{"no socket", "import sys\nraise SystemExit\n", "ended before it opened a socket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			said, pid := stopped(t, c.main+opens)
			if pid == 0 {
				if !strings.Contains(said, c.want) {
					t.Errorf("%q; want %q", said, c.want)
				}
				return
			}
			if _, err := Take(pid, emptyFile(t)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

// TestSandbox: a process that is left, and a file.
func TestSandbox(t *testing.T) {
	dir := t.TempDir()
	if err := checkScratch(dir); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "left"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := checkScratch(dir); err == nil || !strings.Contains(err.Error(), "left the file") {
		t.Errorf("%v", err)
	}
	if err := checkOthers(nil); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("%v", err)
	}
}

// TestHeader: a file that is none, or half of one, is not restored.
func TestHeader(t *testing.T) {
	f := emptyFile(t)
	if _, err := ReadHeader(f); err == nil {
		t.Error("an empty file is a snapshot")
	}
	if err := f.Truncate(areasAt); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadHeader(f); err == nil {
		t.Error("zeros are a snapshot")
	}
	want := &Header{Exe: "/bin/x", Regs: []uint64{1}, Script: 7}
	if err := writeHeader(f, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadHeader(f)
	if err != nil || got.Exe != want.Exe || got.Script != 7 {
		t.Errorf("%+v, %v", got, err)
	}
}
