package logs

import (
	"regexp"

	"github.com/sunya-cloud/sunya"
)

// comparison: path op value | path op ( values )
func (p *parser) comparison(first token, path []string, depth int) (node, error) {
	op := p.tok
	f, err := findField(first.col, path)
	if err != nil {
		return nil, err
	}
	if err := p.advance(true); err != nil {
		return nil, err
	}
	return p.values(&target{field: f, path: path, op: op.text}, depth)
}

// target is the left side and the operator of a comparison.
type target struct {
	field field
	path  []string
	op    string
}

// values: value | ( values ), the latter with AND, OR and NOT between values:
// severity=(ERROR OR CRITICAL).
func (p *parser) values(t *target, depth int) (node, error) {
	switch p.tok.kind {
	case tokenWord, tokenQuoted:
		return p.value(t)
	case tokenOpen:
		return p.valueGroup(t, depth+1)
	case tokenEnd:
		return nil, filterError(p.tok.col, "a value is missing behind %s", t.op)
	}
	return nil, filterError(p.tok.col, "a value was expected, not %q: put it in quotes", p.tok.text)
}

func (p *parser) value(t *target) (node, error) {
	n, err := newCompare(t, p.tok)
	if err != nil {
		return nil, err
	}
	return n, p.advance(false)
}

func (p *parser) valueGroup(t *target, depth int) (node, error) {
	open := p.tok.col
	if depth > maxNested {
		return nil, filterError(open, "nested deeper than %d: simplify the filter", maxNested)
	}
	if err := p.advance(true); err != nil {
		return nil, err
	}
	var all andNode
	for p.tok.kind != tokenClose {
		n, err := p.valueOr(t, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
		if p.keyword("AND") {
			if err := p.advance(true); err != nil {
				return nil, err
			}
		}
	}
	if len(all) == 0 {
		return nil, filterError(open, "no value between the parentheses")
	}
	return simplify(all), p.close(open)
}

func (p *parser) valueOr(t *target, depth int) (node, error) {
	var any orNode
	for {
		negate := p.keyword("NOT")
		if negate {
			if err := p.advance(true); err != nil {
				return nil, err
			}
		}
		n, err := p.values(t, depth)
		if err != nil {
			return nil, err
		}
		if negate {
			n = negated(n)
		}
		any = append(any, n)
		if !p.keyword("OR") {
			break
		}
		if err := p.advance(true); err != nil {
			return nil, err
		}
	}
	if len(any) == 1 {
		return any[0], nil
	}
	return any, nil
}

// function: log_id("…") | SEARCH("…")
func (p *parser) function(name token) (node, error) {
	open := p.tok.col
	if err := p.advance(true); err != nil {
		return nil, err
	}
	arg := p.tok
	if arg.kind != tokenQuoted && arg.kind != tokenWord {
		return nil, filterError(arg.col, "%s wants one string in quotes", name.text)
	}
	if err := p.advance(false); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenComma {
		return nil, unsupported(name)
	}
	if err := p.close(open); err != nil {
		return nil, err
	}
	switch name.text {
	case "log_id":
		return logIDNode(arg.text), nil
	case "SEARCH", "search":
		return textNode(arg.text), nil
	}
	return nil, unsupported(name)
}

func unsupported(name token) error {
	return &sunya.Error{Code: sunya.Unimplemented, Field: "filter", Message: "the function " + name.text +
		" in this form is not part of Sunya's filters yet: log_id(\"…\") and SEARCH(\"…\") are"}
}

// newCompare checks a value against its field.
func newCompare(t *target, v token) (node, error) {
	c := &compareNode{target: *t, text: v.text, quoted: v.kind == tokenQuoted}
	if t.op == ":" && v.text == "*" && !c.quoted {
		c.exists = true
		return c, nil
	}
	if t.op == "=~" || t.op == "!~" {
		return c, c.compileRE(v)
	}
	check := kindChecks[t.field.kind]
	if err := check(c); err != nil {
		return nil, filterError(v.col, "%s", err)
	}
	return c, nil
}

func (c *compareNode) compileRE(v token) (err error) {
	if !c.field.kind.textual() {
		return filterError(v.col, "%s cannot be matched with a regular expression: compare it with = or >=", c.field.name)
	}
	if c.re, err = regexp.Compile(v.text); err != nil {
		return filterError(v.col, "%q is not a regular expression (RE2): %v", v.text, err)
	}
	return nil
}
