package objects

import (
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// glob is a pattern for names
// (cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob):
// * within a segment, ** across them, ? one character, [a-z] [!a-z] and {a,b}.
type glob struct {
	literal string // what every match begins with
	re      *regexp.Regexp
}

func (g *glob) match(name string) bool { return g.re.MatchString(name) }

// maxGlob bounds what a pattern costs.
const maxGlob = 1024

func parseGlob(pattern string) (*glob, error) {
	bad := func(why string) error { return sunya.Invalid("matchGlob", "%q: %s", clip(pattern), why) }
	if len(pattern) > maxGlob {
		return nil, bad("at most 1024 bytes")
	}
	special := strings.IndexAny(pattern, `*?[{\`)
	if special < 0 {
		special = len(pattern)
	}
	out := globWriter{rest: pattern[special:]}
	out.WriteString(`(?s)\A` + regexp.QuoteMeta(pattern[:special]))
	for out.rest != "" {
		if why := out.step(); why != "" {
			return nil, bad(why)
		}
	}
	if out.depth > 0 {
		return nil, bad("{ without }")
	}
	out.WriteString(`\z`)
	re, err := regexp.Compile(out.String())
	if err != nil {
		return nil, bad("not a pattern")
	}
	return &glob{literal: pattern[:special], re: re}, nil
}

// globWriter turns a pattern into a regular expression.
type globWriter struct {
	strings.Builder
	rest  string
	depth int // of braces
}

// take removes a prefix of the pattern, if it is there.
func (g *globWriter) take(prefix string) bool {
	rest, ok := strings.CutPrefix(g.rest, prefix)
	if ok {
		g.rest = rest
	}
	return ok
}

// step writes the next part and returns what is wrong with it.
func (g *globWriter) step() string {
	switch {
	case g.take("**/"):
		g.WriteString(`(.*/)?`)
	case g.take("**"):
		g.WriteString(`.*`)
	case g.take("*"):
		g.WriteString(`[^/]*`)
	case g.take("?"):
		g.WriteString(`[^/]`)
	case g.take("{"):
		g.depth++
		g.WriteString(`(?:`)
	case g.depth > 0 && g.take("}"):
		g.depth--
		g.WriteString(`)`)
	case g.depth > 0 && g.take(","):
		g.WriteString(`|`)
	case g.take("["):
		return g.class()
	default:
		g.take(`\`)
		if g.rest == "" {
			return `\ at the end`
		}
		r := []rune(g.rest)[:1]
		g.take(string(r))
		g.WriteString(regexp.QuoteMeta(string(r)))
	}
	return ""
}

// class writes what follows a [.
func (g *globWriter) class() string {
	not := g.take("!") || g.take("^")
	end := strings.IndexByte(g.rest, ']')
	if end <= 0 {
		return "[ without ]"
	}
	set := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`).Replace(g.rest[:end])
	g.rest = g.rest[end+1:]
	g.WriteString("[")
	if not {
		g.WriteString("^")
	}
	g.WriteString(set + "]")
	return ""
}
