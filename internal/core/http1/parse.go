package http1

import (
	"bytes"
	"errors"
)

// ErrUncommon is a message of a form that this package leaves to others, or none
// at all.
var ErrUncommon = errors.New("not a common HTTP/1.1 message")

// maxFields is how many fields a common message has at most.
const maxFields = 128

// HeadLen returns the length of the head that p begins with, its empty line
// included; 0: it is not complete. from is how much of p is known to hold no end
// of it: what was looked at before, or 0.
func HeadLen(p []byte, from int) int {
	from = max(from-3, 0)
	if i := bytes.Index(p[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// Request is the head of a request.
type Request struct {
	Method string
	Target string // as sent; path and query
	Path   string // the part of Target before the query, as sent
	Query  string // what follows the question mark
	Host   string
	Header Header // as sent, without Host

	Escaped bool  // Path has percent escapes
	Length  int64 // of the body
	Close   bool  // no other request follows
}

// Parse reads a complete head, in which it writes the names of fields in their
// canonical form. The error is ErrUncommon; a common request is one of HTTP/1.1
// with one Host, a path of plain characters, and a body of known length if any.
func (r *Request) Parse(head []byte) error {
	*r = Request{Header: r.Header[:0]}
	line, rest, ok := cutLine(head)
	if !ok || !r.requestLine(line) {
		return ErrUncommon
	}
	hosts, lengths := 0, 0
	for {
		line, rest, ok = cutLine(rest)
		if !ok {
			return ErrUncommon
		}
		if len(line) == 0 {
			break
		}
		f, ok := field(line)
		if !ok || len(r.Header) == maxFields {
			return ErrUncommon
		}
		switch f.Name {
		case "Host":
			hosts++
			r.Host = f.Value
			continue
		case "Content-Length":
			lengths++
			if r.Length, ok = decimal(f.Value); !ok || lengths > 1 {
				return ErrUncommon
			}
		case "Transfer-Encoding", "Expect", "Trailer":
			return ErrUncommon
		case "Connection":
			r.Close = r.Close || HasToken(f.Value, "close")
		}
		r.Header = append(r.Header, f)
	}
	if hosts != 1 || r.Host == "" || len(rest) != 0 {
		return ErrUncommon
	}
	return nil
}

// requestLine reads METHOD TARGET HTTP/1.1.
func (r *Request) requestLine(line []byte) bool {
	space := bytes.IndexByte(line, ' ')
	if space <= 0 || !all(line[:space], isToken) {
		return false
	}
	target, ok := bytes.CutSuffix(line[space+1:], []byte(" HTTP/1.1"))
	if !ok || len(target) == 0 || target[0] != '/' {
		return false
	}
	path, query := target, []byte(nil)
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		path, query = target[:i], target[i+1:]
	}
	if !r.plainPath(path) || !all(query, isVisible) {
		return false
	}
	r.Method, r.Target, r.Path, r.Query = view(line[:space]), view(target), view(path), view(query)
	return true
}

// plainPath reports whether a path has one spelling for everybody who passes it
// on, and notes whether it has escapes.
func (r *Request) plainPath(path []byte) bool {
	for i := 0; i < len(path); i++ {
		if classes[path[i]]&isPath != 0 {
			continue
		}
		if path[i] != '%' || len(path) < i+3 || !isHex(path[i+1]) || !isHex(path[i+2]) {
			return false
		}
		r.Escaped = true
		i += 2
	}
	return true
}

// Response is the head of a response.
type Response struct {
	Status int
	Reason string
	Header Header // as sent, without what frames the body
	Minor  int    // HTTP/1.Minor

	Length  int64 // of the body as announced; -1: unknown
	Chunked bool
	Close   bool // no other response follows on the connection
}

// Parse reads a complete head, in which it writes the names of fields in their
// canonical form. The error is ErrUncommon.
func (r *Response) Parse(head []byte) error {
	*r = Response{Header: r.Header[:0], Length: -1}
	line, rest, ok := cutLine(head)
	if !ok || !r.statusLine(line) {
		return ErrUncommon
	}
	keep := false
	for {
		line, rest, ok = cutLine(rest)
		if !ok {
			return ErrUncommon
		}
		if len(line) == 0 {
			break
		}
		f, ok := field(line)
		if !ok || len(r.Header) == maxFields {
			return ErrUncommon
		}
		switch f.Name {
		case "Content-Length":
			n, ok := decimal(f.Value)
			if !ok || r.Length >= 0 {
				return ErrUncommon
			}
			r.Length = n
			continue
		case "Transfer-Encoding":
			if r.Chunked || f.Value != "chunked" {
				return ErrUncommon
			}
			r.Chunked = true
			continue
		case "Connection":
			r.Close = r.Close || HasToken(f.Value, "close")
			keep = keep || HasToken(f.Value, "keep-alive")
		}
		r.Header = append(r.Header, f)
	}
	if r.Chunked && (r.Length >= 0 || r.Minor == 0) || len(rest) != 0 {
		return ErrUncommon
	}
	r.Close = r.Close || r.Minor == 0 && !keep
	return nil
}

// statusLine reads HTTP/1.1 200 OK.
func (r *Response) statusLine(line []byte) bool {
	if len(line) < len("HTTP/1.1 200") || string(line[:7]) != "HTTP/1." || line[8] != ' ' {
		return false
	}
	switch line[7] {
	case '1':
		r.Minor = 1
	case '0':
	default:
		return false
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return false
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	reason := line[12:]
	if len(reason) > 0 {
		if reason[0] != ' ' || !all(reason, isValue) {
			return false
		}
		reason = reason[1:]
	}
	r.Reason = view(reason)
	return r.Status >= 100
}

// cutLine returns the line that p begins with, without its end.
func cutLine(p []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(p, '\n')
	if i < 1 || p[i-1] != '\r' {
		return nil, nil, false
	}
	return p[:i-1], p[i+1:], true
}

// field reads a line of a header. Folded ones have no name (RFC 9112 §5.2).
func field(line []byte) (Field, bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !canonical(line[:colon]) {
		return Field{}, false
	}
	value := trim(line[colon+1:])
	return Field{view(line[:colon]), view(value)}, all(value, isValue)
}

// decimal reads digits and nothing else, of a number far from overflow.
func decimal(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 15 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
