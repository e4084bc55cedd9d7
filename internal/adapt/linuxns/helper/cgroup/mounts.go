package cgroup

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mount is one mounted hierarchy.
type mount struct {
	dir         string
	v2          bool
	controllers []string // v1 only
}

func mounts() []mount {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	return parseMounts(string(data))
}

// parseMounts reads mountinfo (proc_pid_mountinfo(5)): fields up to " - ",
// then type, source and super options, where v1 lists its controllers.
func parseMounts(info string) []mount {
	var ms []mount
	for line := range strings.Lines(info) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		fields, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(tail) < 3 {
			continue
		}
		switch tail[0] {
		case "cgroup2":
			ms = append(ms, mount{dir: fields[4], v2: true})
		case "cgroup":
			ms = append(ms, mount{dir: fields[4], controllers: strings.Split(tail[2], ",")})
		}
	}
	return ms
}

// ownPaths returns this process's group by controller; v2's key is "".
func ownPaths() map[string]string {
	data, _ := os.ReadFile("/proc/self/cgroup")
	return parseOwn(string(data))
}

func parseOwn(data string) map[string]string {
	paths := map[string]string{}
	for line := range strings.Lines(data) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for c := range strings.SplitSeq(parts[1], ",") {
			paths[c] = parts[2]
		}
	}
	return paths
}

func writable(path string) bool { return unix.Access(path, unix.W_OK) == nil }

func write(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func read(dir, file string) string {
	data, _ := os.ReadFile(filepath.Join(dir, file))
	return strings.TrimSpace(string(data))
}
