// Package avro is the Avro language of schemas, with github.com/hamba/avro for
// definitions and what is compatible. Messages are checked by walking over them,
// with bounds on depth and work, and without building what they say: they come
// from strangers.
package avro

import (
	"errors"
	"fmt"

	hamba "github.com/hamba/avro/v2"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/schema"
)

// Language implements schema.Language.
type Language struct{}

var _ schema.Language = Language{}

// form is a parsed definition.
type form struct{ root hamba.Schema }

// Compile implements schema.Language.
func (Language) Compile(definition string) (f schema.Form, err error) {
	root, err := hamba.ParseBytesWithCache([]byte(definition), "", &hamba.SchemaCache{})
	if err != nil {
		return nil, fmt.Errorf("it is not an Avro schema: %w", err)
	}
	return form{root}, nil
}

// Compatible implements schema.Language: each can read what the other has
// written.
func (Language) Compatible(a, b schema.Form) error {
	c := hamba.NewSchemaCompatibility()
	x, y := a.(form).root, b.(form).root
	if err := c.Compatible(x, y); err != nil {
		return fmt.Errorf("it cannot read the messages of that: %w", err)
	}
	if err := c.Compatible(y, x); err != nil {
		return fmt.Errorf("that cannot read its messages: %w", err)
	}
	return nil
}

// Check implements schema.Form.
func (f form) Check(e pubsub.Encoding, data []byte) error {
	if e == pubsub.Binary {
		return checkBinary(f.root, data)
	}
	return checkJSON(f.root, data)
}

// maxDepth bounds how deep values may lie in one another.
const maxDepth = 200

var errDeep = fmt.Errorf("values lie more than %d deep in one another", maxDepth)

// errRest is said of bytes behind the value, in Google's words.
//
//lint:ignore ST1005 Google's words
var errRest = errors.New("Too much data to parse for schema.")

// deref follows the name of a type to the type.
func deref(s hamba.Schema) hamba.Schema {
	if r, ok := s.(*hamba.RefSchema); ok {
		return r.Schema()
	}
	return s
}

// branch is the name of a type within a union, in JSON.
func branch(s hamba.Schema) string {
	if n, ok := deref(s).(hamba.NamedSchema); ok {
		return n.FullName()
	}
	return string(s.Type())
}
