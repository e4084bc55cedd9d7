package appyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sunya-cloud/sunya"
)

// What one file may make the parser do: aliases count each time they are used,
// so a file that multiplies itself is refused before it grows.
const (
	maxNodes = 20_000
	maxDepth = 32
)

// parser fills a Config from the nodes of one file.
type parser struct {
	file  string
	cfg   *Config
	lines map[string]int // top-level keys seen, and where
	ended error          // that the runtime is not there any more, unless something is worse
}

// field says what to do with the value of one key.
type field struct {
	key   string
	apply func(key string, line int, v *yaml.Node) error
}

// document returns the single top-level mapping in data.
func (p *parser) document(data []byte) (*yaml.Node, error) {
	if len(data) > MaxBytes {
		return nil, p.errorf(1, "the file has %d bytes, more than the %v that an app.yaml may have", len(data), sunya.Bytes(MaxBytes))
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && isEmpty(&doc) {
		return nil, p.errorf(1, "the file is empty; the smallest app.yaml is one line: \"runtime: python311\"")
	}
	if err != nil {
		return nil, p.syntaxError(err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, p.errorf(more.Line, "a second document begins here; one app.yaml describes one service")
	case !errors.Is(err, io.EOF):
		return nil, p.syntaxError(err)
	}
	budget := maxNodes
	if err := p.bound(&doc, &budget, 0); err != nil {
		return nil, err
	}
	return doc.Content[0], nil
}

func isEmpty(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || isNull(doc.Content[0])
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// bound refuses trees that are too deep or, with every alias followed, too big.
func (p *parser) bound(n *yaml.Node, budget *int, depth int) error {
	*budget--
	if depth > maxDepth || *budget < 0 {
		return p.errorf(n.Line, "nested too deeply, or aliases repeat too much")
	}
	if n.Kind == yaml.AliasNode {
		return p.bound(n.Alias, budget, depth+1)
	}
	for _, c := range n.Content {
		if err := p.bound(c, budget, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// syntaxError puts the line of a YAML error where every other message has it.
func (p *parser) syntaxError(err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if n, scanErr := fmt.Sscanf(msg, "line %d:", &line); n == 1 && scanErr == nil {
		_, msg, _ = strings.Cut(msg, ": ")
	}
	return p.errorf(line, "not valid YAML: %s; check the indentation of this line and the one before: spaces, never tabs", msg)
}

// mapping hands each value of n to the field of its key. what names the mapping
// in messages. A key without a value is as if it were not there, as for gcloud:
// a block whose lines are all comments is one.
func (p *parser) mapping(n *yaml.Node, what string, fields []field) error {
	pairs, err := p.pairs(n, what)
	if err != nil {
		return err
	}
	for i, kv := range pairs {
		f, ok := find(fields, kv.key)
		if !ok {
			return p.errorf(kv.line, "unknown key %q in %s%s", kv.key, what, whereTo(pairs[:i], kv.key, keysOf(fields)))
		}
		if isNull(kv.value) {
			p.warn(kv.key, kv.line, "has no value, as if it were not there")
			continue
		}
		if err := f.apply(kv.key, kv.line, kv.value); err != nil {
			return err
		}
	}
	return nil
}

// whereTo says what an unknown key after the pairs before it may have been meant
// to be: lost indentation leaves a key without a value behind.
func whereTo(before []pair, key string, known []string) string {
	if n := len(before); n > 0 && isNull(before[n-1].value) {
		return fmt.Sprintf("; if it belongs to %s (line %d), indent it by two spaces", before[n-1].key, before[n-1].line)
	}
	return hint(key, known)
}

// pair is one entry of a mapping, its alias already followed.
type pair struct {
	key   string
	line  int
	value *yaml.Node
}

// pairs returns the entries of the mapping n. Duplicates are refused.
func (p *parser) pairs(n *yaml.Node, what string) ([]pair, error) {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		return nil, p.errorf(n.Line, "%s must hold \"key: value\" lines, not %s", what, kindName(n))
	}
	seen := make(map[string]int, len(n.Content)/2)
	out := make([]pair, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := follow(n.Content[i])
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			return nil, p.errorf(k.Line, "%s has a key that is not a plain word; merge keys (<<) are not part of app.yaml", what)
		}
		if at, dup := seen[k.Value]; dup {
			return nil, p.errorf(k.Line, "key %q is already set in line %d", k.Value, at)
		}
		seen[k.Value] = k.Line
		out = append(out, pair{key: k.Value, line: n.Content[i].Line, value: follow(n.Content[i+1])})
	}
	return out, nil
}

func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func find(fields []field, key string) (field, bool) {
	for _, f := range fields {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

func keysOf(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.key
	}
	return out
}

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

func (p *parser) errorf(line int, format string, args ...any) error {
	return sunya.Errorf(sunya.InvalidArgument, p.at(line), format, args...)
}

func (p *parser) refuse(line int, format string, args ...any) error {
	return sunya.Errorf(sunya.Unimplemented, p.at(line), format, args...)
}

func (p *parser) at(line int) string { return fmt.Sprintf("%s line %d", p.file, max(line, 1)) }

func (p *parser) warn(key string, line int, why string) {
	p.cfg.Warnings = append(p.cfg.Warnings, fmt.Sprintf("%s (line %d): %s", key, line, why))
}
