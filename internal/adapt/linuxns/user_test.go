package linuxns

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestAsUser runs this package's tests once more as nobody, with an
// unprivileged launcher.
func TestAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: all tests run as a user anyway")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary and what it built lie where only root may look.
	dir, err := os.MkdirTemp("", "sunya-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, from := range map[string]string{
		"linuxns.test": self, "sunya-launcher": builtDir + "/sunya-launcher", "probe": builtDir + "/probe",
		"probe.py": "probe/probe.py",
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+name, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.count=1", "-test.timeout=120s"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.CommandContext(t.Context(), dir+"/linuxns.test", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", asUserEnv + "=" + dir, "TMPDIR=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	text, err := cmd.CombinedOutput()
	t.Logf("%s", text)
	if err != nil {
		t.Error(err)
	}
}
