package storagev1

import (
	"encoding/json"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// mask says which fields of an answer are wanted
// (cloud.google.com/storage/docs/json_api#partial-response): a,b/c,d(e,f), with
// * for every field. A mask without fields wants everything below.
type mask map[string]mask

const (
	maxMask      = 8 << 10
	maxMaskDepth = 20
)

func parseMask(s string) (mask, error) {
	if len(s) > maxMask {
		return nil, sunya.Invalid("fields", "at most %d bytes", maxMask)
	}
	p := maskParser{rest: s}
	m, ok := p.list(0)
	if !ok || p.rest != "" {
		return nil, sunya.Invalid("fields", "%q is not a selection like kind,items(name,size)", s)
	}
	return m, nil
}

// maskParser reads a mask from left to right.
type maskParser struct{ rest string }

func (p *maskParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *maskParser) list(depth int) (mask, bool) {
	m := mask{}
	for {
		if !p.field(m, depth) {
			return nil, false
		}
		if !p.take(',') {
			return m, true
		}
	}
}

// field reads NAME, NAME/FIELD or NAME(LIST) into m.
func (p *maskParser) field(m mask, depth int) bool {
	end := strings.IndexAny(p.rest, ",/()")
	if end < 0 {
		end = len(p.rest)
	}
	name := strings.TrimSpace(p.rest[:end])
	if name == "" || depth > maxMaskDepth {
		return false
	}
	p.rest = p.rest[end:]
	sub, whole := mask{}, true
	switch {
	case p.take('/'):
		whole = false
		if !p.field(sub, depth+1) {
			return false
		}
	case p.take('('):
		whole = false
		var ok bool
		if sub, ok = p.list(depth + 1); !ok || !p.take(')') {
			return false
		}
	}
	have, seen := m[name]
	if seen && (whole || len(have) == 0) {
		m[name] = mask{}
		return true
	}
	if seen {
		have.add(sub)
		return true
	}
	m[name] = sub
	return true
}

// add wants what other wants too.
func (m mask) add(other mask) {
	for name, sub := range other {
		have, seen := m[name]
		if !seen || len(sub) == 0 {
			m[name] = sub
		} else if len(have) > 0 {
			have.add(sub)
		}
	}
}

// applied returns what m wants of a document.
func (m mask) applied(doc any) (any, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, sunya.Errorf(sunya.Internal, "", "encode answer: %v", err)
	}
	out := m.of(raw)
	if out == nil {
		return fields{}, nil
	}
	return out, nil
}

// of returns what m wants of a JSON value; nil: nothing of it.
func (m mask) of(raw json.RawMessage) json.RawMessage {
	if len(m) == 0 {
		return raw
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && list != nil {
		for i := range list {
			if list[i] = m.of(list[i]); list[i] == nil {
				list[i] = json.RawMessage("{}")
			}
		}
		return encoded(list)
	}
	var object fields
	if json.Unmarshal(raw, &object) != nil || object == nil {
		return nil
	}
	out := fields{}
	for name, value := range object {
		sub, wanted := m[name]
		if !wanted {
			sub, wanted = m["*"]
		}
		if wanted {
			if kept := sub.of(value); kept != nil {
				out[name] = kept
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return encoded(out)
}

// encoded is JSON of values that came from JSON.
func encoded(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return raw
}
