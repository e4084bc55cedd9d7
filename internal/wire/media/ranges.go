package media

import (
	"io"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Span is a part of an object: length bytes from offset on.
type Span struct{ Offset, Length int64 }

// Of returns the bytes of the part, once body is at its beginning.
func (s Span) Of(body io.ReadSeeker) io.Reader {
	if _, err := body.Seek(s.Offset, io.SeekStart); err != nil {
		return failing{err}
	}
	return io.LimitReader(body, s.Length)
}

// failing is a reader that has failed before.
type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// ParseRange reads a Range header for something of this size (RFC 9110 §14.2).
// ok is false when the header asks for all: it is absent, malformed, of another
// unit, or has several ranges, all of which a server may ignore. A range behind
// the end is OutOfRange.
func ParseRange(header string, size int64) (s Span, ok bool, err error) {
	spec, isBytes := strings.CutPrefix(header, "bytes=")
	from, to, isRange := strings.Cut(strings.TrimSpace(spec), "-")
	if !isBytes || !isRange || strings.Contains(spec, ",") {
		return Span{}, false, nil
	}
	if from == "" {
		return suffix(to, size)
	}
	first, good := Digits(from)
	if !good {
		return Span{}, false, nil
	}
	last := size - 1
	if to != "" {
		asked, good := Digits(to)
		if !good || asked < first {
			return Span{}, false, nil
		}
		last = min(last, asked)
	}
	if first >= size {
		return Span{}, false, outOfRange(header, size)
	}
	return Span{first, last - first + 1}, true, nil
}

// suffix reads "-N", the last N bytes.
func suffix(to string, size int64) (Span, bool, error) {
	n, good := Digits(to)
	if !good {
		return Span{}, false, nil
	}
	if n = min(n, size); n == 0 {
		return Span{}, false, outOfRange("-"+to, size)
	}
	return Span{size - n, n}, true, nil
}

func outOfRange(header string, size int64) error {
	return sunya.Errorf(sunya.OutOfRange, "", "range %q of %d bytes", header, size)
}
