package detect

import (
	"regexp"
	"strings"
)

// jsToken is a part of a JavaScript file: as much of the language as it takes to
// tell code from comments, strings and regular expressions.
type jsToken struct {
	kind  jsKind
	text  string // of a string: what is in it
	open  bool   // a template with parts that are computed
	after string // of a string: the words before it, "require(" or "from"
}

type jsKind int

const (
	jsNone jsKind = iota
	jsWord        // a name or a number
	jsSign        // one character, or "=" alone and "==" and "=>" as one
	jsString
	jsRegexp
)

var (
	jsSpaceRE  = regexp.MustCompile(`^(?:[\s\x{feff}]+|//[^\n]*|/\*(?s:.*?)\*/)+`)
	jsWordRE   = regexp.MustCompile(`^[\pL\pN_$\x{200c}\x{200d}#]+`)
	jsQuotedRE = regexp.MustCompile(`^(?:"(?:[^"\\\n]|\\(?s:.))*"|'(?:[^'\\\n]|\\(?s:.))*')`)
	jsRegexpRE = regexp.MustCompile(`^/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*`)
	jsSignRE   = regexp.MustCompile(`^(?:=>|={2,3}|[^\s\w])`)
)

// jsBeforeRegexp are words behind which a slash begins a regular expression.
var jsBeforeRegexp = map[string]bool{
	"return": true, "typeof": true, "case": true, "in": true, "of": true, "delete": true, "void": true, "throw": true, "new": true,
	"do": true, "else": true, "await": true, "yield": true, "instanceof": true,
}

// jsTokens splits a file; not ok where something in it does not end.
func jsTokens(src string) ([]jsToken, bool) {
	src = strings.TrimPrefix(src, "\ufeff")
	if strings.HasPrefix(src, "#!") {
		_, src, _ = strings.Cut(src, "\n")
	}
	var list []jsToken
	for {
		src = src[len(jsSpaceRE.FindString(src)):]
		if src == "" {
			return list, true
		}
		t, n := jsNext(src, list)
		if n == 0 {
			return list, false
		}
		list = append(list, t)
		src = src[n:]
	}
}

// jsNext is the token that src begins with, and its length; 0 where it has no
// end.
func jsNext(src string, before []jsToken) (jsToken, int) {
	if word := jsWordRE.FindString(src); word != "" {
		return jsToken{kind: jsWord, text: word}, len(word)
	}
	switch src[0] {
	case '"', '\'':
		quoted := jsQuotedRE.FindString(src)
		return jsToken{kind: jsString, text: strings.Trim(quoted, quoted[:min(1, len(quoted))]), open: strings.Contains(quoted, `\`), after: jsAfter(before)}, len(quoted)
	case '`':
		n, open := jsTemplate(src)
		return jsToken{kind: jsString, text: strings.Trim(src[:n], "`"), open: open, after: jsAfter(before)}, n
	case '/':
		if jsMayBeRegexp(before) {
			re := jsRegexpRE.FindString(src)
			return jsToken{kind: jsRegexp, text: re}, len(re)
		}
	}
	sign := jsSignRE.FindString(src)
	return jsToken{kind: jsSign, text: sign}, len(sign)
}

// jsMayBeRegexp reports whether a slash here begins a regular expression, and
// does not divide.
func jsMayBeRegexp(before []jsToken) bool {
	if len(before) == 0 {
		return true
	}
	switch t := before[len(before)-1]; t.kind {
	case jsWord:
		return jsBeforeRegexp[t.text]
	case jsSign:
		return t.text != ")" && t.text != "]" && t.text != "}"
	}
	return false
}

// jsAfter is what stands before a string, for loading.
func jsAfter(before []jsToken) string {
	text := ""
	for _, t := range before[max(0, len(before)-2):] {
		switch t.text {
		case "from", "import", "require":
			text = t.text
		case "(":
			text += "("
		default:
			text = ""
		}
	}
	return text
}

// jsTemplate is the length of a template, 0 where it does not end, and whether
// parts of it are computed. A template within a computed part is passed over as
// a whole.
func jsTemplate(src string) (n int, open bool) {
	depth := 0 // of braces within ${…}
	for i := 1; i < len(src); i++ {
		switch c := src[i]; {
		case c == '\\':
			i, open = i+1, true
		case depth == 0 && c == '`':
			return i + 1, open
		case depth == 0 && c == '$' && strings.HasPrefix(src[i:], "${"):
			i, depth, open = i+1, 1, true
		case depth > 0 && c == '{':
			depth++
		case depth > 0 && c == '}':
			depth--
		case depth > 0 && c == '`':
			inner, _ := jsTemplate(src[i:])
			if inner == 0 {
				return 0, open
			}
			i += inner - 1
		}
	}
	return 0, open
}
