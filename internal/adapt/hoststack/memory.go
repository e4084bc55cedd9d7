package hoststack

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Where a container that this machine may be says how much memory it has: with
// cgroup v2 and v1.
var memoryLimits = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// Memory returns how much memory the machine has, in bytes; 0 when nobody says.
func Memory() int64 {
	var total int64
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		total = int64(info.Totalram) * int64(info.Unit) //nolint:unconvert // other types on other machines
	}
	for _, file := range memoryLimits {
		if n := readLimit(file); n > 0 && (total == 0 || n < total) {
			total = n
		}
	}
	return total
}

// Swap returns how much swap the machine has, in bytes; zram is among it.
func Swap() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalswap) * int64(info.Unit) //nolint:unconvert // other types on other machines
}

// readLimit reads a file with a number of bytes; 0 stands for no limit.
func readLimit(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil { // "max"
		return 0
	}
	return n
}
