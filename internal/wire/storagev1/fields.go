package storagev1

import (
	"encoding/json"

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

// saidFalse are those of the fields that f says are false. Said once, that is kept
// and shown from then on, as Google does.
func saidFalse(f fields, names ...string) fields {
	out := fields{}
	for _, name := range names {
		if string(f[name]) == "false" {
			out[name] = f[name]
		}
	}
	return out
}

// set puts a value under a key.
func (f fields) set(key string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return sunya.Errorf(sunya.Internal, "", "encode %s: %v", key, err)
	}
	f[key] = raw
	return nil
}

// into reads f as a document of a known shape.
func (f fields) into(to any) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return sunya.Errorf(sunya.Internal, "", "encode document: %v", err)
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return sunya.Invalid("", "the document does not fit: %v", err)
	}
	return nil
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

// asFields is a document by its keys.
func asFields(doc any) (fields, error) {
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, sunya.Errorf(sunya.Internal, "", "encode resource: %v", err)
	}
	f := fields{}
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, sunya.Errorf(sunya.Internal, "", "encode resource: %v", err)
	}
	return f, nil
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
