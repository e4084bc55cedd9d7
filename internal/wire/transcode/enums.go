package transcode

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sunya-cloud/sunya"
)

// spellEnums returns a JSON document in which the values of enums are spelt as
// the API spells them: Google's servers take them in any case, and gcloud sends
// "shardBy": "ip". A value that the enum does not have is sunya.InvalidArgument.
// A document without anything to change is returned as nil.
func spellEnums(d protoreflect.MessageDescriptor, data []byte) ([]byte, error) {
	in := json.NewDecoder(bytes.NewReader(data))
	in.UseNumber() // numbers stay as they were written
	var doc any
	if in.Decode(&doc) != nil {
		return nil, nil // whoever parses it says what is wrong
	}
	s := speller{}
	s.message(d, doc, "")
	if s.err != nil || !s.changed {
		return nil, s.err
	}
	return json.Marshal(doc)
}

// speller goes through one document and changes it in place.
type speller struct {
	changed bool
	err     error // the first
}

func (s *speller) message(d protoreflect.MessageDescriptor, doc any, at string) {
	members, ok := doc.(map[string]any)
	if !ok || strings.HasPrefix(string(d.FullName()), "google.protobuf.") {
		return // well-known types have JSON forms of their own
	}
	for name, value := range members {
		f := d.Fields().ByJSONName(name)
		if f == nil {
			f = d.Fields().ByTextName(name)
		}
		if f != nil {
			members[name] = s.field(f, value, at+name)
		}
	}
}

// field returns the value that belongs in the place of the one given.
func (s *speller) field(f protoreflect.FieldDescriptor, value any, at string) any {
	switch v := value.(type) {
	case map[string]any:
		if !f.IsMap() {
			break
		}
		for key, one := range v {
			v[key] = s.single(f.MapValue(), one, at+"["+clip(key)+"]")
		}
		return v
	case []any:
		if !f.IsList() {
			break
		}
		for i, one := range v {
			v[i] = s.single(f, one, at+"["+strconv.Itoa(i)+"]")
		}
		return v
	}
	return s.single(f, value, at)
}

func (s *speller) single(f protoreflect.FieldDescriptor, value any, at string) any {
	if f.Message() != nil {
		s.message(f.Message(), value, at+".")
		return value
	}
	text, ok := value.(string)
	if f.Enum() == nil || !ok || f.Enum().Values().ByName(protoreflect.Name(text)) != nil {
		return value
	}
	upper := strings.ToUpper(text)
	if f.Enum().Values().ByName(protoreflect.Name(upper)) != nil {
		s.changed = true
		return upper
	}
	if s.err == nil {
		s.err = sunya.Invalid(at, "%q is not allowed: use %s", clip(text), strings.Join(enumNames(f.Enum()), ", "))
	}
	return value
}

func enumNames(d protoreflect.EnumDescriptor) []string {
	out := make([]string, d.Values().Len())
	for i := range out {
		out[i] = string(d.Values().Get(i).Name())
	}
	return out
}
