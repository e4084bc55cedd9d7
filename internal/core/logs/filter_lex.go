package logs

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// tokenKind is what a token of the query language is.
type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuoted
	tokenOp // = != > >= < <= : =~ !~
	tokenOpen
	tokenClose
	tokenComma
	tokenMinus // negation
)

// token is a piece of a filter; col is where it begins, from 1, in characters.
type token struct {
	kind tokenKind
	text string // unescaped
	col  int
	// tight says that no space stands between it and the token before.
	tight bool
}

// lexer cuts a filter into tokens.
type lexer struct {
	src string
	pos int
}

// special are the characters that end a word.
const special = " \t\r\n()=<>!:~\",'"

func (l *lexer) col(pos int) int { return utf8.RuneCountInString(l.src[:pos]) + 1 }

// next returns the next token. In value position a word may hold colons and
// begin with a minus: timestamp>=2026-01-02T03:04:05Z.
func (l *lexer) next(value bool) (token, error) {
	before := l.pos
	l.space()
	t := token{col: l.col(l.pos), tight: l.pos == before}
	if l.pos == len(l.src) {
		return t, nil
	}
	rest := l.src[l.pos:]
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		return l.quoted(t, c)
	case c == '(':
		return l.take(t, tokenOpen, 1), nil
	case c == ')':
		return l.take(t, tokenClose, 1), nil
	case c == ',':
		return l.take(t, tokenComma, 1), nil
	case c == '-' && !value:
		return l.take(t, tokenMinus, 1), nil
	}
	if n := opLen(rest); n > 0 {
		return l.take(t, tokenOp, n), nil
	}
	n := wordLen(rest, value)
	if n == 0 {
		return t, filterError(t.col, "unexpected %q", rest[:1])
	}
	return l.take(t, tokenWord, n), nil
}

func (l *lexer) take(t token, kind tokenKind, n int) token {
	t.kind, t.text = kind, l.src[l.pos:l.pos+n]
	l.pos += n
	return t
}

// space skips white space and comments, which run from -- to the line's end.
func (l *lexer) space() {
	for l.pos < len(l.src) {
		switch rest := l.src[l.pos:]; {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.pos++
		case strings.HasPrefix(rest, "--"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			l.pos += end
		default:
			return
		}
	}
}

func opLen(s string) int {
	for _, op := range []string{"!=", ">=", "<=", "=~", "!~", "=", ">", "<", ":"} {
		if strings.HasPrefix(s, op) {
			return len(op)
		}
	}
	return 0
}

func wordLen(s string, value bool) int {
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(special, s[i]) < 0 || s[i] == ':' && value && i > 0 {
			continue
		}
		return i
	}
	return len(s)
}

// quoted reads a string in quotes with its escapes.
func (l *lexer) quoted(t token, quote byte) (token, error) {
	t.kind = tokenQuoted
	var b strings.Builder
	for i := l.pos + 1; i < len(l.src); {
		switch c := l.src[i]; c {
		case quote:
			t.text, l.pos = b.String(), i+1
			return t, nil
		case '\\':
			n := unescape(&b, l.src[i:])
			if n == 0 {
				return t, filterError(l.col(i), "the string ends in a backslash: close it with %c", quote)
			}
			i += n
		default:
			b.WriteByte(c)
			i++
		}
	}
	return t, filterError(t.col, "this string has no end: close it with %c", quote)
}

var simpleEscapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f', '\\': '\\', '"': '"', '\'': '\'', '/': '/'}

// unescape writes the character of one escape sequence and returns its length,
// 0 when s ends in the middle. One that the language does not know keeps its
// backslash, so that regular expressions can be typed as they are: =~"\d+".
func unescape(b *strings.Builder, s string) int {
	if len(s) < 2 {
		return 0
	}
	if c, ok := simpleEscapes[s[1]]; ok {
		b.WriteByte(c)
		return 2
	}
	if s[1] == 'u' && len(s) >= 6 {
		if n, err := strconv.ParseUint(s[2:6], 16, 32); err == nil {
			b.WriteRune(rune(n)) // a surrogate becomes U+FFFD
			return 6
		}
	}
	b.WriteByte('\\')
	return 1
}
