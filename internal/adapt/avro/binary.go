package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	hamba "github.com/hamba/avro/v2"
)

// spareItems is how many values a message may hold beyond its bytes: some, such
// as null, take none.
const spareItems = 1 << 20

// reader walks over Avro's binary encoding
// (avro.apache.org/docs/1.12.0/specification/#binary-encoding).
type reader struct {
	data []byte
	left int // values that may come yet
}

var errShort = errors.New("the message ends too early")

func checkBinary(s hamba.Schema, data []byte) error {
	r := reader{data: data, left: len(data) + spareItems}
	if err := r.value(s, 0); err != nil {
		return err
	}
	if len(r.data) > 0 {
		return errRest
	}
	return nil
}

// skip passes n bytes.
func (r *reader) skip(n int64) error {
	if n < 0 || n > int64(len(r.data)) {
		return errShort
	}
	r.data = r.data[n:]
	return nil
}

// long reads a number.
func (r *reader) long() (int64, error) {
	n, used := binary.Varint(r.data)
	switch {
	case used == 0:
		return 0, errShort
	case used < 0:
		return 0, errors.New("a number has more than 64 bits")
	}
	r.data = r.data[used:]
	return n, nil
}

func (r *reader) value(s hamba.Schema, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	if r.left--; r.left < 0 {
		return errors.New("the message has more values than bytes")
	}
	switch s := deref(s).(type) {
	case *hamba.NullSchema:
		return nil
	case *hamba.PrimitiveSchema:
		return r.primitive(s.Type())
	case *hamba.FixedSchema:
		return r.skip(int64(s.Size()))
	case *hamba.EnumSchema:
		return r.enum(s)
	case *hamba.RecordSchema:
		for _, f := range s.Fields() {
			if err := r.value(f.Type(), depth+1); err != nil {
				return fmt.Errorf("%s: %w", f.Name(), err)
			}
		}
		return nil
	case *hamba.UnionSchema:
		return r.union(s, depth)
	case *hamba.ArraySchema:
		return r.blocks(func() error { return r.value(s.Items(), depth+1) })
	case *hamba.MapSchema:
		return r.blocks(func() error {
			if err := r.text(true); err != nil {
				return err
			}
			return r.value(s.Values(), depth+1)
		})
	}
	return fmt.Errorf("type %s cannot be checked", s.Type())
}

func (r *reader) primitive(t hamba.Type) error {
	switch t {
	case hamba.Boolean:
		if len(r.data) > 0 && r.data[0] > 1 {
			return fmt.Errorf("%d is no boolean", r.data[0])
		}
		return r.skip(1)
	case hamba.Int:
		n, err := r.long()
		if err == nil && (n < math.MinInt32 || n > math.MaxInt32) {
			return fmt.Errorf("%d is no int", n)
		}
		return err
	case hamba.Long:
		_, err := r.long()
		return err
	case hamba.Float:
		return r.skip(4)
	case hamba.Double:
		return r.skip(8)
	}
	return r.text(t == hamba.String)
}

// text passes bytes with their length before them.
func (r *reader) text(utf bool) error {
	n, err := r.long()
	if err != nil {
		return err
	}
	text := r.data
	if err := r.skip(n); err != nil {
		return err
	}
	if utf && !utf8.Valid(text[:n]) {
		return errors.New("a string is not UTF-8")
	}
	return nil
}

func (r *reader) enum(s *hamba.EnumSchema) error {
	n, err := r.long()
	if err == nil && (n < 0 || n >= int64(len(s.Symbols()))) {
		return fmt.Errorf("%d is no symbol of %s", n, s.FullName())
	}
	return err
}

func (r *reader) union(s *hamba.UnionSchema, depth int) error {
	n, err := r.long()
	if err != nil {
		return err
	}
	if n < 0 || n >= int64(len(s.Types())) {
		return fmt.Errorf("%d is no branch of a union of %d", n, len(s.Types()))
	}
	return r.value(s.Types()[n], depth+1)
}

// blocks passes the items of an array or a map.
func (r *reader) blocks(item func() error) error {
	for {
		n, err := r.long()
		if err != nil || n == 0 {
			return err
		}
		if n < 0 { // with its size in bytes
			if n = -n; n < 0 {
				return errors.New("a block has too many items")
			}
			if _, err := r.long(); err != nil {
				return err
			}
		}
		for ; n > 0; n-- {
			if err := item(); err != nil {
				return err
			}
		}
	}
}
