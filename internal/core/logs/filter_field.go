package logs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind is how a field's values are compared.
type kind int

const (
	kindText kind = iota
	kindName      // exact: log names and resource labels
	kindSeverity
	kindTime
	kindNumber
	kindDuration
	kindBool
	kindDynamic // whatever JSON holds
)

func (k kind) textual() bool { return k == kindText || k == kindName || k == kindDynamic }

// field is what a comparison's left side stands for.
type field struct {
	name string
	kind kind
	// get returns the field's values. A field of LogEntry itself that is not
	// set has its default value; a payload field or label is missing instead:
	// no value, and every comparison is false.
	get func(e *Entry, path []string) []value
}

// value is one value of a field.
type value struct {
	text  string
	num   float64
	exact int64 // num of a fixed field, with all its digits
	isNum bool
	set   bool // not the default: what :* asks
}

func text(s string) []value { return []value{{text: s, set: s != ""}} }

func number(n int64) []value {
	return []value{{text: strconv.FormatInt(n, 10), num: float64(n), exact: n, isNum: true, set: n != 0}}
}

func boolean(b bool) []value { return []value{{text: strconv.FormatBool(b), set: b}} }

// fields are the fixed fields by their lower-case path without underscores;
// the API's JSON and proto spellings meet there.
var fields = map[string]field{
	"logname":          {"logName", kindName, func(e *Entry, _ []string) []value { return text(e.LogName) }},
	"insertid":         {"insertId", kindText, func(e *Entry, _ []string) []value { return text(e.InsertID) }},
	"severity":         {"severity", kindSeverity, func(e *Entry, _ []string) []value { return number(int64(e.Severity)) }},
	"timestamp":        {"timestamp", kindTime, func(e *Entry, _ []string) []value { return number(e.Timestamp.UnixNano()) }},
	"receivetimestamp": {"receiveTimestamp", kindTime, func(e *Entry, _ []string) []value { return number(e.ReceiveTime.UnixNano()) }},
	"trace":            {"trace", kindText, func(e *Entry, _ []string) []value { return text(e.Trace) }},
	"spanid":           {"spanId", kindText, func(e *Entry, _ []string) []value { return text(e.SpanID) }},
	"tracesampled":     {"traceSampled", kindBool, func(e *Entry, _ []string) []value { return boolean(e.TraceSampled) }},
	"textpayload":      {"textPayload", kindText, getText},
	"resource.type":    {"resource.type", kindName, func(e *Entry, _ []string) []value { return text(e.Resource.Type) }},

	"httprequest.requestmethod": httpText("requestMethod", func(h *HTTPRequest) string { return h.Method }),
	"httprequest.requesturl":    httpText("requestUrl", func(h *HTTPRequest) string { return h.URL }),
	"httprequest.useragent":     httpText("userAgent", func(h *HTTPRequest) string { return h.UserAgent }),
	"httprequest.remoteip":      httpText("remoteIp", func(h *HTTPRequest) string { return h.RemoteIP }),
	"httprequest.referer":       httpText("referer", func(h *HTTPRequest) string { return h.Referer }),
	"httprequest.protocol":      httpText("protocol", func(h *HTTPRequest) string { return h.Protocol }),
	"httprequest.status":        httpNumber("status", kindNumber, func(h *HTTPRequest) int64 { return int64(h.Status) }),
	"httprequest.requestsize":   httpNumber("requestSize", kindNumber, func(h *HTTPRequest) int64 { return h.RequestSize }),
	"httprequest.responsesize":  httpNumber("responseSize", kindNumber, func(h *HTTPRequest) int64 { return h.ResponseSize }),
	"httprequest.latency":       httpNumber("latency", kindDuration, func(h *HTTPRequest) int64 { return int64(h.Latency) }),

	"operation.id":       operationField("id", kindText, func(o *Operation) []value { return text(o.ID) }),
	"operation.producer": operationField("producer", kindText, func(o *Operation) []value { return text(o.Producer) }),
	"operation.first":    operationField("first", kindBool, func(o *Operation) []value { return boolean(o.First) }),
	"operation.last":     operationField("last", kindBool, func(o *Operation) []value { return boolean(o.Last) }),

	"sourcelocation.file":     sourceField("file", kindText, func(s *SourceLocation) []value { return text(s.File) }),
	"sourcelocation.line":     sourceField("line", kindNumber, func(s *SourceLocation) []value { return number(s.Line) }),
	"sourcelocation.function": sourceField("function", kindText, func(s *SourceLocation) []value { return text(s.Function) }),
}

func httpText(name string, get func(*HTTPRequest) string) field {
	return httpField(name, kindText, func(h *HTTPRequest) []value { return text(get(h)) })
}

func httpNumber(name string, k kind, get func(*HTTPRequest) int64) field {
	return httpField(name, k, func(h *HTTPRequest) []value { return number(get(h)) })
}

func httpField(name string, k kind, get func(*HTTPRequest) []value) field {
	return field{"httpRequest." + name, k, func(e *Entry, _ []string) []value { return get(orNew(e.HTTP)) }}
}

func operationField(name string, k kind, get func(*Operation) []value) field {
	return field{"operation." + name, k, func(e *Entry, _ []string) []value { return get(orNew(e.Operation)) }}
}

func sourceField(name string, k kind, get func(*SourceLocation) []value) field {
	return field{"sourceLocation." + name, k, func(e *Entry, _ []string) []value { return get(orNew(e.Source)) }}
}

func orNew[T any](p *T) *T {
	if p == nil {
		p = new(T)
	}
	return p
}

func getText(e *Entry, _ []string) []value {
	if e.JSON != nil {
		return nil
	}
	return text(e.Text)
}

func getLabel(e *Entry, path []string) []value { return mapValue(e.Labels, path[1:]) }

func getResourceLabel(e *Entry, path []string) []value {
	return mapValue(e.Resource.Labels, path[2:])
}

func mapValue(m map[string]string, path []string) []value {
	v, ok := m[strings.Join(path, ".")]
	if !ok {
		return nil
	}
	return []value{{text: v, set: true}}
}

// findField resolves a path; an unknown one is an error, as Cloud Logging's.
func findField(col int, path []string) (field, error) {
	key := fieldKey(path)
	if f, ok := fields[key]; ok {
		return f, nil
	}
	head := fieldKey(path[:1])
	switch {
	case head == "jsonpayload":
		return field{strings.Join(path, "."), kindDynamic, getJSON}, nil
	case head == "labels" && len(path) > 1:
		return field{strings.Join(path, "."), kindText, getLabel}, nil
	case head == "resource" && len(path) > 2 && fieldKey(path[1:2]) == "labels":
		return field{strings.Join(path, "."), kindName, getResourceLabel}, nil
	case head == "httprequest" && len(path) == 1:
		return field{"httpRequest", kindDynamic, existsWhen(func(e *Entry) bool { return e.HTTP != nil })}, nil
	}
	return field{}, filterError(col, "there is no field %q: fields are severity, timestamp, logName, insertId, trace, textPayload, jsonPayload.X, labels.X, resource.type, resource.labels.X, httpRequest.X; put text to search for in quotes", strings.Join(path, "."))
}

func existsWhen(is func(*Entry) bool) func(*Entry, []string) []value {
	return func(e *Entry, _ []string) []value {
		if !is(e) {
			return nil
		}
		return []value{{set: true}}
	}
}

func fieldKey(path []string) string {
	return strings.ReplaceAll(strings.ToLower(strings.Join(path, ".")), "_", "")
}

// kindChecks read a comparison's value for each kind.
var kindChecks = map[kind]func(*compareNode) error{
	kindText:     func(*compareNode) error { return nil },
	kindName:     func(*compareNode) error { return nil },
	kindSeverity: checkSeverity,
	kindTime:     checkTime,
	kindNumber:   checkNumber,
	kindDuration: checkDuration,
	kindBool:     checkBool,
	kindDynamic:  checkDynamic,
}

func checkSeverity(c *compareNode) error {
	s, err := ParseSeverity(c.text)
	c.num = float64(s)
	return err
}

func checkTime(c *compareNode) error {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, c.text); err == nil && storable(t) {
			c.at = t.UTC()
			c.num = float64(t.UnixNano())
			return c.noHas("timestamp")
		}
	}
	return fmt.Errorf("%q is not a time: write it as \"2026-01-31T12:00:00Z\" or \"2026-01-31\"", c.text)
}

func (c *compareNode) noHas(what string) error {
	if c.op == ":" {
		return fmt.Errorf("a %s has no parts for the operator \":\" to find: use =, > or <", what)
	}
	return nil
}

func checkNumber(c *compareNode) error {
	n, err := strconv.ParseFloat(c.text, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number, and %s is one", c.text, c.field.name)
	}
	c.num = n
	return nil
}

func checkDuration(c *compareNode) error {
	d, err := time.ParseDuration(c.text)
	if err != nil {
		return fmt.Errorf("%q is not a duration: write it as \"1.5s\" or \"250ms\"", c.text)
	}
	c.num = float64(d)
	return c.noHas("duration")
}

func checkBool(c *compareNode) error {
	c.text = strings.ToLower(c.text)
	if c.text != "true" && c.text != "false" {
		return fmt.Errorf("%q is neither true nor false", c.text)
	}
	if c.op != "=" && c.op != "!=" && c.op != ":" {
		return errors.New("true and false are compared with = and !=")
	}
	return nil
}

func checkDynamic(c *compareNode) error {
	n, err := strconv.ParseFloat(c.text, 64)
	c.num, c.isNum = n, err == nil
	if c.field.name == "httpRequest" {
		return errors.New("compare one of its fields (httpRequest.status) or ask whether there is one (httpRequest:*)")
	}
	return nil
}
