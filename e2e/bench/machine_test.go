//go:build e2e

package bench

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/e2e/bench/peer"
	"github.com/sunya-cloud/sunya/e2e/bench/results"
)

// machine says where the figures are taken.
var machine = sync.OnceValue(func() results.Machine {
	return results.Machine{
		CPU: entry("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), MemoryMiB: kilobytes("/proc/meminfo", "MemTotal") >> 10,
		System: strings.Trim(entryOf("/etc/os-release", "PRETTY_NAME", "="), `"`), Kernel: kernel(),
		Cgroups: cgroups(), Versions: versions(),
	}
})

func versions() map[string]string {
	all := map[string]string{}
	for name, argv := range map[string][]string{
		"nginx": {"nginx", "-v"}, "HAProxy": {"haproxy", "-v"}, "Caddy": {"caddy", "version"}, "Traefik": {"traefik", "version"},
		"wrk": {"wrk", "-v"}, "Go": {"go", "version"}, "Python": {"python3", "--version"}, "Node.js": {"node", "--version"},
		"Java": {"java", "-version"}, "PHP": {"php", "--version"}, "Ruby": {"ruby", "--version"},
	} {
		if name == "Python" {
			argv[0] = "/usr/bin/python3"
		}
		if v := peer.Version(argv[0], argv[1:]...); v != "" {
			all[name] = v
		}
	}
	return all
}

// kernel is its version, without what its builder adds.
func kernel() string {
	version, _, _ := strings.Cut(file("/proc/sys/kernel/osrelease"), "-")
	return version
}

// cgroups is which generation the kernel has mounted.
func cgroups() string {
	mounts := file("/proc/self/mounts")
	v1, v2 := strings.Contains(mounts, " cgroup "), strings.Contains(mounts, " cgroup2 ")
	switch {
	case v1 && v2:
		return "hybrid"
	case v2:
		return "v2"
	default:
		return "v1"
	}
}

// file is the content of a small file of the kernel's; empty for none.
func file(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func entry(path, name string) string { return entryOf(path, name, ":") }

// entryOf is the value of a name in a file of one a line.
func entryOf(path, name, separator string) string {
	for line := range strings.Lines(file(path)) {
		if k, v, ok := strings.Cut(line, separator); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// kilobytes is a value such as "12 kB".
func kilobytes(path, name string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSuffix(entry(path, name), " kB"), 10, 64)
	return n
}

// available is the machine's memory that is free for programs, in bytes.
func available() int64 { return kilobytes("/proc/meminfo", "MemAvailable") << 10 }

// settled waits a moment until the machine is quiet, which it is not right after
// the figure before, and says how busy it is then.
func settled() (share float64) {
	for range 15 {
		if share = busy(200 * time.Millisecond); share < quiet {
			break
		}
	}
	return share
}

// quiet is a share of the machine that a few kernel threads may have.
const quiet = 0.03

// busy is the share of the machine's time that is used, watched for a while.
func busy(span time.Duration) float64 {
	used, all := jiffies()
	time.Sleep(span)
	used2, all2 := jiffies()
	if all2 <= all {
		return 0
	}
	return float64(used2-used) / float64(all2-all)
}

// jiffies are what /proc/stat has counted: time in use, what a hypervisor kept
// included, and all time.
func jiffies() (used, all int64) {
	line := firstLine(file("/proc/stat"))
	for i, f := range strings.Fields(strings.TrimPrefix(line, "cpu")) {
		var n int64
		if _, err := fmt.Sscan(f, &n); err != nil || i > 7 { // guests are counted as users already
			break
		}
		all += n
		if i != 3 && i != 4 { // idle, waiting for a disk
			used += n
		}
	}
	return used, all
}
