package media

import (
	"fmt"
	"testing"

	"github.com/sunya-cloud/sunya"
)

// known fails for an error that would be answered as the server's own.
func known(t *testing.T, what string, err error) {
	t.Helper()
	switch sunya.CodeOf(err) {
	case sunya.OK, sunya.InvalidArgument, sunya.OutOfRange, sunya.NotFound, sunya.Unimplemented:
	default:
		t.Errorf("%s: %v", what, err)
	}
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=-5", "bytes=1-2", "bytes=9-1", "bytes=+1-2", "bytes=-", "bytes=1-2,3-4", "bytes=18446744073709551615-"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 || size > maxOffset {
			return
		}
		s, ok, err := ParseRange(header, size)
		known(t, header, err)
		if ok && (err != nil || s.Offset < 0 || s.Length < 1 || s.Offset+s.Length > size) {
			t.Errorf("ParseRange(%q, %d) = %+v, %v", header, size, s, err)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-1/2", "bytes 0-1/*", "bytes */2", "bytes */*", "bytes 0-*/*", "bytes 3-*/9", "bytes 5-1/9", "bytes -1-2/3", "bytes 0-9223372036854775807/*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseContentRange(header)
		known(t, header, err)
		if err != nil {
			return
		}
		if c.size == 0 || c.start < 0 || c.total >= 0 && c.start+c.size > c.total {
			t.Errorf("parseContentRange(%q) = %+v", header, c)
		}
		again, err := parseContentRange(c.format())
		if err != nil || again != c {
			t.Errorf("%q was read as %+v, written as %q", header, c, c.format())
		}
	})
}

// format is the inverse of parseContentRange.
func (c contentRange) format() string {
	part, total := "*", "*"
	switch {
	case c.open:
		part = fmt.Sprintf("%d-*", c.start)
	case c.size > 0:
		part = fmt.Sprintf("%d-%d", c.start, c.start+c.size-1)
	}
	if c.total >= 0 {
		total = fmt.Sprint(c.total)
	}
	return "bytes " + part + "/" + total
}
