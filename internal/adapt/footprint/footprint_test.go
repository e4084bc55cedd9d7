package footprint

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const smaps = `00400000-017a1000 r-xp 00000000 00:2a 7                          /opt/sunya
Rss:               18884 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
017a1000-040bb000 r--p 013a1000 00:2a 7                          /opt/sunya
Private_Dirty:     26728 kB
Anonymous:             0 kB
040bb000-040bc000 r--p 03cbb000 00:2a 7                          /opt/sunya
Private_Dirty:         4 kB
Anonymous:             4 kB
040bc000-040cc000 rw-p 03cbc000 00:2a 7                          /opt/sunya
Private_Dirty:         0 kB
Anonymous:             0 kB
c000000000-c004000000 rw-p 00000000 00:00 0                      [anon: Go: heap]
Anonymous:          1000 kB
7f0000000000-7f0000001000 r--s 00000000 00:2a 9                  /opt/sunya.db
Anonymous:             0 kB
7f0000001000-7f0000002000 r--p 00000000 00:2a 7                  /opt/sunya
Anonymous:             0 kB
Swap:                  4 kB
`

// TestClean: what was written to, or may be, is left alone.
func TestClean(t *testing.T) {
	got, err := clean(strings.NewReader(smaps), "/opt/sunya")
	if want := []area{{0x400000, 0x17a1000}, {0x17a1000, 0x40bb000}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%x %v, want %x", got, err, want)
	}
	if got, err := clean(strings.NewReader("what is this\n"), "/opt/sunya"); err == nil {
		t.Errorf("%x, want an error", got)
	}
}

var global = map[string]int{"a": 1}

// TestShrink: the program goes on with less.
func TestShrink(t *testing.T) {
	before := mapped(t)
	global["b"] = 2
	if err := Shrink(); err != nil {
		t.Fatal(err)
	}
	if after := mapped(t); after >= before {
		t.Errorf("%d kB of files are mapped, before it were %d", after, before)
	}
	if global["a"]+global["b"] != 3 {
		t.Error("a variable has lost its value")
	}
}

// mapped is how much of files is in this program's memory, in kB.
func mapped(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	var kb int
	for line := range strings.Lines(string(status)) {
		if n, ok := strings.CutPrefix(line, "RssFile:"); ok {
			for _, c := range n {
				if c >= '0' && c <= '9' {
					kb = 10*kb + int(c-'0')
				}
			}
		}
	}
	return kb
}
