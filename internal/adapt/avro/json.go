package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	hamba "github.com/hamba/avro/v2"
)

// parser walks over Avro's JSON encoding
// (avro.apache.org/docs/1.12.0/specification/#json-encoding).
type parser struct{ d *json.Decoder }

func checkJSON(s hamba.Schema, data []byte) error {
	p := parser{json.NewDecoder(bytes.NewReader(data))}
	p.d.UseNumber()
	first, err := p.next()
	if err != nil {
		return err
	}
	if err := p.value(s, first, 0); err != nil {
		return err
	}
	if _, err := p.d.Token(); err != io.EOF {
		return errRest
	}
	return nil
}

func (p parser) next() (json.Token, error) {
	t, err := p.d.Token()
	switch {
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errShort
	case err != nil:
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	return t, nil
}

// kindOf is what a token begins.
func kindOf(t json.Token) string {
	switch t := t.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case json.Delim:
		if t == '[' {
			return "array"
		}
	}
	return "object"
}

func wrong(t json.Token, want string) error {
	return fmt.Errorf("JSON object with type %s does not match schema which expected %s", kindOf(t), want)
}

// value passes a value of which the first token was read.
func (p parser) value(s hamba.Schema, t json.Token, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	switch s := deref(s).(type) {
	case *hamba.NullSchema:
		if t != nil {
			return wrong(t, "null")
		}
		return nil
	case *hamba.PrimitiveSchema:
		return primitive(s.Type(), t)
	case *hamba.FixedSchema:
		return fixed(s, t)
	case *hamba.EnumSchema:
		return enum(s, t)
	case *hamba.RecordSchema:
		return p.record(s, t, depth)
	case *hamba.UnionSchema:
		return p.union(s, t, depth)
	case *hamba.ArraySchema:
		if t != json.Delim('[') {
			return wrong(t, "array")
		}
		return p.items(s.Items(), depth)
	case *hamba.MapSchema:
		if t != json.Delim('{') {
			return wrong(t, "object")
		}
		return p.members(func(_ string, t json.Token) error { return p.value(s.Values(), t, depth+1) })
	}
	return fmt.Errorf("type %s cannot be checked", s.Type())
}

func primitive(typ hamba.Type, t json.Token) error {
	switch typ {
	case hamba.Boolean:
		if _, ok := t.(bool); !ok {
			return wrong(t, "boolean")
		}
		return nil
	case hamba.Int, hamba.Long:
		n, ok := t.(json.Number)
		bits := 64
		if typ == hamba.Int {
			bits = 32
		}
		if _, err := strconv.ParseInt(n.String(), 10, bits); !ok || err != nil {
			return wrong(t, "number_integer ("+string(typ)+")")
		}
		return nil
	case hamba.Float, hamba.Double:
		return number(t)
	}
	text, ok := t.(string)
	if !ok {
		return wrong(t, "string")
	}
	if typ == hamba.Bytes {
		_, err := octets(text)
		return err
	}
	return nil
}

// number also takes what JSON has no number for.
func number(t json.Token) error {
	switch t {
	case "NaN", "Infinity", "-Infinity":
		return nil
	}
	if _, ok := t.(json.Number); !ok {
		return wrong(t, "number_float")
	}
	return nil
}

// octets counts the bytes of a string in which each character is one.
func octets(text string) (n int, err error) {
	for _, c := range text {
		if c > 0xFF {
			return 0, fmt.Errorf("%q is no byte: in bytes, characters go up to U+00FF", c)
		}
		n++
	}
	return n, nil
}

func fixed(s *hamba.FixedSchema, t json.Token) error {
	text, ok := t.(string)
	if !ok {
		return wrong(t, "string")
	}
	n, err := octets(text)
	if err == nil && n != s.Size() {
		err = fmt.Errorf("%d bytes do not fit %s, which has %d", n, s.FullName(), s.Size())
	}
	return err
}

func enum(s *hamba.EnumSchema, t json.Token) error {
	text, ok := t.(string)
	if !ok {
		return wrong(t, "string")
	}
	for _, symbol := range s.Symbols() {
		if symbol == text {
			return nil
		}
	}
	return fmt.Errorf("%.80q is no symbol of %s", text, s.FullName())
}

// record wants every field; what else there is is passed over, as Google's
// emulator does.
func (p parser) record(s *hamba.RecordSchema, t json.Token, depth int) error {
	if t != json.Delim('{') {
		return wrong(t, "object")
	}
	missing := make(map[string]*hamba.Field, len(s.Fields()))
	for _, f := range s.Fields() {
		missing[f.Name()] = f
	}
	err := p.members(func(key string, t json.Token) error {
		f := missing[key]
		if f == nil {
			return p.pass(t)
		}
		delete(missing, key)
		if err := p.value(f.Type(), t, depth+1); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range s.Fields() {
		if missing[f.Name()] != nil {
			return fmt.Errorf("%s: the field is missing", f.Name())
		}
	}
	return nil
}

// union is null, or an object with one member: {"TYPE": VALUE}.
func (p parser) union(s *hamba.UnionSchema, t json.Token, depth int) error {
	if t == nil {
		if !s.Nullable() && !s.Contains(hamba.Null) {
			return wrong(t, "union")
		}
		return nil
	}
	if t != json.Delim('{') {
		return wrong(t, `union: write {"TYPE": VALUE}`)
	}
	n := 0
	err := p.members(func(key string, t json.Token) error {
		n++
		for _, b := range s.Types() {
			if branch(b) == key && b.Type() != hamba.Null {
				return p.value(b, t, depth+1)
			}
		}
		return fmt.Errorf("%.80q is no branch of the union", key)
	})
	if err == nil && n != 1 {
		err = errors.New("the value of a union has one member, its type")
	}
	return err
}

// items passes an array.
func (p parser) items(s hamba.Schema, depth int) error {
	for {
		t, err := p.next()
		if err != nil || t == json.Delim(']') {
			return err
		}
		if err := p.value(s, t, depth+1); err != nil {
			return err
		}
	}
}

// members passes an object.
func (p parser) members(member func(key string, first json.Token) error) error {
	for {
		key, err := p.next()
		if err != nil || key == json.Delim('}') {
			return err
		}
		first, err := p.next()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return wrong(key, "string")
		}
		if err := member(name, first); err != nil {
			return err
		}
	}
}

// pass passes any value.
func (p parser) pass(t json.Token) error {
	for depth := 0; ; {
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
		var err error
		if t, err = p.next(); err != nil {
			return err
		}
	}
}
