package hostload

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

const mib = 1 << 20

// tree writes files below a root of its own.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const meminfo = "MemTotal:        2097152 kB\nMemFree:          100000 kB\nMemAvailable:    1048576 kB\n"

func TestLook(t *testing.T) {
	for _, tt := range []struct {
		name        string
		files       map[string]string
		known       bool
		free, total int64
		thrash      bool
	}{
		{"nothing is told", nil, false, 0, 0, false},
		{"the machine's memory", map[string]string{"proc/meminfo": meminfo}, true, 1024 * mib, 2048 * mib, false},
		{"a limit above, version 2", map[string]string{
			"proc/meminfo":                       meminfo,
			"proc/self/cgroup":                   "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":         "536870912\n",
			"sys/fs/cgroup/a/memory.current":     "268435456\n",
			"sys/fs/cgroup/a/memory.stat":        "anon 1\ninactive_file 104857600\n",
			"sys/fs/cgroup/a/b/memory.max":       "max\n",
			"sys/fs/cgroup/a/b/memory.current":   "1\n",
			"proc/pressure/memory":               "some avg10=40.00 avg60=0.00 avg300=0.00 total=6622\nfull avg10=12.50 avg60=0.00 avg300=0.00 total=1865\n",
			"sys/fs/cgroup/unified/memory.stats": "",
		}, true, 356 * mib, 512 * mib, true},
		{"no limit, version 1", map[string]string{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": "4:cpu,memory:/x\n0::/\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712\n",
			"sys/fs/cgroup/memory/x/memory.usage_in_bytes": "268435456\n",
		}, true, 1024 * mib, 2048 * mib, false},
		{"a limit, version 1", map[string]string{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": "4:memory:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "314572800\n",
			"sys/fs/cgroup/memory/x/memory.usage_in_bytes": "104857600\n",
		}, true, 200 * mib, 300 * mib, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReader(tree(t, tt.files))
			m := r.Look()
			if m.Known != tt.known || m.Free != tt.free || m.Thrash != tt.thrash || m.Cores < 1 {
				t.Errorf("machine = %+v, want known %v, free %d MiB, thrash %v", m, tt.known, tt.free/mib, tt.thrash)
			}
			if got := r.Total(); got != tt.total {
				t.Errorf("total = %d MiB, want %d", got/mib, tt.total/mib)
			}
		})
	}
}

func TestIdleCores(t *testing.T) {
	root := tree(t, map[string]string{"proc/stat": "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1\n"})
	r := newReader(root)
	if got := r.Look().Idle; got != 0 {
		t.Errorf("idle = %v before there is anything to compare with", got)
	}
	if err := os.WriteFile(filepath.Join(root, "proc/stat"), []byte("cpu  150 0 150 850 50 0 0 0 0 0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Look().Idle, float64(runtime.NumCPU())/2; got != want {
		t.Errorf("idle = %v cores, want %v: half of the time", got, want)
	}
}

func TestThisMachine(t *testing.T) {
	r := New()
	if m := r.Look(); !m.Known || m.Free <= 0 || r.Total() < m.Free {
		t.Errorf("machine = %+v of %d bytes", m, r.Total())
	}
}

func BenchmarkLook(b *testing.B) {
	r := New()
	for b.Loop() {
		r.Look()
	}
}
