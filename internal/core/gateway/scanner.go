package gateway

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// scanner follows the framing of HTTP/1 requests on a connection. It is strict
// where servers differ and leaves everything else to net/http.
type scanner struct {
	state state
	line  []byte // of the present line, without its end; at most maxLine
	cr    bool   // the byte before was a carriage return
	left  int64  // bytes of the body or chunk still to come

	old     bool  // HTTP/1.0
	chunked bool  // the head has Transfer-Encoding
	length  int64 // the head's Content-Length; -1: none
}

type state int

const (
	atStart state = iota // of a request
	inHeader
	inBody
	atChunk // its size
	inChunk
	atChunkEnd
	inTrailer
	passing // no longer followed
)

// maxLine is how much of a line is looked at. A line that frames a message is
// far shorter.
const maxLine = 4 << 10

// within reports whether a request has begun and not ended.
func (s *scanner) within() bool {
	return s.state != passing && (s.state != atStart || len(s.line) > 0)
}

// scan follows p. When ok is false, p[:good] is what stands before the line
// that breaks a rule.
func (s *scanner) scan(p []byte) (good int, ok bool) {
	n := 0
	for n < len(p) {
		switch s.state {
		case passing:
			return len(p), true
		case inBody, inChunk:
			n += s.skip(len(p) - n)
			continue
		}
		if s.state == atStart && len(s.line) == 0 && !s.cr && (p[n] == '\r' || p[n] == '\n') {
			n++ // net/http tolerates an empty line after a POST, or refuses it
			continue
		}
		end := bytes.IndexByte(p[n:], '\n')
		if end < 0 {
			return s.stop(p, n, s.collect(p[n:]))
		}
		if !s.collect(p[n:n+end]) || !s.cr || !s.endLine() {
			return n, false
		}
		s.line, s.cr = s.line[:0], false
		n += end + 1
	}
	return n, true
}

func (s *scanner) stop(p []byte, n int, ok bool) (int, bool) {
	if ok {
		return len(p), true
	}
	return n, false
}

// skip passes over the body or chunk.
func (s *scanner) skip(available int) int {
	n := min(s.left, int64(available))
	s.left -= n
	if s.left > 0 {
		return int(n)
	}
	if s.state == inChunk {
		s.state = atChunkEnd
	} else {
		s.state = atStart
	}
	return int(n)
}

// collect adds to the present line. A carriage return may stand only before
// the line feed.
func (s *scanner) collect(part []byte) bool {
	if len(part) == 0 {
		return true
	}
	if s.cr {
		return false
	}
	if i := bytes.IndexByte(part, '\r'); i >= 0 {
		if i != len(part)-1 {
			return false
		}
		s.cr, part = true, part[:i]
	}
	if room := maxLine - len(s.line); len(part) > room {
		part = part[:room]
	}
	s.line = append(s.line, part...)
	return true
}

// endLine acts on a complete line.
func (s *scanner) endLine() bool {
	switch s.state {
	case atStart:
		return s.requestLine(string(s.line))
	case inHeader:
		if len(s.line) == 0 {
			s.endHead()
			return true
		}
		return s.header(s.line)
	case atChunk:
		return s.chunkSize(string(s.line))
	case atChunkEnd:
		s.state = atChunk
		return len(s.line) == 0
	case inTrailer:
		if len(s.line) == 0 {
			s.state = atStart
			return true
		}
		return s.line[0] != ' ' && s.line[0] != '\t'
	}
	return true
}

func (s *scanner) requestLine(line string) bool {
	if line == "PRI * HTTP/2.0" { // RFC 9113 §3.4
		s.state = passing
		return true
	}
	s.state, s.old, s.chunked, s.length = inHeader, strings.HasSuffix(line, "HTTP/1.0"), false, -1
	return true
}

// header notes the headers that say where the body ends.
func (s *scanner) header(line []byte) bool {
	if line[0] == ' ' || line[0] == '\t' {
		return false // folded (RFC 9112 §5.2)
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case len(name) == len("Content-Length") && strings.EqualFold(string(name), "Content-Length"):
		n, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 63)
		if err != nil || s.length >= 0 && s.length != int64(n) {
			return false
		}
		s.length = int64(n)
	case len(name) == len("Transfer-Encoding") && strings.EqualFold(string(name), "Transfer-Encoding"):
		if s.old || s.chunked || !strings.EqualFold(string(bytes.Trim(value, " \t")), "chunked") {
			return false
		}
		s.chunked = true
	}
	return !s.chunked || s.length < 0 // RFC 9112 §6.1: not both
}

func (s *scanner) endHead() {
	switch {
	case s.chunked:
		s.state = atChunk
	case s.length > 0:
		s.state, s.left = inBody, s.length
	default:
		s.state = atStart
	}
}

func (s *scanner) chunkSize(line string) bool {
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimRight(size, " \t"), 16, 64)
	if err != nil || n > math.MaxInt64 {
		return false
	}
	s.state, s.left = inChunk, int64(n)
	if n == 0 {
		s.state = inTrailer
	}
	return true
}
