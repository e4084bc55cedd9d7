// Package fieldmask checks and applies update masks.
package fieldmask

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
)

// Paths returns the paths of a mask in the order they were sent, in proto
// spelling, without empty entries (gcloud sends "split,") and repetitions. A
// path that m has no field for is InvalidArgument. "*" stands for every field
// that is set in m.
func Paths(mask *fieldmaskpb.FieldMask, m proto.Message) ([]string, error) {
	var out []string
	for _, raw := range mask.GetPaths() {
		if raw = strings.TrimSpace(raw); raw == "" {
			continue
		}
		paths := []string{raw}
		if raw == "*" {
			paths = set(m.ProtoReflect())
		}
		for _, p := range paths {
			known, err := resolve(m.ProtoReflect().Descriptor(), p)
			if err != nil {
				return nil, err
			}
			if name := join(known); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

// Apply copies the fields that paths names from src to dst, which are messages
// of one type; a field that is not set in src is cleared in dst. The paths are
// those that Paths returned.
func Apply(dst, src proto.Message, paths []string) error {
	for _, p := range paths {
		fields, err := resolve(dst.ProtoReflect().Descriptor(), p)
		if err != nil {
			return err
		}
		apply(dst.ProtoReflect(), src.ProtoReflect(), fields)
	}
	return nil
}

func apply(dst, src protoreflect.Message, fields []protoreflect.FieldDescriptor) {
	f := fields[0]
	if len(fields) > 1 {
		if src.Has(f) || dst.Has(f) {
			apply(dst.Mutable(f).Message(), src.Get(f).Message(), fields[1:])
		}
		return
	}
	if !src.Has(f) {
		dst.Clear(f)
		return
	}
	one := src.New()
	one.Set(f, src.Get(f))
	dst.Clear(f) // else Merge would append to lists and join maps
	proto.Merge(dst.Interface(), one.Interface())
}

// set names the top-level fields that are set.
func set(m protoreflect.Message) []string {
	var out []string
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		out = append(out, string(f.Name()))
		return true
	})
	slices.Sort(out)
	return out
}

// resolve finds the fields of a path, in proto or JSON spelling. Only the last
// one may be repeated.
func resolve(d protoreflect.MessageDescriptor, path string) ([]protoreflect.FieldDescriptor, error) {
	var out []protoreflect.FieldDescriptor
	for part := range strings.SplitSeq(path, ".") {
		if d == nil {
			return nil, unknown(path)
		}
		f := d.Fields().ByName(protoreflect.Name(part))
		if f == nil {
			f = d.Fields().ByJSONName(part)
		}
		if f == nil {
			return nil, unknown(path)
		}
		out = append(out, f)
		d = f.Message()
		if f.IsList() || f.IsMap() {
			d = nil
		}
	}
	return out, nil
}

func unknown(path string) error {
	return sunya.Invalid("updateMask", "%q is not a field", path)
}

func join(fields []protoreflect.FieldDescriptor) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(f.Name())
	}
	return strings.Join(names, ".")
}
