package linuxns

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// TestProbes runs S1 to S3, S5 to S8 and S10 of the robustness reference in
// every kind of sandbox; S4 is package source's TestSwappedSource.
func TestProbes(t *testing.T) {
	for _, prepared := range []int{0, 1} {
		t.Run(fmt.Sprintf("prepared=%d", prepared), func(t *testing.T) { testProbes(t, prepared) })
	}
}

func testProbes(t *testing.T, prepared int) {
	dir := dataDir(t)
	cfg := config(dir)
	cfg.Prepared = prepared
	e := open(t, cfg)
	t.Cleanup(func() { shutdown(t, e) })
	port, abstract := hostListeners(t)
	mount := probeMount(t, dir)
	python, err := os.ReadFile("probe/probe.py")
	if err != nil {
		if python, err = os.ReadFile(builtDir + "/probe.py"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(mount.Source+"/probe.py", python, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, profile := range []sandbox.Profile{sandbox.App, sandbox.Build} {
		for _, args := range [][]string{{"/app/probe"}, {"/usr/bin/python3", "-B", "/app/probe.py"}} {
			t.Run(fmt.Sprint(profile, " ", args[len(args)-1]), func(t *testing.T) {
				if _, err := os.Stat(args[0]); args[0] != "/app/probe" && err != nil {
					t.Skip("no ", args[0])
				}
				awaitPrepared(t, e, prepared)
				s := start(t, e, sandbox.Spec{
					Profile: profile, Args: args, UIDRange: 7,
					Env:    []string{"PROBE_HOST_PORT=" + port, "PROBE_ABSTRACT=" + abstract},
					Mounts: []sandbox.Mount{mount},
				})
				checkProbes(t, s)
			})
		}
	}
	for i, user := range []string{"", "web", "web"} {
		t.Run("container "+user, func(t *testing.T) {
			if user != "" && os.Geteuid() != 0 {
				t.Skip("a user's sandbox has one id")
			}
			awaitPrepared(t, e, prepared*min(i+1, 2))
			s := start(t, e, sandbox.Spec{
				Profile: sandbox.Container, Root: []string{busybox(t, dir), layer(t, dir, "probe", node{name: "probe", text: string(probe)})},
				User: user, Args: []string{"/probe"}, UIDRange: 7,
				Env: []string{"PROBE_HOST_PORT=" + port, "PROBE_ABSTRACT=" + abstract, "PROBE_IMAGE=1"},
			})
			checkProbes(t, s)
		})
	}
	t.Run("starter", func(t *testing.T) { starterIsSealed(t, e) })
}

// checkProbes reads what the probes in a sandbox found.
func checkProbes(t *testing.T, s sandbox.Sandbox) {
	t.Helper()
	stdout, stderr := output(t, s)
	if got := wait(t, s); got.Code != 0 || strings.Contains(stdout, "FAIL") {
		t.Errorf("exit = %+v\n%s%s", got, stdout, stderr)
	}
	for _, id := range []string{"S1", "S2", "S3", "S5", "S6", "S7", "S8", "S10"} {
		if !strings.Contains(stdout, id+" ok") {
			t.Errorf("%s was not run:\n%s", id, stdout)
		}
	}
	for line := range strings.Lines(stdout) {
		if strings.Contains(line, " skip ") {
			t.Logf("skipped: %s", line)
		}
	}
}

// hostListeners listens where a sandbox must not get to.
func hostListeners(t *testing.T) (port, abstract string) {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	abstract = fmt.Sprintf("sunya-probe-%d", os.Getpid())
	u, err := net.Listen("unix", "@"+abstract)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return port, abstract
}

// starterIsSealed is S3 from outside: the launcher's program cannot be written,
// not even by root.
func starterIsSealed(t *testing.T, e *Engine) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/exe", e.info.PID))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil {
		t.Skip("the launcher does not run from memory: ", err)
	}
	if seals&unix.F_SEAL_WRITE == 0 || seals&unix.F_SEAL_SEAL == 0 {
		t.Errorf("seals = %#x", seals)
	}
}
