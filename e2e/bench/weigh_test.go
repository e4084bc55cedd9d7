//go:build e2e

package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// weight is what processes cost.
type weight struct {
	cpu       time.Duration // used so far
	pss       int64         // bytes, pages that several share counted in parts
	processes int
}

func (w *weight) add(o weight) {
	w.cpu, w.pss, w.processes = w.cpu+o.cpu, w.pss+o.pss, w.processes+o.processes
}

func total(list [3]weight) (all weight) {
	for _, w := range list {
		all.add(w)
	}
	return all
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// weigh weighs a platform: the server; its launcher and what it starts for its
// own use; the apps.
func weigh(tb testing.TB, s *platform.Server) [3]weight {
	tb.Helper()
	var all [3]weight
	all[0] = process(tb, s.PID())
	launcher := s.Launcher()
	below := s.Descendants()
	if launcher != 0 && !listed(below, launcher) {
		all[1].add(process(tb, launcher))
		below = append(below, platform.Below(tb, launcher)...)
	}
	for _, p := range below {
		at := 2
		if strings.Contains(p.Args, "sunya") && !strings.Contains(p.Args, "gunicorn") {
			at = 1
		}
		all[at].add(process(tb, p.PID))
	}
	return all
}

func listed(list []platform.Process, pid int) bool {
	for _, p := range list {
		if p.PID == pid {
			return true
		}
	}
	return false
}

// process weighs one process; one that has just ended weighs nothing.
func process(tb testing.TB, pid int) weight {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	rollup, err2 := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err := errors.Join(err, err2); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			return weight{}
		}
		tb.Fatal(err)
	}
	w := weight{processes: 1}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:])) // a name may hold anything
	for _, f := range fields[11:13] {                                                   // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		w.cpu += time.Duration(n) * 10 * time.Millisecond // a hundred ticks a second, on every Linux
	}
	for line := range strings.Lines(string(rollup)) {
		if v, ok := strings.CutPrefix(line, "Pss:"); ok {
			if _, err := fmt.Sscan(v, &w.pss); err != nil {
				tb.Fatal(err)
			}
			w.pss <<= 10
		}
	}
	return w
}
