package gateway

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/http1"
)

// The headers that carry a trace.
const (
	headerCloudTrace  = "X-Cloud-Trace-Context" // TRACE/SPAN;o=0|1
	headerTraceparent = "Traceparent"           // W3C Trace Context, version 00
)

// trace is the place of a request in a distributed trace.
type trace struct {
	id      string // 32 lower-case hex digits
	span    uint64
	sampled bool
}

// traceOf takes the trace that a client sent; without an id if there is none.
func traceOf(h http1.Header) trace {
	if t, ok := parseCloudTrace(h.Get(headerCloudTrace)); ok {
		return t
	}
	t, _ := parseTraceparent(h.Get(headerTraceparent))
	return t
}

// flag is how both headers say whether the trace is kept.
func (t trace) flag() byte {
	if t.sampled {
		return '1'
	}
	return '0'
}

// appendCloud appends the value of X-Cloud-Trace-Context.
func (t trace) appendCloud(b []byte) []byte {
	b = append(append(b, t.id...), '/')
	b = strconv.AppendUint(b, t.span, 10)
	return append(append(b, ";o="...), t.flag())
}

// appendParent appends the value of traceparent.
func (t trace) appendParent(b []byte) []byte {
	b = append(append(append(b, "00-"...), t.id...), '-')
	var span [8]byte
	binary.BigEndian.PutUint64(span[:], t.span)
	b = hex.AppendEncode(b, span[:])
	return append(append(b, "-0"...), t.flag())
}

func parseCloudTrace(s string) (trace, bool) {
	if s == "" {
		return trace{}, false // as mostly
	}
	id, rest, _ := strings.Cut(s, "/")
	span, option, _ := strings.Cut(rest, ";")
	id = strings.ToLower(id)
	if !isTraceID(id) {
		return trace{}, false
	}
	n, err := strconv.ParseUint(span, 10, 64)
	if err != nil || n == 0 {
		n = rand.Uint64() | 1
	}
	return trace{id: id, span: n, sampled: option == "o=1"}, true
}

func parseTraceparent(s string) (trace, bool) {
	if s == "" {
		return trace{}, false // as mostly
	}
	parts := strings.Split(s, "-")
	if len(parts) != 4 || parts[0] != "00" || len(parts[2]) != 16 || len(parts[3]) != 2 || !isTraceID(parts[1]) {
		return trace{}, false
	}
	span, err := strconv.ParseUint(parts[2], 16, 64)
	flags, err2 := strconv.ParseUint(parts[3], 16, 8)
	if err != nil || err2 != nil || span == 0 {
		return trace{}, false
	}
	return trace{id: parts[1], span: span, sampled: flags&1 == 1}, true
}

// isTraceID reports whether s is 32 lower-case hex digits, not all zero.
func isTraceID(s string) bool {
	if len(s) != 32 || s != strings.ToLower(s) || strings.Trim(s, "0") == "" {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}
