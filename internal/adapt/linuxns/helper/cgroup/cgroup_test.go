package cgroup

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseMounts(t *testing.T) {
	tests := []struct {
		name string
		info string
		want []mount
	}{
		{"v2", "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			[]mount{{dir: "/sys/fs/cgroup", v2: true}}},
		{"v1, two controllers in one", "33 30 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
			[]mount{{dir: "/sys/fs/cgroup/cpu,cpuacct", controllers: []string{"rw", "cpu", "cpuacct"}}}},
		{"others", "22 1 0:21 / /proc rw - proc proc rw\nshort\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parseMounts(tt.info)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(mount{})); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseOwn(t *testing.T) {
	got := parseOwn("5:cpu,cpuacct:/a\n4:memory:/b\n0::/c\nbroken\n")
	want := map[string]string{"cpu": "/a", "cpuacct": "/a", "memory": "/b", "": "/c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("own groups (-want +got):\n%s", diff)
	}
}

func TestKeyed(t *testing.T) {
	const data = "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"
	if got := keyed(data, "oom_kill"); got != 7 {
		t.Errorf("oom_kill = %d, want 7", got)
	}
	if got := keyed(data, "nonesuch"); got != 0 {
		t.Errorf("nonesuch = %d, want 0", got)
	}
}

// TestSweep is what happens after a launcher that was killed: groups with
// frozen processes in them must go.
func TestSweep(t *testing.T) {
	tree := Open("test-sweep")
	if !tree.CanFreeze() {
		t.Skip("no writable cgroup: ", tree.Missing())
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	group, err := tree.Create("left")
	if err != nil {
		t.Fatal(err)
	}
	if err := group.Limit(Limits{MemoryBytes: 64 << 20, CPUShares: 512, PIDs: 10}); err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := group.Add(child.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := group.Freeze(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	if diff := cmp.Diff([]string{"left"}, Open("test-sweep").Sweep()); diff != "" {
		t.Errorf("swept (-want +got):\n%s", diff)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("process is alive")
		_ = syscall.Kill(child.Process.Pid, syscall.SIGKILL)
	}
	for _, dir := range group.dirs() {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
}
