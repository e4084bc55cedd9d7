package cgroup

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// endOnOOM makes the memory limit end the whole group where the kernel would kill
// one process of it: a server that starts its killed worker again would go on
// like that forever. v2 does it by itself (memory.oom.group); v1 only tells, by a
// counter that is also raised when the group is removed (cgroup-v1/memory.rst,
// section 10).
func (g *Group) endOnOOM() error {
	dir := g.v1(memory)
	if dir == "" {
		return nil
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch memory limit: %w", err)
	}
	events := os.NewFile(uintptr(fd), "eventfd")
	own, err := os.Stat(dir)
	if err == nil {
		err = register(dir, fd)
	}
	if err != nil {
		_ = events.Close()
		return err
	}
	go func() {
		defer events.Close()
		_, err := events.Read(make([]byte, 8))
		if now, gone := os.Stat(dir); err != nil || gone != nil || !os.SameFile(own, now) {
			return // removed, and perhaps another of the same name is there by now
		}
		g.oom.Store(true)
		g.Kill()
	}()
	return nil
}

// register asks the kernel to count in eventfd how often the group in dir reaches
// its limit.
func register(dir string, eventfd int) error {
	control, err := os.Open(filepath.Join(dir, "memory.oom_control"))
	if err != nil {
		return fmt.Errorf("watch memory limit: %w", err)
	}
	defer control.Close()
	return write(dir, "cgroup.event_control", fmt.Sprintf("%d %d", eventfd, control.Fd()))
}
