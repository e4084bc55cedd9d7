package snapshot

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const pageSize = 4096

// area is one range of a process's memory, as /proc/PID/smaps has it (proc(5)).
type area struct {
	start, end uint64
	prot       int
	shared     bool
	offset     uint64
	inode      uint64
	name       string
	flags      string // VmFlags: two letters each, with spaces around
}

func (a area) has(flag string) bool { return strings.Contains(a.flags, " "+flag+" ") }

// isAnonymous reports whether no file is behind it.
func (a area) isAnonymous() bool {
	return a.name == "" || a.name == "[heap]" || strings.HasPrefix(a.name, "[anon:")
}

// kernelMappings are made by the kernel for every process: data and code of the
// system calls that need no kernel.
func (a area) isKernels() bool {
	return a.name == "[vdso]" || strings.HasPrefix(a.name, "[vvar")
}

// readAreas reads /proc/PID/maps or smaps.
func readAreas(path string) ([]area, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read memory map: %w", err)
	}
	defer func() { _ = f.Close() }()
	return parseAreas(f)
}

func parseAreas(r io.Reader) ([]area, error) {
	var areas []area
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && len(areas) > 0 {
			areas[len(areas)-1].flags = " " + strings.TrimSpace(flags) + " "
			continue
		}
		if word, _, _ := strings.Cut(line, " "); strings.HasSuffix(word, ":") {
			continue // a figure of the area above
		}
		a, err := parseArea(line)
		if err != nil {
			return nil, err
		}
		areas = append(areas, a)
	}
	return areas, lines.Err()
}

// parseArea reads "START-END PERMS OFFSET DEV INODE  NAME".
func parseArea(line string) (area, error) {
	bad := fmt.Errorf("read memory map: %q is not understood", line)
	rest := line
	var fields [5]string
	for i := range fields {
		rest = strings.TrimLeft(rest, " ")
		fields[i], rest, _ = strings.Cut(rest, " ")
	}
	from, to, ok := strings.Cut(fields[0], "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	offset, err3 := strconv.ParseUint(fields[2], 16, 64)
	inode, err4 := strconv.ParseUint(fields[4], 10, 64)
	if !ok || err1 != nil || err2 != nil || err3 != nil || err4 != nil || len(fields[1]) != 4 || end <= start {
		return area{}, bad
	}
	a := area{start: start, end: end, offset: offset, inode: inode, name: strings.TrimLeft(rest, " ")}
	for i, bit := range []int{unix.PROT_READ, unix.PROT_WRITE, unix.PROT_EXEC} {
		if fields[1][i] != '-' {
			a.prot |= bit
		}
	}
	a.shared = fields[1][3] == 's'
	return a, nil
}

// check refuses memory that a copy would not be the same of.
func (a area) check() error {
	where := a.name
	if where == "" {
		where = fmt.Sprintf("%x", a.start)
	}
	switch {
	case a.isKernels() || a.name == "[stack]":
		return nil
	case a.end-a.start > areaMax:
		return refuse("it has reserved %d GiB in one piece (%s)", (a.end-a.start)>>30, where)
	case a.shared && (a.inode == 0 || a.prot&unix.PROT_WRITE != 0 || a.has("mw")):
		return refuse("it shares memory (%s)", where)
	case a.has("io") || a.has("pf"):
		return refuse("it has memory of a device (%s)", where)
	case a.has("ht") || a.has("lo") || a.has("dc"):
		return refuse("it has locked, huge or unforkable memory (%s)", where)
	case a.isAnonymous():
		return nil
	case !strings.HasPrefix(a.name, "/") || a.inode == 0 || strings.HasSuffix(a.name, " (deleted)"):
		return refuse("it has memory of a kind that cannot be kept (%s)", where)
	case strings.HasPrefix(a.name, "/dev/") || strings.HasPrefix(a.name, "/proc/"):
		return refuse("it has memory of %s", where)
	}
	return nil
}

// run is a range of addresses whose pages are kept.
type run struct{ start, end uint64 }

// runGap is how many pages that need not be kept are kept all the same, to have
// fewer mappings.
const runGap = 16

// Bits of an entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
const (
	pagePresent = 1 << 63
	pageSwapped = 1 << 62
	pageFile    = 1 << 61 // of a file, or shared
)

// runsOf returns what of an area is the process's own.
func runsOf(a area, pagemap io.ReaderAt) ([]run, error) {
	var runs []run
	var entries []byte
	for at := a.start; at < a.end; at += pageSize {
		if len(entries) == 0 {
			entries = make([]byte, 8*min((a.end-at)/pageSize, 1<<16))
			if _, err := pagemap.ReadAt(entries, int64(at/pageSize*8)); err != nil {
				return nil, fmt.Errorf("read page map: %w", err)
			}
		}
		e := le64(entries)
		entries = entries[8:]
		if e&pageSwapped == 0 && (e&pagePresent == 0 || e&pageFile != 0) {
			continue
		}
		if last := len(runs) - 1; last >= 0 && at-runs[last].end <= runGap*pageSize {
			runs[last].end = at + pageSize
			continue
		}
		runs = append(runs, run{at, at + pageSize})
	}
	return runs, nil
}

func le64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}
