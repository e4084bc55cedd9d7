package account

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestBecomeGivesUpRoot runs itself in a child, since there is no way back.
func TestBecomeGivesUpRoot(t *testing.T) {
	if os.Getenv("SUNYA_TEST_BECOME") == "1" {
		become(t)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: there is nothing to give up")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestBecomeGivesUpRoot$", "-test.v")
	cmd.Env = append(os.Environ(), "SUNYA_TEST_BECOME=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
}

func become(t *testing.T) {
	if err := (Account{fallbackUID, fallbackUID}).Become(); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != fallbackUID || os.Getgid() != fallbackUID {
		t.Errorf("uid %d gid %d, want %d", os.Getuid(), os.Getgid(), fallbackUID)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "Groups:\t \n"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("no %q in status:\n%s", want, status)
		}
	}
}
