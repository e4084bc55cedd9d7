// Package hostload reads what a Linux machine has left: free memory, within the
// limits of the server's own cgroup, idle cores, and whether programs wait for
// memory. What a kernel does not tell is left out.
package hostload

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/room"
)

// Reader reads from /proc and the cgroup file systems. It is not safe for
// concurrent use.
type Reader struct {
	root   string // "/", or that of a test
	limits []limit
	idle   ticks
}

// limit is a cgroup's memory limit and what is used of it, as files.
type limit struct{ most, used, stat, cache string }

// ticks is how long all cores together have been idle, and for how long.
type ticks struct {
	idle, at time.Duration
}

// New returns a Reader of this machine.
func New() *Reader { return newReader("/") }

func newReader(root string) *Reader {
	r := &Reader{root: root}
	r.limits = r.findLimits()
	return r
}

// thrashAt is the share of time, in percent of the last ten seconds, that all
// programs waited for memory.
const thrashAt = 10

// Look returns what is left now. Idle is an average since the last Look.
func (r *Reader) Look() room.Machine {
	m := room.Machine{Cores: runtime.GOMAXPROCS(0)} // which heeds the cgroup's CPU limit
	if free := r.field("proc/meminfo", "MemAvailable:"); free >= 0 {
		m.Known, m.Free = true, free<<10
	}
	for _, l := range r.limits {
		if left, ok := r.left(l); ok && (!m.Known || left < m.Free) {
			m.Known, m.Free = true, left
		}
	}
	m.Idle = r.idleCores()
	m.Thrash = r.pressure() >= thrashAt
	return m
}

// Total is the memory that there is, in bytes; 0: unknown.
func (r *Reader) Total() int64 {
	total := max(r.field("proc/meminfo", "MemTotal:"), 0) << 10
	for _, l := range r.limits {
		if most, ok := r.number(l.most); ok {
			total = min(total, most)
		}
	}
	return total
}

// left is what is left within a limit: the page cache can be had again.
func (r *Reader) left(l limit) (int64, bool) {
	most, ok := r.number(l.most)
	if !ok {
		return 0, false
	}
	used, ok := r.number(l.used)
	if !ok {
		return 0, false
	}
	return most - used + max(r.field(l.stat, l.cache), 0), true
}

// findLimits returns the memory limits of the server's cgroup and of those above
// it.
func (r *Reader) findLimits() []limit {
	text, err := os.ReadFile(filepath.Join(r.root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	var out []limit
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		switch {
		case controllers == "":
			out = append(out, r.upwards("sys/fs/cgroup", path, "memory.max", "memory.current", "inactive_file")...)
		case strings.Contains(","+controllers+",", ",memory,"):
			out = append(out, r.upwards("sys/fs/cgroup/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")...)
		}
	}
	return out
}

// noLimit is above what version 1 says when there is none.
const noLimit = 1 << 62

func (r *Reader) upwards(mount, path, most, used, cache string) []limit {
	var out []limit
	for dir := filepath.Join("/", path); ; dir = filepath.Dir(dir) {
		at := filepath.Join(mount, dir)
		l := limit{filepath.Join(at, most), filepath.Join(at, used), filepath.Join(at, "memory.stat"), cache}
		if n, ok := r.number(l.most); ok && n < noLimit {
			out = append(out, l)
		}
		if dir == "/" {
			return out
		}
	}
}

// idleCores is how many cores had nothing to do since the last call; 0 for the
// first.
func (r *Reader) idleCores() float64 {
	text, err := os.ReadFile(filepath.Join(r.root, "proc/stat"))
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 5 {
		return 0
	}
	var all, idle int64
	for i, f := range fields[1:min(len(fields), 9)] { // what guests use is in what is used
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0
		}
		all += n
		if i == 3 || i == 4 { // idle, and idle while the disk works
			idle += n
		}
	}
	before := r.idle
	r.idle = ticks{time.Duration(idle), time.Duration(all)}
	if before.at == 0 || r.idle.at <= before.at {
		return 0
	}
	share := float64(r.idle.idle-before.idle) / float64(r.idle.at-before.at)
	return share * float64(runtime.NumCPU())
}

// pressure is the share of the last ten seconds, in percent, in which everybody
// waited for memory; 0 where the kernel does not say.
func (r *Reader) pressure() float64 {
	text, err := os.ReadFile(filepath.Join(r.root, "proc/pressure/memory"))
	if err != nil {
		return 0
	}
	_, full, ok := strings.Cut(string(text), "full avg10=")
	if !ok {
		return 0
	}
	number, _, _ := strings.Cut(full, " ")
	share, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0
	}
	return share
}

// number reads a file that is one number; false when it is not, as "max".
func (r *Reader) number(path string) (int64, bool) {
	text, err := os.ReadFile(filepath.Join(r.root, path))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	return n, err == nil
}

// field reads the number after a name at the beginning of a line; -1 when there
// is none.
func (r *Reader) field(path, name string) int64 {
	text, err := os.ReadFile(filepath.Join(r.root, path))
	if err != nil {
		return -1
	}
	for line := range bytes.Lines(text) {
		f := bytes.Fields(line)
		if len(f) < 2 || string(f[0]) != name {
			continue
		}
		if n, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
			return n
		}
	}
	return -1
}
