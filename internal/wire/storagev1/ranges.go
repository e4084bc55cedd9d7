package storagev1

import (
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// span is a part of an object: length bytes from offset on.
type span struct{ offset, length int64 }

// parseRange reads a Range header for something of this size (RFC 9110 §14.2).
// ok is false when the header asks for all: it is absent, malformed, of another
// unit, or has several ranges, all of which a server may ignore. A range behind
// the end is OutOfRange.
func parseRange(header string, size int64) (s span, ok bool, err error) {
	spec, isBytes := strings.CutPrefix(header, "bytes=")
	from, to, isRange := strings.Cut(strings.TrimSpace(spec), "-")
	if !isBytes || !isRange || strings.Contains(spec, ",") {
		return span{}, false, nil
	}
	if from == "" {
		return suffix(to, size)
	}
	first, good := digits(from)
	if !good {
		return span{}, false, nil
	}
	last := size - 1
	if to != "" {
		asked, good := digits(to)
		if !good || asked < first {
			return span{}, false, nil
		}
		last = min(last, asked)
	}
	if first >= size {
		return span{}, false, outOfRange(header, size)
	}
	return span{first, last - first + 1}, true, nil
}

// suffix reads "-N", the last N bytes.
func suffix(to string, size int64) (span, bool, error) {
	n, good := digits(to)
	if !good {
		return span{}, false, nil
	}
	if n = min(n, size); n == 0 {
		return span{}, false, outOfRange("-"+to, size)
	}
	return span{size - n, n}, true, nil
}

func outOfRange(header string, size int64) error {
	return sunya.Errorf(sunya.OutOfRange, "", "range %q of %d bytes", header, size)
}

// contentRange is what a part of an upload says of itself.
type contentRange struct {
	start, size int64 // size -1: only the total is said
	total       int64 // -1: not known yet
}

// parseContentRange reads "bytes A-B/T", "bytes A-B/*", "bytes */T" and
// "bytes */*".
func parseContentRange(header string) (contentRange, error) {
	c := contentRange{size: -1, total: -1}
	bad := sunya.Invalid("Content-Range", "%q: write bytes FIRST-LAST/TOTAL with * for what is not known", header)
	spec, ok := strings.CutPrefix(header, "bytes ")
	part, total, ok2 := strings.Cut(spec, "/")
	if !ok || !ok2 {
		return c, bad
	}
	if total != "*" {
		if c.total, ok = digits(total); !ok {
			return c, bad
		}
	}
	if part == "*" {
		return c, nil
	}
	from, to, ok := strings.Cut(part, "-")
	first, ok2 := digits(from)
	last, ok3 := digits(to)
	if !ok || !ok2 || !ok3 || last < first || c.total >= 0 && last >= c.total {
		return c, bad
	}
	c.start, c.size = first, last-first+1
	return c, nil
}

// maxOffset keeps sums of offsets inside an int64.
const maxOffset = 1 << 60

// digits reads a number that consists of digits only.
func digits(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n > maxOffset || s[0] == '+' {
		return 0, false
	}
	return int64(n), true
}
