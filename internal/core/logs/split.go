package logs

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

const (
	// maxLine is the longest line kept in one piece. Cloud Logging's limit on
	// an entry is 256 KiB; a quarter of it keeps a chatty program's memory low.
	maxLine = 64 << 10
	minRead = 4 << 10

	// splitMarker ends every piece of a longer line but the last.
	splitMarker = " [split: this line is longer than 64 KiB]"
)

// splitter cuts a stream into lines. Its buffer starts small and grows only as
// far as the longest line, so that thousands of quiet programs cost little.
type splitter struct {
	buf []byte // the line so far
}

// feed adds data and calls line for every line that is complete, without its
// line end. The slice is only valid during the call.
func (s *splitter) feed(data []byte, line func(text []byte)) {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end >= 0 && len(s.buf) == 0 && end <= maxLine {
			line(trimCR(data[:end]))
			data = data[end+1:]
			continue
		}
		piece := data
		if end >= 0 {
			piece = data[:end]
		}
		room := maxLine - len(s.buf)
		if len(piece) > room {
			s.buf = append(s.buf, piece[:room]...)
			data = data[room:]
			s.cut(line)
			continue
		}
		s.buf = append(s.buf, piece...)
		data = data[len(piece):]
		if end >= 0 {
			data = data[1:]
			s.flush(line)
		}
	}
}

// cut emits a full buffer as one piece, keeping a character's bytes together.
func (s *splitter) cut(line func([]byte)) {
	n := len(s.buf)
	for back := 1; back < utf8.UTFMax; back++ {
		if utf8.RuneStart(s.buf[n-back]) {
			if !utf8.FullRune(s.buf[n-back:]) {
				n -= back
			}
			break
		}
	}
	rest := append([]byte(nil), s.buf[n:]...)
	line(append(s.buf[:n:n], splitMarker...))
	s.buf = append(s.buf[:0], rest...)
}

// flush emits what there is as a line.
func (s *splitter) flush(line func([]byte)) {
	if len(s.buf) > 0 {
		line(trimCR(s.buf))
	} else {
		line(nil)
	}
	s.buf = s.buf[:0]
	if cap(s.buf) > minRead {
		s.buf = nil
	}
}

func trimCR(b []byte) []byte { return bytes.TrimSuffix(b, []byte{'\r'}) }

// readLines feeds everything r has to each, until r ends.
func readLines(r io.Reader, each func([]byte)) error {
	buf := make([]byte, minRead)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			each(buf[:n])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == len(buf) && len(buf) < maxLine {
			buf = make([]byte, 2*len(buf))
		}
	}
}
