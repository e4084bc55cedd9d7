package pubsub

import (
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Filter decides by attributes which messages a subscription gets
// (cloud.google.com/pubsub/docs/subscription-message-filter). The zero value
// takes all.
type Filter struct {
	match func(attrs map[string]string) bool
}

// Match reports whether a message with these attributes passes.
func (f Filter) Match(attrs map[string]string) bool { return f.match == nil || f.match(attrs) }

// ParseFilter reads a filter: attributes:key, attributes.key = "v", !=,
// hasPrefix(attributes.key, "p"), combined by AND, OR, NOT or - and
// parentheses. AND and OR side by side need parentheses.
func ParseFilter(text string) (Filter, error) {
	if text == "" {
		return Filter{}, nil
	}
	if len(text) > maxFilter {
		return Filter{}, sunya.Invalid("filter", "%d bytes are too long: at most %d", len(text), maxFilter)
	}
	p := &filterParser{text: text}
	match, err := p.expression()
	if err == nil && p.peek() != "" {
		err = p.unexpected("AND, OR or the end")
	}
	if err != nil {
		return Filter{}, err
	}
	return Filter{match: match}, nil
}

type matcher = func(attrs map[string]string) bool

// filterParser is a recursive descent over the text. Its depth is bounded by
// the length of a filter.
type filterParser struct {
	text string
	at   int
}

// peek returns the next token without taking it; empty at the end. A string
// is returned with its quotes, and one without end as a lone quote.
func (p *filterParser) peek() string {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	rest := p.text[p.at:]
	switch {
	case rest == "":
		return ""
	case rest[0] == '"':
		return quoted(rest)
	case strings.HasPrefix(rest, "!="):
		return "!="
	case !isWord(rest[0]):
		return rest[:1]
	}
	n := 1
	for n < len(rest) && (isWord(rest[n]) || rest[n] == '-') {
		n++
	}
	return rest[:n]
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// quoted returns the string at the beginning of s, with its quotes.
func quoted(s string) string {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i+1]
		}
	}
	return `"`
}

func (p *filterParser) next() string {
	t := p.peek()
	p.at += len(t)
	return t
}

// accept takes the next token if it is this one.
func (p *filterParser) accept(token string) bool {
	if p.peek() != token {
		return false
	}
	p.at += len(token)
	return true
}

func (p *filterParser) expect(token string) error {
	if !p.accept(token) {
		return p.unexpected(token)
	}
	return nil
}

func (p *filterParser) unexpected(want string) error {
	got := p.peek()
	if got == "" {
		got = "the end"
	}
	return sunya.Invalid("filter", "at byte %d: want %s, not %s", p.at+1, want, got)
}

// expression is terms joined by one kind of operator.
func (p *filterParser) expression() (matcher, error) {
	first, err := p.term()
	if err != nil {
		return nil, err
	}
	op := p.peek()
	if op != "AND" && op != "OR" {
		return first, nil
	}
	terms := []matcher{first}
	for p.accept(op) {
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	if next := p.peek(); next == "AND" || next == "OR" {
		return nil, p.unexpected("parentheses where AND and OR meet")
	}
	return joined(terms, op == "AND"), nil
}

// joined is true when all terms have the value that decides nothing early.
func joined(terms []matcher, and bool) matcher {
	return func(attrs map[string]string) bool {
		for _, t := range terms {
			if t(attrs) != and {
				return !and
			}
		}
		return and
	}
}

func (p *filterParser) term() (matcher, error) {
	if p.accept("NOT") || p.accept("-") {
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		return func(attrs map[string]string) bool { return !t(attrs) }, nil
	}
	if p.accept("(") {
		t, err := p.expression()
		if err != nil {
			return nil, err
		}
		return t, p.expect(")")
	}
	if p.accept("hasPrefix") {
		return p.hasPrefix()
	}
	return p.comparison()
}

func (p *filterParser) hasPrefix() (matcher, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if err := p.expect("attributes"); err != nil {
		return nil, err
	}
	key, err := p.key()
	if err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	prefix, err := p.value()
	if err != nil {
		return nil, err
	}
	return func(attrs map[string]string) bool {
		v, ok := attrs[key]
		return ok && strings.HasPrefix(v, prefix)
	}, p.expect(")")
}

func (p *filterParser) comparison() (matcher, error) {
	if err := p.expect("attributes"); err != nil {
		return nil, err
	}
	if p.accept(":") {
		key, err := p.name()
		if err != nil {
			return nil, err
		}
		return func(attrs map[string]string) bool { _, ok := attrs[key]; return ok }, nil
	}
	key, err := p.key()
	if err != nil {
		return nil, err
	}
	equal := p.accept("=")
	if !equal && !p.accept("!=") {
		return nil, p.unexpected("= or !=")
	}
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	return func(attrs map[string]string) bool {
		v, ok := attrs[key]
		return (ok && v == value) == equal
	}, nil
}

// key is .name.
func (p *filterParser) key() (string, error) {
	if err := p.expect("."); err != nil {
		return "", err
	}
	return p.name()
}

// name is a key of an attribute, quoted where it is not a word.
func (p *filterParser) name() (string, error) {
	t := p.peek()
	if strings.HasPrefix(t, `"`) {
		return p.value()
	}
	if t == "" || !isWord(t[0]) {
		return "", p.unexpected("the key of an attribute")
	}
	return p.next(), nil
}

func (p *filterParser) value() (string, error) {
	t := p.peek()
	if len(t) < 2 || t[0] != '"' {
		return "", p.unexpected("a string in double quotes")
	}
	p.at += len(t)
	var b strings.Builder
	for i := 1; i < len(t)-1; i++ {
		if t[i] == '\\' {
			i++
		}
		b.WriteByte(t[i])
	}
	return b.String(), nil
}
