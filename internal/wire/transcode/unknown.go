package transcode

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bounds on what is said about unknown fields.
const (
	maxUnknown = 20
	maxName    = 100 // bytes
)

// unknownFields names the members of a JSON document that a message has no
// fields for, at most 20, in alphabetical order: handlers[0].foo.
func unknownFields(d protoreflect.MessageDescriptor, data []byte) []string {
	var doc any
	if json.Unmarshal(data, &doc) != nil {
		return nil
	}
	var names []string
	walk(d, doc, "", &names)
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxUnknown)]
}

func walk(d protoreflect.MessageDescriptor, doc any, at string, names *[]string) {
	members, ok := doc.(map[string]any)
	if !ok || strings.HasPrefix(string(d.FullName()), "google.protobuf.") {
		return // well-known types have JSON forms of their own
	}
	for name, value := range members {
		f := d.Fields().ByJSONName(name)
		if f == nil {
			f = d.Fields().ByTextName(name)
		}
		if f == nil {
			*names = append(*names, clip(at+name))
			continue
		}
		walkField(f, value, at+name, names)
	}
}

func walkField(f protoreflect.FieldDescriptor, value any, at string, names *[]string) {
	switch {
	case f.IsMap():
		members, _ := value.(map[string]any)
		if f.MapValue().Message() == nil {
			return
		}
		for key, v := range members {
			walk(f.MapValue().Message(), v, at+"["+key+"].", names)
		}
	case f.Message() == nil:
	case f.IsList():
		list, _ := value.([]any)
		for i, v := range list {
			walk(f.Message(), v, at+"["+strconv.Itoa(i)+"].", names)
		}
	default:
		walk(f.Message(), value, at+".", names)
	}
}

// clip keeps a name that a client made up short and printable.
func clip(name string) string {
	name = strings.ToValidUTF8(name, "�")
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	return name
}
