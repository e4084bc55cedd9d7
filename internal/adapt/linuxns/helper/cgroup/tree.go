// Package cgroup limits, freezes and counts sandboxes on cgroup v2, v1 and
// hybrid machines. Freezing and killing are core features of v2 that work even
// where its controllers are not available, so a hybrid machine uses the v2
// mount for those and v1 for the limits.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// The controllers that limits need.
const (
	memory  = "memory"
	cpu     = "cpu"
	pids    = "pids"
	freezer = "freezer"
)

// Tree is the place in every hierarchy under which the groups of one data
// directory live.
type Tree struct {
	v2          string            // directory, empty without a v2 mount
	controllers []string          // those of v2 that groups may use
	v1          map[string]string // controller to directory
}

// Open makes the tree named name, taking over what an earlier launcher left.
// It finds less where the user may write less; it never fails.
func Open(name string) *Tree {
	t := &Tree{v1: map[string]string{}}
	ms := mounts()
	own := ownPaths()
	for _, m := range ms {
		if m.v2 {
			t.openV2(m, own[""], name)
			continue
		}
		for _, c := range []string{memory, cpu, pids, freezer} {
			if !slices.Contains(m.controllers, c) {
				continue
			}
			if dir := makeIn(m, own[c], name); dir != "" {
				t.v1[c] = dir
			}
		}
	}
	t.weigh()
	return t
}

// Facts says which hierarchies are in use.
func (t *Tree) Facts() []string {
	switch {
	case t.v2 != "" && len(t.v1) > 0:
		return []string{"cgroup v1+v2 hybrid"}
	case t.v2 != "":
		return []string{"cgroup v2"}
	case len(t.v1) > 0:
		return []string{"cgroup v1"}
	}
	return nil
}

// weigh gives what runs in the groups together the weight of as many ordinary
// tasks as there are cores: else all of them would have that of one, however
// many they are. Where it cannot be, they have that of one.
func (t *Tree) weigh() {
	cores := uint64(runtime.NumCPU())
	if dir := t.v1[cpu]; dir != "" {
		_ = write(dir, "cpu.shares", strconv.FormatUint(1024*cores, 10))
	}
	if slices.Contains(t.controllers, cpu) {
		_ = write(t.v2, "cpu.weight", strconv.FormatUint(min(100*cores, 10000), 10))
	}
}

// Missing says which limits cannot be kept, one line each.
func (t *Tree) Missing() []string {
	var missing []string
	for _, c := range []struct{ name, limit string }{
		{memory, "memory limit"}, {cpu, "CPU weight"}, {pids, "process limit"},
	} {
		if !t.Has(c.name) {
			missing = append(missing, fmt.Sprintf("%s: no writable %s controller", c.limit, c.name))
		}
	}
	if t.v2 == "" && t.v1[freezer] == "" {
		missing = append(missing, "freezer: no writable cgroup; processes are stopped by SIGSTOP")
	}
	return missing
}

// Has reports whether groups can use a controller.
func (t *Tree) Has(controller string) bool {
	return t.v1[controller] != "" || slices.Contains(t.controllers, controller)
}

// CanFreeze reports whether groups have a freezer.
func (t *Tree) CanFreeze() bool { return t.v2 != "" || t.v1[freezer] != "" }

// Sweep kills and removes every group and returns their names.
func (t *Tree) Sweep() []string {
	names := map[string]bool{}
	for _, dir := range t.dirs() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.IsDir() {
				names[e.Name()] = true
			}
		}
	}
	var swept []string
	for name := range names {
		g := t.group(name)
		g.Kill()
		if g.Remove() == nil {
			swept = append(swept, name)
		}
	}
	slices.Sort(swept)
	return swept
}

// Close removes the tree's own directories, which must be empty.
func (t *Tree) Close() error {
	var errs []error
	for _, dir := range t.dirs() {
		if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// openV2 makes the tree on the v2 mount and hands the controllers down to it.
func (t *Tree) openV2(m mount, own, name string) {
	t.v2 = makeIn(m, own, name)
	if t.v2 == "" {
		return
	}
	parent := filepath.Dir(t.v2)
	for _, c := range []string{memory, cpu, pids} {
		// Each alone: one that is refused must not take the others with it.
		_ = write(parent, "cgroup.subtree_control", "+"+c)
		_ = write(t.v2, "cgroup.subtree_control", "+"+c)
	}
	t.controllers = strings.Fields(read(t.v2, "cgroup.subtree_control"))
}

func (t *Tree) dirs() []string {
	var dirs []string
	if t.v2 != "" {
		dirs = append(dirs, t.v2)
	}
	for _, dir := range t.v1 {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// makeIn makes the tree's directory at the root of a hierarchy, where the next
// launcher finds it again whatever group it starts in; failing that, in the
// launcher's own group. It returns "" where neither may be written.
func makeIn(m mount, own, name string) string {
	for _, parent := range []string{m.dir, filepath.Join(m.dir, own)} {
		dir := filepath.Join(parent, "sunya-"+name)
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			continue
		}
		if usable(dir, parent) {
			return dir
		}
		_ = os.Remove(dir)
	}
	return ""
}

// usable reports whether processes can be moved into groups of dir: the kernel
// asks for write access to cgroup.procs there and in the common ancestor.
func usable(dir, parent string) bool {
	return writable(filepath.Join(dir, "cgroup.procs")) && writable(filepath.Join(parent, "cgroup.procs"))
}
