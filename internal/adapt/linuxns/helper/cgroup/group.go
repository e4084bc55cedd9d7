package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Limits of one group; zero is no limit.
type Limits struct {
	MemoryBytes int64
	CPUShares   uint64 // cgroup v1's unit, 1024 is one core's weight
	PIDs        int64
}

// Group is the place of one sandbox in every hierarchy.
type Group struct {
	tree *Tree
	name string
	oom  atomic.Bool // the limit was reached, and the group ended for it
}

// Create makes a group without limits.
func (t *Tree) Create(name string) (*Group, error) {
	g := t.group(name)
	for _, dir := range g.dirs() {
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			return nil, errors.Join(fmt.Errorf("create cgroup: %w", err), g.Remove())
		}
	}
	return g, nil
}

func (t *Tree) group(name string) *Group { return &Group{tree: t, name: name} }

// Add moves a process into the group.
func (g *Group) Add(pid int) error {
	for _, dir := range g.dirs() {
		if err := write(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	return nil
}

// Freeze stops every process of the group and returns when they have stopped.
func (g *Group) Freeze() error {
	if dir := g.v2(); dir != "" {
		if err := write(dir, "cgroup.freeze", "1"); err != nil {
			return fmt.Errorf("freeze: %w", err)
		}
		return settle(func() bool { return event(dir, "frozen") == 1 })
	}
	dir := g.v1(freezer)
	if err := write(dir, "freezer.state", "FROZEN"); err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	return settle(func() bool { return read(dir, "freezer.state") == "FROZEN" })
}

// Thaw lets the processes go on.
func (g *Group) Thaw() error {
	if dir := g.v2(); dir != "" {
		if err := write(dir, "cgroup.freeze", "0"); err != nil {
			return fmt.Errorf("thaw: %w", err)
		}
		return nil
	}
	if dir := g.v1(freezer); dir != "" {
		if err := write(dir, "freezer.state", "THAWED"); err != nil {
			return fmt.Errorf("thaw: %w", err)
		}
	}
	return nil
}

// PageOut moves the group's memory to swap, as much as goes. Nothing of it should
// run: it would only fetch its pages back.
func (g *Group) PageOut() error {
	dir := g.v1(memory)
	if dir != "" {
		if err := write(dir, "memory.force_empty", "0"); err != nil {
			return fmt.Errorf("page out: %w", err)
		}
		return nil
	}
	if dir = g.with(memory); dir == "" {
		return errors.New("page out: no memory controller")
	}
	if err := write(dir, "memory.swap.max", "max"); err != nil {
		return fmt.Errorf("page out: %w", err)
	}
	err := write(dir, "memory.reclaim", read(dir, "memory.current"))
	if errors.Is(err, syscall.EAGAIN) { // less than all of it went
		err = nil
	}
	if err = errors.Join(err, write(dir, "memory.swap.max", "0")); err != nil {
		return fmt.Errorf("page out: %w", err)
	}
	return nil
}

// Kill ends every process of the group, frozen or not.
func (g *Group) Kill() {
	if dir := g.v2(); dir != "" && write(dir, "cgroup.kill", "1") == nil {
		return
	}
	_ = g.Thaw() // a v1 freezer holds even SIGKILL back
	for _, pid := range g.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Remove removes the group once its processes have gone, which it waits for up
// to two seconds.
func (g *Group) Remove() error {
	var errs []error
	for _, dir := range g.dirs() {
		var err error
		_ = settle(func() bool {
			err = os.Remove(dir)
			return !errors.Is(err, syscall.EBUSY)
		})
		if err != nil && !os.IsNotExist(err) {
			errs = append(errs, fmt.Errorf("remove cgroup: %w", err))
		}
	}
	return errors.Join(errs...)
}

// OOMKilled reports whether the memory limit has killed a process.
func (g *Group) OOMKilled() bool {
	if g.oom.Load() {
		return true
	}
	if dir := g.v1(memory); dir != "" {
		return keyed(read(dir, "memory.oom_control"), "oom_kill") > 0
	}
	return keyed(read(g.v2(), "memory.events"), "oom_kill") > 0
}

// Usage returns bytes of memory, nanoseconds of CPU and the number of tasks;
// zero where nothing counts them.
func (g *Group) Usage() (bytes, nanos int64, tasks int) {
	v2 := g.v2()
	if dir := g.v1(memory); dir != "" {
		bytes = number(dir, "memory.usage_in_bytes")
	} else if v2 != "" {
		bytes = number(v2, "memory.current")
	}
	if v2 != "" {
		nanos = keyed(read(v2, "cpu.stat"), "usage_usec") * 1000
	}
	if dir := g.v1(pids); dir != "" {
		return bytes, nanos, int(number(dir, "pids.current"))
	}
	return bytes, nanos, len(g.processes())
}

// Limit sets the limits of a group. One whose controller is missing is left out:
// Tree.Missing has said so.
func (g *Group) Limit(l Limits) error {
	var errs []error
	set := func(dir, file, value string) {
		if dir != "" {
			errs = append(errs, write(dir, file, value))
		}
	}
	if l.MemoryBytes > 0 {
		limit := strconv.FormatInt(l.MemoryBytes, 10)
		set(g.v1(memory), "memory.limit_in_bytes", limit)
		set(g.with(memory), "memory.max", limit)
		g.limitSwap(limit)
		_ = g.endOnOOM() // without it a process is killed, not all
	}
	if l.CPUShares > 0 {
		set(g.v1(cpu), "cpu.shares", strconv.FormatUint(max(2, l.CPUShares), 10))
		set(g.with(cpu), "cpu.weight", strconv.FormatUint(min(max(1, l.CPUShares*100/1024), 10000), 10))
	}
	if l.PIDs > 0 {
		limit := strconv.FormatInt(l.PIDs, 10)
		set(g.v1(pids), "pids.max", limit)
		set(g.with(pids), "pids.max", limit)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("limit cgroup %s: %w", g.name, err)
	}
	return nil
}

// limitSwap keeps memory from leaking into swap. Kernels without swap
// accounting have no such file, and then no swap to limit either.
func (g *Group) limitSwap(limit string) {
	if dir := g.v1(memory); dir != "" {
		_ = write(dir, "memory.memsw.limit_in_bytes", limit)
	}
	if dir := g.with(memory); dir != "" {
		_ = write(dir, "memory.swap.max", "0")
		_ = write(dir, "memory.oom.group", "1")
	}
}

func (g *Group) v2() string {
	if g.tree.v2 == "" {
		return ""
	}
	return filepath.Join(g.tree.v2, g.name)
}

// with returns the v2 directory if it has the controller.
func (g *Group) with(controller string) string {
	if !slices.Contains(g.tree.controllers, controller) {
		return ""
	}
	return g.v2()
}

func (g *Group) v1(controller string) string {
	if g.tree.v1[controller] == "" {
		return ""
	}
	return filepath.Join(g.tree.v1[controller], g.name)
}

func (g *Group) dirs() []string {
	dirs := g.tree.dirs()
	for i, dir := range dirs {
		dirs[i] = filepath.Join(dir, g.name)
	}
	return dirs
}

func (g *Group) processes() []int {
	var all []int
	for _, dir := range g.dirs() {
		for field := range strings.FieldsSeq(read(dir, "cgroup.procs")) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 && !slices.Contains(all, pid) {
				all = append(all, pid)
			}
		}
	}
	return all
}

// settle waits until done, asking often at first because the kernel usually
// needs microseconds.
func settle(done func() bool) error {
	pause := 20 * time.Microsecond
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
		if done() {
			return nil
		}
		time.Sleep(pause)
		pause = min(2*pause, 10*time.Millisecond)
	}
	return errors.New("cgroup did not settle within 2s")
}

func event(dir, key string) int64 { return keyed(read(dir, "cgroup.events"), key) }

// keyed reads a "key value" file.
func keyed(data, key string) int64 {
	for line := range strings.Lines(data) {
		if v, ok := strings.CutPrefix(line, key+" "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n
		}
	}
	return 0
}

func number(dir, file string) int64 {
	n, _ := strconv.ParseInt(read(dir, file), 10, 64)
	return n
}
