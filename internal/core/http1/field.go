package http1

import (
	"iter"
	"strings"
	"unsafe"
)

// Field is one line of a header. Name is in its canonical form, as in
// textproto.CanonicalMIMEHeaderKey.
type Field struct{ Name, Value string }

// Header is the fields of a message in their order.
type Header []Field

// Get returns the first value of a name, which is canonical; empty if there is
// none.
func (h Header) Get(name string) string {
	for i := range h {
		if h[i].Name == name {
			return h[i].Value
		}
	}
	return ""
}

// Has reports whether there is a field of that name.
func (h Header) Has(name string) bool {
	for i := range h {
		if h[i].Name == name {
			return true
		}
	}
	return false
}

// Values are the values of a name, in order.
func (h Header) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range h {
			if h[i].Name == name && !yield(h[i].Value) {
				return
			}
		}
	}
}

// Add appends a field.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// Set replaces all fields of a name by one.
func (h *Header) Set(name, value string) {
	h.Del(name)
	h.Add(name, value)
}

// Del removes all fields of a name.
func (h *Header) Del(name string) {
	if !h.Has(name) {
		return
	}
	kept := (*h)[:0]
	for _, f := range *h {
		if f.Name != name {
			kept = append(kept, f)
		}
	}
	*h = kept
}

// HasToken reports whether a comma-separated list has a token, in any case and
// whatever parameters follow it.
func HasToken(list, token string) bool {
	for part := range strings.SplitSeq(list, ",") {
		part, _, _ = strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(part), token) {
			return true
		}
	}
	return false
}

// Append writes the fields as lines.
func (h Header) Append(b []byte) []byte {
	for i := range h {
		b = h[i].Append(b)
	}
	return b
}

// Append writes the field as a line.
func (f Field) Append(b []byte) []byte {
	b = append(b, f.Name...)
	b = append(b, ": "...)
	b = append(b, f.Value...)
	return append(b, "\r\n"...)
}

// view is the bytes as a string, without copying.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// What a byte may be part of.
const (
	isToken   = 1 << iota // RFC 9110 §5.6.2
	isValue               // of a field: visible, space, tab, obs-text (RFC 9110 §5.5)
	isPath                // may stand in a path as it is; no other spelling is meant
	isVisible             // ASCII without space
)

// classes has the class bits of every byte.
var classes = func() (t [256]uint8) {
	for c := range 256 {
		b := byte(c)
		if isAlphaNum(b) || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0 {
			t[c] |= isToken
		}
		if b >= ' ' && b != 0x7f || b == '\t' {
			t[c] |= isValue
		}
		if b > ' ' && b < 0x7f {
			t[c] |= isVisible
		}
		// RFC 3986 §3.3, without what url.URL writes in another way.
		if isAlphaNum(b) || strings.IndexByte("-._~$&+,/:;=@!'()*", b) >= 0 {
			t[c] |= isPath
		}
	}
	return t
}()

func isAlphaNum(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

// all reports whether every byte is of a class.
func all(p []byte, class uint8) bool {
	for _, b := range p {
		if classes[b]&class == 0 {
			return false
		}
	}
	return true
}

// IsToken reports whether s can be the name of a field (RFC 9110 §5.6.2).
func IsToken(s string) bool {
	for i := range len(s) {
		if classes[s[i]]&isToken == 0 {
			return false
		}
	}
	return s != ""
}

// canonical writes a name in its canonical form, where it stands, and reports
// whether it is one.
func canonical(name []byte) bool {
	upper := true
	for i, b := range name {
		if classes[b]&isToken == 0 {
			return false
		}
		switch {
		case upper && b >= 'a' && b <= 'z':
			name[i] = b - ('a' - 'A')
		case !upper && b >= 'A' && b <= 'Z':
			name[i] = b + ('a' - 'A')
		}
		upper = b == '-'
	}
	return len(name) > 0
}

// trim cuts the white space around a value.
func trim(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t') {
		p = p[1:]
	}
	for len(p) > 0 && (p[len(p)-1] == ' ' || p[len(p)-1] == '\t') {
		p = p[:len(p)-1]
	}
	return p
}
