package pid1

import (
	"os"
	"path/filepath"
	"strings"
)

// allStopped reports whether no thread but those of this process can run.
func allStopped() bool {
	files, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/stat")
	if err != nil {
		return false
	}
	for _, name := range files {
		if strings.HasPrefix(name, "/proc/1/") {
			continue
		}
		data, err := os.ReadFile(name)
		if err == nil && !isStopped(string(data)) {
			return false
		}
	}
	return true
}

// isStopped reads the state of a stat line (proc_pid_stat(5)): the letter
// after the name, which is in parentheses and may hold some itself.
func isStopped(stat string) bool {
	i := strings.LastIndex(stat, ") ")
	if i < 0 || i+2 >= len(stat) {
		return false
	}
	return strings.ContainsRune("TtZX", rune(stat[i+2]))
}
