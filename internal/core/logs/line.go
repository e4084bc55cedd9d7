package logs

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// keyPrefix starts the special keys of structured logging
// (cloud.google.com/logging/docs/structured-logging).
const keyPrefix = "logging.googleapis.com/"

// isJSON says whether a line looks like one JSON object.
func isJSON(line []byte) bool {
	t := bytes.TrimSpace(line)
	return len(t) >= 2 && t[0] == '{' && t[len(t)-1] == '}'
}

// parseJSON fills e from a structured log line and reports whether it was one.
// Special keys are lifted out; one whose value cannot be read stays where it
// is. A payload of which only "message" remains becomes text.
func parseJSON(line []byte, e *Entry) bool {
	var m map[string]json.RawMessage
	if !isJSON(line) || json.Unmarshal(line, &m) != nil || m == nil {
		return false
	}
	for key, lift := range lifters {
		if raw, ok := m[key]; ok && lift(raw, e) {
			delete(m, key)
		}
	}
	liftTime(m, e)
	if text, ok := onlyMessage(m); ok {
		e.Text = text
		return true
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return false
	}
	e.JSON = raw
	return true
}

func onlyMessage(m map[string]json.RawMessage) (string, bool) {
	var text string
	raw, ok := m["message"]
	return text, ok && len(m) == 1 && unquote(raw, &text)
}

// unquote reads a JSON string, and nothing else: json.Unmarshal would take
// null for one.
func unquote(raw json.RawMessage, s *string) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, s) == nil
}

// lifters move one special key's value into the entry; false leaves it in the
// payload.
var lifters = map[string]func(json.RawMessage, *Entry) bool{
	"severity":                  liftSeverity,
	"httpRequest":               liftHTTP,
	keyPrefix + "insertId":      func(r json.RawMessage, e *Entry) bool { return unquote(r, &e.InsertID) },
	keyPrefix + "trace":         func(r json.RawMessage, e *Entry) bool { return unquote(r, &e.Trace) },
	keyPrefix + "spanId":        func(r json.RawMessage, e *Entry) bool { return unquote(r, &e.SpanID) },
	keyPrefix + "trace_sampled": func(r json.RawMessage, e *Entry) bool { return json.Unmarshal(r, &e.TraceSampled) == nil },
	keyPrefix + "labels":        liftLabels,
	keyPrefix + "operation": func(r json.RawMessage, e *Entry) bool {
		return liftStruct(r, &e.Operation)
	},
	keyPrefix + "sourceLocation": liftSource,
}

func liftStruct[T any](raw json.RawMessage, to **T) bool {
	v := new(T)
	if raw[0] != '{' || json.Unmarshal(raw, v) != nil {
		return false
	}
	*to = v
	return true
}

func liftSeverity(raw json.RawMessage, e *Entry) bool {
	word := string(raw)
	if raw[0] == '"' && !unquote(raw, &word) {
		return false
	}
	s, err := ParseSeverity(word)
	if err == nil {
		e.Severity = s
	}
	return err == nil
}

func liftLabels(raw json.RawMessage, e *Entry) bool {
	var m map[string]string
	if json.Unmarshal(raw, &m) != nil {
		return false
	}
	labels := make(map[string]string, len(m)+len(e.Labels))
	for k, v := range e.Labels {
		labels[k] = v
	}
	for k, v := range m {
		labels[k] = v
	}
	e.Labels = labels
	return true
}

func liftSource(raw json.RawMessage, e *Entry) bool {
	var v struct {
		File, Function string
		Line           flexInt
	}
	if raw[0] != '{' || json.Unmarshal(raw, &v) != nil {
		return false
	}
	e.Source = &SourceLocation{File: v.File, Line: int64(v.Line), Function: v.Function}
	return true
}

func liftHTTP(raw json.RawMessage, e *Entry) bool {
	var v struct {
		RequestMethod, RequestURL, UserAgent, RemoteIP, ServerIP, Referer, Protocol, Latency string
		CacheLookup, CacheHit, CacheValidatedWithOriginServer                                bool
		RequestSize, Status, ResponseSize, CacheFillBytes                                    flexInt
	}
	if raw[0] != '{' || json.Unmarshal(raw, &v) != nil {
		return false
	}
	latency, err := time.ParseDuration(v.Latency)
	if v.Latency != "" && err != nil {
		return false
	}
	e.HTTP = &HTTPRequest{
		Method: v.RequestMethod, URL: v.RequestURL, UserAgent: v.UserAgent, RemoteIP: v.RemoteIP,
		Referer: v.Referer, Protocol: v.Protocol, Latency: latency, Status: int(v.Status),
		RequestSize: int64(v.RequestSize), ResponseSize: int64(v.ResponseSize), ServerIP: v.ServerIP,
	}
	cache := CacheUse{v.CacheLookup, v.CacheHit, v.CacheValidatedWithOriginServer, int64(v.CacheFillBytes)}
	if cache != (CacheUse{}) {
		e.HTTP.Cache = &cache
	}
	return true
}

// flexInt is a number that protobuf's JSON may also write as a string.
type flexInt int64

// UnmarshalJSON implements json.Unmarshaler.
func (f *flexInt) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	*f = flexInt(n)
	return err
}

// liftTime reads the three forms of a timestamp that Cloud Logging's agents
// read: an RFC 3339 string in "time" or "timestamp", an object of seconds and
// nanos, and the pair timestampSeconds and timestampNanos.
func liftTime(m map[string]json.RawMessage, e *Entry) {
	for _, key := range []string{"timestamp", "time"} {
		if t, ok := readTime(m[key]); ok {
			e.Timestamp = t
			delete(m, key)
			return
		}
	}
	var sec, nanos flexInt
	if s, ok := m["timestampSeconds"]; !ok || json.Unmarshal(s, &sec) != nil {
		return
	}
	if json.Unmarshal(m["timestampNanos"], &nanos) != nil {
		return
	}
	t := time.Unix(int64(sec), int64(nanos)).UTC()
	if !storable(t) {
		return
	}
	e.Timestamp = t
	delete(m, "timestampSeconds")
	delete(m, "timestampNanos")
}

func readTime(raw json.RawMessage) (time.Time, bool) {
	if len(raw) == 0 {
		return time.Time{}, false
	}
	var s string
	if unquote(raw, &s) {
		t, err := time.Parse(time.RFC3339Nano, s)
		return t.UTC(), err == nil && storable(t)
	}
	var v struct{ Seconds, Nanos *flexInt }
	if raw[0] != '{' || json.Unmarshal(raw, &v) != nil || v.Seconds == nil {
		return time.Time{}, false
	}
	var nanos int64
	if v.Nanos != nil {
		nanos = int64(*v.Nanos)
	}
	t := time.Unix(int64(*v.Seconds), nanos).UTC()
	return t, storable(t)
}

// storable says whether a time fits into 64 bits of nanoseconds and into the
// years of google.protobuf.Timestamp.
func storable(t time.Time) bool {
	return t.Year() >= 1678 && t.Year() < 2262
}
