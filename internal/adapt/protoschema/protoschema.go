// Package protoschema is the Protocol Buffer language of schemas, with
// github.com/bufbuild/protocompile for definitions and Go's own dynamic messages.
package protoschema

import (
	"context"
	"errors"
	"fmt"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
	"github.com/sunya-cloud/sunya/internal/core/schema"
)

// Language implements schema.Language.
type Language struct{}

var _ schema.Language = Language{}

// form is the one message that a definition describes.
type form struct {
	message protoreflect.MessageDescriptor
}

// file is the name that a definition has in errors of the compiler.
const file = "schema.proto"

var errImport = errors.New("a schema cannot import others: write everything into it")

// Compile implements schema.Language. A schema has one top-level type, and no
// imports (cloud.google.com/pubsub/docs/schemas).
func (Language) Compile(definition string) (schema.Form, error) {
	c := protocompile.Compiler{
		Resolver: protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
			if path != file {
				return protocompile.SearchResult{}, errImport
			}
			return (&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{file: definition})}).FindFileByPath(path)
		}),
		MaxParallelism: 1,
	}
	files, err := c.Compile(context.Background(), file)
	switch {
	case errors.Is(err, errImport):
		return nil, errImport
	case err != nil:
		return nil, fmt.Errorf("it is not a Protocol Buffer definition: %w", err)
	}
	f := files[0]
	if f.Messages().Len() != 1 || f.Enums().Len() > 0 {
		return nil, fmt.Errorf("it has %d messages and %d enums at the top: a schema has one message there, and all else within it", f.Messages().Len(), f.Enums().Len())
	}
	return form{f.Messages().Get(0)}, nil
}

// maxDepth bounds how deep messages may lie in one another.
const maxDepth = 100

// Check implements schema.Form.
func (f form) Check(e pubsub.Encoding, data []byte) error {
	m := dynamicpb.NewMessage(f.message)
	if e == pubsub.Binary {
		return proto.UnmarshalOptions{RecursionLimit: maxDepth}.Unmarshal(data, m)
	}
	return protojson.UnmarshalOptions{RecursionLimit: maxDepth}.Unmarshal(data, m)
}

// Compatible implements schema.Language: only optional fields come and go, and
// those that stay are the same (cloud.google.com/pubsub/docs/commit-schema-revision).
func (Language) Compatible(a, b schema.Form) error {
	c := comparison{seen: map[[2]protoreflect.FullName]bool{}}
	return c.messages(a.(form).message, b.(form).message)
}

// comparison remembers which pairs of messages it has looked at.
type comparison struct {
	seen map[[2]protoreflect.FullName]bool
}

func (c comparison) messages(a, b protoreflect.MessageDescriptor) error {
	pair := [2]protoreflect.FullName{a.FullName(), b.FullName()}
	if c.seen[pair] {
		return nil
	}
	c.seen[pair] = true
	if a.Name() != b.Name() {
		return fmt.Errorf("message %s was %s", a.Name(), b.Name())
	}
	for _, x := range fields(a) {
		y := b.Fields().ByNumber(x.Number())
		if y == nil {
			if err := free(x, "added"); err != nil {
				return err
			}
			continue
		}
		if err := c.fields(x, y); err != nil {
			return err
		}
	}
	for _, y := range fields(b) {
		if a.Fields().ByNumber(y.Number()) == nil {
			if err := free(y, "removed"); err != nil {
				return err
			}
		}
	}
	return nil
}

func fields(m protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	out := make([]protoreflect.FieldDescriptor, m.Fields().Len())
	for i := range out {
		out[i] = m.Fields().Get(i)
	}
	return out
}

// free says no for a field that cannot come or go.
func free(f protoreflect.FieldDescriptor, what string) error {
	if f.Cardinality() != protoreflect.Optional {
		return fmt.Errorf("field %s is %s, and cannot be %s: only optional fields can", f.FullName(), f.Cardinality(), what)
	}
	return nil
}

func (c comparison) fields(x, y protoreflect.FieldDescriptor) error {
	switch {
	case x.Name() != y.Name():
		return fmt.Errorf("field %d is named %s, and was %s", x.Number(), x.Name(), y.Name())
	case x.Kind() != y.Kind():
		return fmt.Errorf("field %s is of type %s, and was of %s", x.Name(), x.Kind(), y.Kind())
	case x.Cardinality() != y.Cardinality():
		return fmt.Errorf("field %s is %s, and was %s", x.Name(), x.Cardinality(), y.Cardinality())
	case x.Message() != nil:
		return c.messages(x.Message(), y.Message())
	}
	return nil
}
