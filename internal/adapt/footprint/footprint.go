// Package footprint gives back memory that this program has needed to start and is
// not likely to need again.
package footprint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// Shrink gives the unused part of the heap back to the kernel, and forgets the
// pages of the program's own file that are mapped: some 45 MiB of code and data,
// the programs that it carries included, of which a server at rest needs a third.
// What is used again is mapped again from the kernel's cache of the file, at about
// a microsecond for sixteen pages. An error has left everything as it was, or
// forgotten less.
func Shrink() error {
	debug.FreeOSMemory()
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	areas, err := clean(f, self)
	if err != nil {
		return fmt.Errorf("read /proc/self/smaps: %w", err)
	}
	for _, a := range areas {
		err = errors.Join(err, forget(a))
	}
	return err
}

// area is a range of addresses.
type area struct{ begin, end uintptr }

func forget(a area) error {
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, a.begin, a.end-a.begin, unix.MADV_DONTNEED)
	if errno != 0 {
		return fmt.Errorf("madvise %x-%x: %w", a.begin, a.end, errno)
	}
	return nil
}

// clean returns the areas of a file that nobody can have written to: neither
// writable nor with a page of their own, as the kernel tells in smaps (proc(5)).
// Others would lose what was written: a program that was moved by its loader has
// pages that are not those of the file any more.
func clean(smaps io.Reader, file string) ([]area, error) {
	var all []area
	var now area
	pure := false
	flush := func() {
		if pure {
			all = append(all, now)
		}
		pure = false
	}
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		name, value, isFigure := strings.Cut(lines.Text(), ":")
		if isFigure && !strings.ContainsAny(name, " -") {
			switch name {
			case "Anonymous", "Swap", "Locked": // a file that is not on the disk yet has dirty pages, too
				if strings.TrimSpace(value) != "0 kB" {
					pure = false
				}
			}
			continue
		}
		flush()
		var mode, rest string
		now = area{}
		head, path, _ := strings.Cut(lines.Text(), "/")
		if _, err := fmt.Sscanf(head, "%x-%x %s %s", &now.begin, &now.end, &mode, &rest); err != nil {
			return nil, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		pure = "/"+path == file && mode[0] == 'r' && mode[1] == '-' && now.end > now.begin
	}
	flush()
	return all, lines.Err()
}
