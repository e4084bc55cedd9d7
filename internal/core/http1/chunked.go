package http1

import (
	"bytes"
	"errors"
	"strconv"
)

var (
	errChunk   = errors.New("malformed chunk")
	errTrailer = errors.New("malformed or too large trailer")
)

// What the frame of a body may weigh.
const (
	maxChunkLine  = 4 << 10  // a size with its extensions, which nobody looks at
	maxExtensions = 16 << 10 // beyond what the data itself excuses
	maxTrailer    = 64 << 10
)

// Chunked takes a chunked body (RFC 9112 §7.1) apart. The zero value stands
// before the first chunk.
type Chunked struct {
	left    int64 // of the present chunk
	state   chunkState
	excess  int64 // bytes of frames that no data excuses
	trailer []byte
}

type chunkState uint8

const (
	atSize chunkState = iota
	inData
	atDataEnd
	inTrailer
	ended
)

// Next looks at the bytes that come next and returns how many of them it has
// taken and what data is among them: a part of p. Where it takes none it needs
// more than p to go on.
func (c *Chunked) Next(p []byte) (data []byte, n int, err error) {
	switch c.state {
	case inData:
		n = int(min(int64(len(p)), c.left))
		if c.left -= int64(n); c.left == 0 {
			c.state = atDataEnd
		}
		return p[:n], n, nil
	case ended:
		return nil, 0, nil
	}
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		if len(p) > maxChunkLine {
			return nil, 0, errChunk
		}
		return nil, 0, nil
	}
	if i == 0 || p[i-1] != '\r' || i > maxChunkLine {
		return nil, 0, errChunk
	}
	return nil, i + 1, c.line(p[:i-1])
}

// Done reports whether the body is over, trailer included.
func (c *Chunked) Done() bool { return c.state == ended }

// Trailer adds the fields of the trailer to h. They lie in memory of their own.
func (c *Chunked) Trailer(h *Header) {
	for rest := c.trailer; len(rest) > 0; {
		var line []byte
		line, rest, _ = cutLine(rest)
		if f, ok := field(line); ok {
			*h = append(*h, f)
		}
	}
}

// line acts on a line of the frame.
func (c *Chunked) line(line []byte) error {
	switch c.state {
	case atDataEnd:
		c.state = atSize
		if len(line) != 0 {
			return errChunk
		}
		return nil
	case atSize:
		return c.size(line)
	}
	if len(line) == 0 {
		c.state = ended
		return nil
	}
	// A copy is looked at: field writes into its line.
	begin := len(c.trailer)
	c.trailer = append(append(c.trailer, line...), "\r\n"...)
	if len(c.trailer) > maxTrailer {
		return errTrailer
	}
	if _, ok := field(c.trailer[begin : len(c.trailer)-2]); !ok {
		return errTrailer
	}
	return nil
}

// size reads the line before a chunk.
func (c *Chunked) size(line []byte) error {
	digits, _, _ := bytes.Cut(bytes.TrimRight(line, " \t"), []byte(";"))
	if len(digits) == 0 || len(digits) > 15 || digits[0] == '+' || digits[0] == '-' {
		return errChunk
	}
	n, err := strconv.ParseInt(view(digits), 16, 64)
	if err != nil {
		return errChunk
	}
	// As net/http: who sends one byte a chunk with a long extension sends
	// nothing but frames.
	if c.excess = max(c.excess+int64(len(line)+2)-16-2*n, 0); c.excess > maxExtensions {
		return errChunk
	}
	c.left, c.state = n, inData
	if n == 0 {
		c.state = inTrailer
	}
	return nil
}

// AppendChunk writes data as a chunk. Data that is empty would end the body.
func AppendChunk(b, data []byte) []byte {
	b = strconv.AppendInt(b, int64(len(data)), 16)
	b = append(b, "\r\n"...)
	b = append(b, data...)
	return append(b, "\r\n"...)
}

// AppendLastChunk ends a chunked body with a trailer.
func AppendLastChunk(b []byte, trailer Header) []byte {
	b = append(b, "0\r\n"...)
	b = trailer.Append(b)
	return append(b, "\r\n"...)
}
