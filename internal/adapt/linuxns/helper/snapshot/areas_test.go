package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseAreas(t *testing.T) {
	areas, err := parseAreas(strings.NewReader(`00400000-00420000 r-xp 00001000 fe:00 325835                     /usr/bin/a program
Size:                128 kB
VmFlags: rd ex mr mw me
7f9874775000-7f9874777000 rw-p 00000000 00:00 0
VmFlags: rd wr mr mw me wf
7ffd95148000-7ffd95169000 rw-p 00000000 00:00 0                          [stack]
`))
	if err != nil || len(areas) != 3 {
		t.Fatalf("%+v, %v", areas, err)
	}
	a := areas[0]
	if a.start != 0x400000 || a.end != 0x420000 || a.prot != unix.PROT_READ|unix.PROT_EXEC || a.offset != 0x1000 ||
		a.inode != 325835 || a.name != "/usr/bin/a program" || a.shared || !a.has("ex") || a.has("wr") {
		t.Errorf("%+v", a)
	}
	if !areas[1].isAnonymous() || !areas[1].has("wf") || areas[2].name != "[stack]" {
		t.Errorf("%+v", areas[1:])
	}
	for _, bad := range []string{"x", "1-2 rw-p 0 00:00 0", "20-10 rw-p 00 00:00 0", "10-20 rw 00 00:00 0", "10-20 rw-p zz 00:00 0"} {
		if got, err := parseAreas(strings.NewReader(bad)); err == nil && bad != "1-2 rw-p 0 00:00 0" {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func FuzzParseAreas(f *testing.F) {
	f.Add("00400000-00420000 r-xp 00001000 fe:00 325835  /usr/bin/x\nVmFlags: rd ex")
	f.Fuzz(func(t *testing.T, text string) {
		areas, _ := parseAreas(strings.NewReader(text))
		for _, a := range areas {
			if a.end <= a.start {
				t.Errorf("%+v", a)
			}
			_ = a.check()
		}
	})
}

func TestRefusedAreas(t *testing.T) {
	for _, c := range []struct {
		area area
		want string // part of the refusal; empty: none
	}{
		{area{name: ""}, ""},
		{area{name: "[heap]"}, ""},
		{area{name: "[anon: glibc: malloc]"}, ""},
		{area{name: "[vvar_vclock]"}, ""},
		{area{name: "/usr/lib/x.so", inode: 1}, ""},
		{area{name: "/usr/lib/gconv.cache", inode: 1, shared: true, flags: " rd mr me "}, ""},
		{area{name: "/data/db", inode: 1, shared: true, flags: " rd mr mw "}, "shares memory"},
		{area{shared: true}, "shares memory"},
		{area{name: "/dev/zero (deleted)", shared: true, inode: 1, prot: unix.PROT_WRITE}, "shares memory"},
		{area{name: "/SYSV00000000 (deleted)", inode: 1}, "kind that cannot be kept"},
		{area{name: "/usr/lib/x.so (deleted)", inode: 1}, "kind that cannot be kept"},
		{area{name: "anon_inode:[perf_event]", inode: 1}, "kind that cannot be kept"},
		{area{name: "/dev/nvidia0", inode: 1, flags: " io pf "}, "of a device"},
		{area{name: "/dev/dri/card0", inode: 1}, "memory of /dev/dri"},
		{area{flags: " lo "}, "locked"},
		{area{flags: " dc "}, "unforkable"},
		{area{end: 128 << 40}, "has reserved"},
	} {
		err := c.area.check()
		var r Refusal
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &r) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v; want %q", c.area, err, c.want)
		}
	}
}

// TestRuns: what is the process's own is kept, with small gaps in it.
func TestRuns(t *testing.T) {
	own, file, none := uint64(pagePresent), uint64(pagePresent|pageFile), uint64(0)
	var table []byte
	pages := []uint64{own, none, own, file}
	for range 70000 { // more than are read at once
		pages = append(pages, file)
	}
	pages = append(pages, pageSwapped)
	for _, p := range pages {
		table = binary.LittleEndian.AppendUint64(table, p)
	}
	runs, err := runsOf(area{start: 0, end: uint64(len(pages)) * pageSize}, bytes.NewReader(table))
	last := uint64(len(pages)) * pageSize
	if err != nil || len(runs) != 2 || runs[0] != (run{0, 3 * pageSize}) || runs[1] != (run{last - pageSize, last}) {
		t.Errorf("%v, %v", runs, err)
	}
}
