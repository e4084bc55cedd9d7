package logs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// node is a part of a filter.
type node interface {
	match(e *Entry) bool
}

type (
	andNode   []node
	orNode    []node
	notNode   struct{ node }
	textNode  string // in any field
	logIDNode string
)

// compareNode is one comparison.
type compareNode struct {
	target
	text   string
	quoted bool
	exists bool // field:*
	re     *regexp.Regexp
	num    float64
	isNum  bool      // kindDynamic: text is a number
	at     time.Time // kindTime
}

// Match says whether an entry passes the filter.
func (f *Filter) Match(e *Entry) bool { return f.root == nil || f.root.match(e) }

func (n andNode) match(e *Entry) bool {
	for _, part := range n {
		if !part.match(e) {
			return false
		}
	}
	return true
}

func (n orNode) match(e *Entry) bool {
	for _, part := range n {
		if part.match(e) {
			return true
		}
	}
	return false
}

func (n notNode) match(e *Entry) bool { return !n.node.match(e) }

func (n logIDNode) match(e *Entry) bool {
	_, id, _ := strings.Cut(e.LogName, "/logs/")
	plain, err := url.PathUnescape(id)
	return err == nil && plain == string(n)
}

// match finds the text in any field, in any case.
func (n textNode) match(e *Entry) bool {
	s := string(n)
	for _, v := range []string{e.Text, e.LogName, e.InsertID, e.Trace, e.SpanID, e.Resource.Type, e.Severity.String()} {
		if contains(v, s) {
			return true
		}
	}
	return mapContains(e.Labels, s) || mapContains(e.Resource.Labels, s) || httpContains(e.HTTP, s) || jsonContains(e.JSON, s)
}

func mapContains(m map[string]string, s string) bool {
	for _, v := range m {
		if contains(v, s) {
			return true
		}
	}
	return false
}

func httpContains(h *HTTPRequest, s string) bool {
	return h != nil && (contains(h.URL, s) || contains(h.Method, s) || contains(h.UserAgent, s) || contains(h.RemoteIP, s) || contains(h.Referer, s))
}

func jsonContains(raw json.RawMessage, s string) bool {
	for _, v := range scalars(raw) {
		if contains(v.text, s) {
			return true
		}
	}
	return false
}

// contains is the query language's "has": a substring in any case.
func contains(s, part string) bool {
	if len(part) > len(s)*3 { // folding changes lengths a little
		return false
	}
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

func (c *compareNode) match(e *Entry) bool {
	for _, v := range c.field.get(e, c.path) {
		if c.matchValue(v) {
			return true
		}
	}
	return false
}

func (c *compareNode) matchValue(v value) bool {
	switch {
	case c.exists:
		return v.set
	case c.op == "=~":
		return c.re.MatchString(v.text)
	case c.op == "!~":
		return !c.re.MatchString(v.text)
	case c.op == ":" && c.field.kind.textual():
		return contains(v.text, c.text)
	}
	order, ok := c.order(v)
	if !ok {
		return c.op == "!="
	}
	return ordered(c.op, order)
}

func ordered(op string, order int) bool {
	switch op {
	case "!=":
		return order != 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	}
	return order == 0 // = and, for what has no parts, :
}

// order compares the entry's value with the filter's; not ok means that the
// two have nothing to compare.
func (c *compareNode) order(v value) (order int, ok bool) {
	switch c.field.kind {
	case kindTime:
		return cmp.Compare(v.exact, c.at.UnixNano()), true
	case kindSeverity, kindNumber, kindDuration:
		return cmp.Compare(v.num, c.num), true
	case kindName:
		return strings.Compare(v.text, c.text), true
	case kindDynamic:
		if v.isNum {
			return cmp.Compare(v.num, c.num), c.isNum
		}
	}
	return strings.Compare(strings.ToLower(v.text), strings.ToLower(c.text)), true
}

// getJSON returns the scalars at and under a path of the payload.
func getJSON(e *Entry, path []string) []value {
	raw := e.JSON
	for _, key := range path[1:] {
		var m map[string]json.RawMessage
		if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &m) != nil {
			return nil
		}
		raw = m[key]
	}
	return scalars(raw)
}

// scalars are all strings, numbers and booleans in a JSON value; an object or
// array without any counts as one empty value, null as none.
func scalars(raw json.RawMessage) []value {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	found := appendScalars(nil, v)
	if len(found) == 0 {
		found = []value{{set: true}}
	}
	return found
}

func appendScalars(to []value, v any) []value {
	switch v := v.(type) {
	case map[string]any:
		for _, part := range v {
			to = appendScalars(to, part)
		}
	case []any:
		for _, part := range v {
			to = appendScalars(to, part)
		}
	case string:
		to = append(to, value{text: v, set: true})
	case json.Number:
		n, err := v.Float64()
		to = append(to, value{text: v.String(), num: n, isNum: err == nil, set: true})
	case bool:
		found := boolean(v)
		found[0].set = true
		to = append(to, found...)
	}
	return to
}
