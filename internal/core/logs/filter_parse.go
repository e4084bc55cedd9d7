package logs

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sunya-cloud/sunya"
)

// Limits of a filter; the length is Cloud Logging's.
const (
	maxFilter = 20_000
	maxNested = 50
)

// Filter is a query in the Logging query language
// (cloud.google.com/logging/docs/view/logging-query-language): comparisons of
// fields, bare text to be found in any field, log_id("…"), AND (which may be
// left out), OR, NOT and -, parentheses. NOT binds tightest, then OR, then AND.
type Filter struct {
	root node // nil: everything
}

// ParseFilter reads a filter. The error is InvalidArgument about the field
// filter and names the column; what only Cloud Logging has is Unimplemented.
func ParseFilter(src string) (*Filter, error) {
	if len(src) > maxFilter {
		return nil, sunya.Invalid("filter", "longer than %d bytes: shorten it", maxFilter)
	}
	if !utf8.ValidString(src) {
		return nil, sunya.Invalid("filter", "not valid UTF-8")
	}
	p := &parser{lex: lexer{src: src}}
	if err := p.advance(false); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEnd {
		return &Filter{}, nil
	}
	root, err := p.and(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, filterError(p.tok.col, "unexpected %q", p.tok.text)
	}
	return &Filter{root: root}, nil
}

func filterError(col int, format string, args ...any) error {
	return sunya.Invalid("filter", "column %d: %s", col, fmt.Sprintf(format, args...))
}

// parser is a recursive descent with one token of look-ahead.
type parser struct {
	lex lexer
	tok token
}

func (p *parser) advance(value bool) (err error) {
	p.tok, err = p.lex.next(value)
	return err
}

func (p *parser) keyword(word string) bool {
	return p.tok.kind == tokenWord && p.tok.text == word
}

// and: or { [AND] or }
func (p *parser) and(depth int) (node, error) {
	if depth > maxNested {
		return nil, filterError(p.tok.col, "nested deeper than %d: simplify the filter", maxNested)
	}
	var all andNode
	for {
		n, err := p.or(depth)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
		switch {
		case p.keyword("AND"):
			if err := p.advance(false); err != nil {
				return nil, err
			}
		case p.tok.kind == tokenEnd, p.tok.kind == tokenClose:
			return simplify(all), nil
		}
	}
}

func simplify(all andNode) node {
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// or: not { OR not }
func (p *parser) or(depth int) (node, error) {
	var any orNode
	for {
		n, err := p.not(depth)
		if err != nil {
			return nil, err
		}
		any = append(any, n)
		if !p.keyword("OR") {
			break
		}
		if err := p.advance(false); err != nil {
			return nil, err
		}
	}
	if len(any) == 1 {
		return any[0], nil
	}
	return any, nil
}

// not: { NOT | - } primary
func (p *parser) not(depth int) (node, error) {
	negate := false
	for p.keyword("NOT") || p.tok.kind == tokenMinus {
		negate = !negate
		if err := p.advance(false); err != nil {
			return nil, err
		}
	}
	n, err := p.primary(depth)
	if err == nil && negate {
		n = negated(n)
	}
	return n, err
}

// negated keeps double negations out of the tree.
func negated(n node) node {
	if not, ok := n.(notNode); ok {
		return not.node
	}
	return notNode{n}
}

func (p *parser) primary(depth int) (node, error) {
	switch p.tok.kind {
	case tokenOpen:
		return p.group(depth)
	case tokenWord, tokenQuoted:
		return p.restriction(depth)
	case tokenEnd:
		return nil, filterError(p.tok.col, "the filter ends where a comparison was expected")
	}
	return nil, filterError(p.tok.col, "unexpected %q: write FIELD OPERATOR VALUE or a quoted text", p.tok.text)
}

func (p *parser) group(depth int) (node, error) {
	open := p.tok.col
	if err := p.advance(false); err != nil {
		return nil, err
	}
	n, err := p.and(depth + 1)
	if err != nil {
		return nil, err
	}
	return n, p.close(open)
}

func (p *parser) close(open int) error {
	if p.tok.kind != tokenClose {
		return filterError(p.tok.col, "the parenthesis of column %d is not closed", open)
	}
	return p.advance(false)
}

// restriction: path op value | function(args) | text
func (p *parser) restriction(depth int) (node, error) {
	first := p.tok
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	switch {
	case p.tok.kind == tokenOp:
		return p.comparison(first, path, depth)
	case p.tok.kind == tokenOpen && p.tok.tight && first.kind == tokenWord && len(path) == 1:
		return p.function(first)
	case first.kind == tokenWord && (first.text == "AND" || first.text == "OR" || first.text == "NOT"):
		return nil, filterError(first.col, "%s stands where a comparison was expected", first.text)
	case len(path) > 1 && first.kind == tokenQuoted:
		return nil, filterError(first.col, "a comparison was expected")
	}
	return textNode(strings.Join(path, ".")), nil
}

// path reads labels."a/b".c: words and strings joined by dots.
func (p *parser) path() ([]string, error) {
	parts, open := pathParts(p.tok)
	col := p.tok.col
	if err := p.advance(false); err != nil {
		return nil, err
	}
	for p.tok.tight && (p.tok.kind == tokenWord || p.tok.kind == tokenQuoted) {
		more, isOpen := pathParts(p.tok)
		dotted := p.tok.kind == tokenWord && more[0] == ""
		if dotted {
			more = more[1:]
		}
		if !open && !dotted {
			return nil, filterError(p.tok.col, "a space or an operator is missing in front of %q", p.tok.text)
		}
		parts, open = append(parts, more...), isOpen
		if err := p.advance(false); err != nil {
			return nil, err
		}
	}
	if open && p.tok.kind == tokenOp {
		return nil, filterError(col, "the field ends in a dot")
	}
	if open {
		parts = append(parts, "")
	}
	return parts, nil
}

// pathParts splits a token of a path; open says that it ends in a dot.
func pathParts(t token) (parts []string, open bool) {
	if t.kind == tokenQuoted {
		return []string{t.text}, false
	}
	parts = strings.Split(t.text, ".")
	if n := len(parts); n > 1 && parts[n-1] == "" {
		return parts[:n-1], true
	}
	return parts, false
}
