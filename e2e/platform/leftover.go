package platform

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Launcher is the pid of the server's launcher, which outlives a killed server
// and is nobody's child then; 0 for none.
func (s *Server) Launcher() int {
	s.t.Helper()
	logs, err := filepath.Glob("/proc/[0-9]*/fd/2")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, link := range logs {
		pid := 0
		if to, err := os.Readlink(link); err == nil && to == filepath.Join(s.Data, "run/launcher.log") {
			if _, err := fmt.Sscanf(link, "/proc/%d/", &pid); err == nil {
				return pid
			}
		}
	}
	return 0
}

// Cgroups are the directories that the launcher made below every hierarchy, one
// a sandbox.
func (s *Server) Cgroups() []string {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", s.Launcher()))
	if err != nil {
		s.t.Fatal(err)
	}
	group := ""
	for line := range strings.Lines(string(b)) {
		if _, name, ok := strings.Cut(strings.TrimSpace(line), "/sunya-"); ok {
			group, _, _ = strings.Cut(name, "/")
		}
	}
	if group == "" {
		return nil
	}
	var found []string
	for _, depth := range []string{"*", "*/*"} {
		dirs, _ := filepath.Glob("/sys/fs/cgroup/" + depth + "/sunya-" + group + "/*")
		for _, d := range dirs {
			if fi, err := os.Stat(d); err == nil && fi.IsDir() {
				found = append(found, d)
			}
		}
	}
	return found
}

// Leftovers are what the data directory holds of work that has ended, and the
// mounts below it.
func (s *Server) Leftovers() []string {
	s.t.Helper()
	var found []string
	for _, pattern := range []string{"builds/*", "layers/tmp/*", "blobs/tmp/*/*"} {
		names, err := filepath.Glob(filepath.Join(s.Data, pattern))
		if err != nil {
			s.t.Fatal(err)
		}
		found = append(found, names...)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, s.Data+"/") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// Memory is what the server has resident, in bytes.
func (s *Server) Memory() int64 {
	s.t.Helper()
	return 1024 * field(s.t, s.PID(), "VmRSS:")
}

// Resources are the descriptors and threads of a process, and its resident
// memory in bytes.
func Resources(t testing.TB, pid int) (descriptors, threads int, memory int64) {
	t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(fds), int(field(t, pid, "Threads:")), 1024 * field(t, pid, "VmRSS:")
}

// field is a number of /proc/PID/status.
func field(t testing.TB, pid int, name string) (n int64) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "\n"+name)
	if _, err := fmt.Sscan(rest, &n); !ok || err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
