package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// format is how results are written.
type format struct {
	kind   string   // table, json, jsonl, yaml, value; export: as files have it (run services describe)
	fields []string // of value
}

func parseFormat(s string) (format, error) {
	switch s {
	case "", "table":
		return format{kind: "table"}, nil
	case "json", "jsonl", "yaml", "export":
		return format{kind: s}, nil
	}
	inner, ok := strings.CutPrefix(s, "value(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !ok || !closed || strings.TrimSpace(inner) == "" {
		return format{}, usagef("--format: %q is not allowed: use json, jsonl, yaml, table or value(FIELD,...)", s)
	}
	f := format{kind: "value"}
	for field := range strings.SplitSeq(inner, ",") {
		f.fields = append(f.fields, strings.TrimSpace(field))
	}
	return f, nil
}

// output is the format that the user asked for; settle has checked it.
func (e *Env) output() format {
	f, err := parseFormat(e.flags.Format)
	if err != nil {
		return format{kind: "table"}
	}
	return f
}

// toJSON is a result as the REST API spells it.
func toJSON(v any) (json.RawMessage, error) {
	if m, ok := v.(proto.Message); ok {
		raw, err := protojson.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
		}
		// protojson varies its white space on purpose.
		var out bytes.Buffer
		err = json.Compact(&out, raw)
		return out.Bytes(), err
	}
	return json.Marshal(v)
}

// printList writes results, one after the other.
func printList[T any](env *Env, items []T, t table[T]) error {
	f := env.output()
	if f.kind == "table" {
		return t.write(env, items)
	}
	raws := make([]json.RawMessage, len(items))
	for i, item := range items {
		raw, err := toJSON(item)
		if err != nil {
			return err
		}
		raws[i] = raw
	}
	if f.kind == "json" || f.kind == "yaml" || f.kind == "export" {
		all, err := json.Marshal(raws)
		if err != nil {
			return fmt.Errorf("encode results: %w", err)
		}
		return f.document(env.Stdout, all)
	}
	for _, raw := range raws {
		if err := f.line(env.Stdout, raw); err != nil {
			return err
		}
	}
	return nil
}

// printOne writes one result; people see it as YAML.
func printOne(env *Env, v any) error {
	raw, err := toJSON(v)
	if err != nil {
		return err
	}
	f := env.output()
	switch f.kind {
	case "table", "export":
		return format{kind: "yaml"}.document(env.Stdout, raw)
	case "json", "yaml":
		return f.document(env.Stdout, raw)
	}
	return f.line(env.Stdout, raw)
}

// document writes indented JSON, or YAML.
func (f format) document(w io.Writer, raw json.RawMessage) error {
	if f.kind == "yaml" || f.kind == "export" {
		v, err := decode(raw)
		if err != nil {
			return err
		}
		enc := yaml.NewEncoder(w)
		enc.SetIndent(2)
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("write result: %w", err)
		}
		return enc.Close()
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	out.WriteByte('\n')
	return write(w, out.Bytes())
}

// line writes one result in one line.
func (f format) line(w io.Writer, raw json.RawMessage) error {
	if f.kind != "value" {
		return write(w, append(slices.Clone(raw), '\n'))
	}
	v, err := decode(raw)
	if err != nil {
		return err
	}
	cells := make([]string, len(f.fields))
	for i, field := range f.fields {
		cells[i] = text(lookup(v, field))
	}
	return write(w, []byte(strings.Join(cells, "\t")+"\n"))
}

func write(w io.Writer, b []byte) error {
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// decode reads JSON into maps and lists, numbers kept as they are written.
func decode(raw json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	return plainNumbers(v), nil
}

// plainNumbers replaces json.Number, which YAML would write as a text.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	}
	return v
}

// lookup follows a path such as split.allocations or urls[0].
func lookup(v any, path string) any {
	for part := range strings.SplitSeq(strings.NewReplacer("[", ".", "]", "").Replace(path), ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// text is one value in a line of its own.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any, []any:
		raw, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(raw)
	}
	return fmt.Sprint(v)
}
