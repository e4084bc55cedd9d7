package gateway

import (
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
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

// traceOf takes the trace that a client sent, or begins one.
func traceOf(h http.Header) trace {
	if t, ok := parseCloudTrace(h.Get(headerCloudTrace)); ok {
		return t
	}
	if t, ok := parseTraceparent(h.Get(headerTraceparent)); ok {
		return t
	}
	return trace{id: randomHex(), span: rand.Uint64() | 1}
}

func (t trace) set(h http.Header) {
	flag := "0"
	if t.sampled {
		flag = "1"
	}
	h[headerCloudTrace] = []string{t.id + "/" + strconv.FormatUint(t.span, 10) + ";o=" + flag}
	h[headerTraceparent] = []string{"00-" + t.id + "-" + hexSpan(t.span) + "-0" + flag}
}

func hexSpan(span uint64) string {
	s := strconv.FormatUint(span, 16)
	return strings.Repeat("0", 16-len(s)) + s
}

func parseCloudTrace(s string) (trace, bool) {
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
