package snapshot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ControlFD is where the program waits and is told that it goes on.
const ControlFD = 3

// check refuses what a copy of the process could not have too.
func check(pid int) error {
	proc := fmt.Sprintf("/proc/%d", pid)
	steps := []func(string) error{
		checkThreads, checkDescriptors, checkStatus, checkTimers,
	}
	for _, step := range steps {
		if err := step(proc); err != nil {
			return err
		}
	}
	return nil
}

func checkThreads(proc string) error {
	tasks, err := os.ReadDir(proc + "/task")
	if err != nil {
		return fmt.Errorf("count threads: %w", err)
	}
	if len(tasks) == 1 {
		return nil
	}
	var names []string
	for _, t := range tasks[1:] {
		name, _ := os.ReadFile(proc + "/task/" + t.Name() + "/comm")
		names = append(names, strings.TrimSpace(string(name)))
	}
	return refuse("it has %d threads (%s)", len(tasks), strings.Join(names, ", "))
}

func checkDescriptors(proc string) error {
	fds, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return fmt.Errorf("list descriptors: %w", err)
	}
	for _, fd := range fds {
		n, _ := strconv.Atoi(fd.Name())
		if n <= ControlFD {
			continue
		}
		what, err := os.Readlink(proc + "/fd/" + fd.Name())
		if err != nil {
			return fmt.Errorf("list descriptors: %w", err)
		}
		return refuse("it has %s open (descriptor %d)", kindOf(what), n)
	}
	return nil
}

// kindOf says what a descriptor is, as /proc/PID/fd has it.
func kindOf(link string) string {
	switch {
	case strings.HasPrefix(link, "socket:"):
		return "a socket"
	case strings.HasPrefix(link, "pipe:"):
		return "a pipe"
	case strings.HasPrefix(link, "anon_inode:"):
		return "an object of the kernel, " + strings.Trim(strings.TrimPrefix(link, "anon_inode:"), "[]") + ","
	case strings.HasPrefix(link, "/dev/"):
		return "the device " + link
	}
	return "the file " + link
}

// checkStatus looks for signals that are about to come.
func checkStatus(proc string) error {
	data, err := os.ReadFile(proc + "/status")
	if err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	for _, field := range []string{"SigPnd", "ShdPnd"} {
		if v := statusField(string(data), field); strings.Trim(v, "0") != "" {
			return refuse("a signal is about to come (%s %s)", field, v)
		}
	}
	return nil
}

func statusField(status, name string) string {
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func checkTimers(proc string) error {
	data, err := os.ReadFile(proc + "/timers")
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("list timers: %w", err)
	}
	if len(data) > 0 {
		return refuse("it has a timer")
	}
	return nil
}

// CheckSandbox refuses what a program has left around it in the sandbox that this
// process is the first of: processes besides its own, and files in the scratch
// directories.
func CheckSandbox(own []int, scratch ...string) error {
	if err := checkOthers(append(own, os.Getpid())); err != nil {
		return err
	}
	return checkScratch(scratch...)
}

// checkOthers looks for children, and for what they have left: whatever else
// runs in the sandbox.
func checkOthers(known []int) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil || slices.Contains(known, n) {
			continue
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n))
		if err != nil {
			continue // it has ended
		}
		if strings.HasPrefix(statusField(string(status), "State"), "Z") {
			continue
		}
		return refuse("it has started another process (%s)", statusField(string(status), "Name"))
	}
	return nil
}

// checkScratch looks for files, which would be missing elsewhere.
func checkScratch(dirs ...string) error {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && path != dir {
				return refuse("it has left the file %s", path)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
