package storagev1

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/sunya-cloud/sunya"
)

// fields is a JSON object by its keys. Resources are kept in this form, so that
// what this server does not understand is returned as it was sent.
type fields map[string]json.RawMessage

// take removes a string field and returns it.
func (f fields) take(key string) (string, error) {
	raw, ok := f[key]
	delete(f, key)
	if !ok || string(raw) == "null" {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", sunya.Invalid(key, "%s is not a string", raw)
	}
	return s, nil
}

// takeMap removes a field of strings by key. A null value is a key to delete.
func (f fields) takeMap(key string) (map[string]*string, error) {
	raw, ok := f[key]
	delete(f, key)
	if !ok {
		return nil, nil
	}
	var m map[string]*string
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, sunya.Invalid(key, "not an object of strings")
	}
	return m, nil
}

// without removes keys: what only the server sets.
func (f fields) without(keys []string) {
	for _, k := range keys {
		delete(f, k)
	}
}

// unsupported is Unimplemented for the first field that is set to anything but
// a zero value and would have to change what this server does.
func (f fields) unsupported(keys ...string) error {
	for _, k := range keys {
		if raw, ok := f[k]; ok && !zero(raw) {
			return &sunya.Error{Code: sunya.Unimplemented, Field: k, Message: "not implemented: leave it out"}
		}
	}
	return nil
}

// zero reports whether a JSON value asks for nothing: null, false, empty, or
// an object of such values.
func zero(raw json.RawMessage) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) == nil {
		for v := range maps.Values(m) {
			if !zero(v) {
				return false
			}
		}
		return true
	}
	return slices.Contains([]string{"false", `""`, "0", "[]", `"0"`}, string(raw))
}

// encode returns f as it is stored; nothing for an empty object.
func (f fields) encode() ([]byte, error) {
	if len(f) == 0 {
		return nil, nil
	}
	out, err := json.Marshal(f)
	if err != nil {
		return nil, sunya.Errorf(sunya.Internal, "", "encode document: %v", err)
	}
	return out, nil
}

// decodeFields is the inverse of encode.
func decodeFields(doc []byte) (fields, error) {
	f := fields{}
	if len(doc) == 0 {
		return f, nil
	}
	if err := json.Unmarshal(doc, &f); err != nil {
		return nil, sunya.Errorf(sunya.DataLoss, "", "a stored document is damaged: %v", err)
	}
	return f, nil
}

// resource lays what the server knows over what was stored.
func resource(doc []byte, known any) (fields, error) {
	out, err := decodeFields(doc)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(known)
	if err != nil {
		return nil, sunya.Errorf(sunya.Internal, "", "encode resource: %v", err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, sunya.Errorf(sunya.Internal, "", "encode resource: %v", err)
	}
	return out, nil
}

// maxDepth is how deep a patch is merged; below, values replace.
const maxDepth = 20

// merge applies a patch to f (RFC 7396): null deletes, objects merge.
func (f fields) merge(patch fields) error { return f.mergeAt(patch, 0) }

func (f fields) mergeAt(patch fields, depth int) error {
	for k, v := range patch {
		var sub, old fields
		switch {
		case string(v) == "null":
			delete(f, k)
			continue
		case depth == maxDepth || json.Unmarshal(v, &sub) != nil:
			f[k] = v
			continue
		}
		if json.Unmarshal(f[k], &old) != nil || old == nil {
			old = fields{}
		}
		if err := old.mergeAt(sub, depth+1); err != nil {
			return err
		}
		merged, err := json.Marshal(old)
		if err != nil {
			return sunya.Errorf(sunya.Internal, "", "merge %s: %v", k, err)
		}
		f[k] = merged
	}
	return nil
}
