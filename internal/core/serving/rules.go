package serving

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Rules is the compiled table of a revision's rules.
type Rules []compiledRule

type compiledRule struct {
	*sunya.Rule
	re *regexp.Regexp
}

// CompileRules compiles the rules of a revision; the error is about the first
// that cannot be.
func CompileRules(rules []sunya.Rule) (Rules, error) {
	out := make(Rules, len(rules))
	for i := range rules {
		re, err := sunya.CompilePattern(rules[i].Path)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		out[i] = compiledRule{&rules[i], re}
	}
	return out, nil
}

// Match is the rule that decides about a request.
type Match struct {
	Rule *sunya.Rule
	File string // what Rule.Static names for this path, else empty
}

// Match returns the first rule for a path. has reports which files there are.
func (rs Rules) Match(path string, has func(file string) bool) (Match, bool) {
	for _, r := range rs {
		groups := r.re.FindStringSubmatch(path)
		if groups == nil {
			continue
		}
		m := Match{Rule: r.Rule}
		if r.Static != nil {
			m.File = expand(r.Static.File, groups)
			if r.Static.Optional && !has(m.File) {
				continue
			}
		}
		return m, true
	}
	return Match{}, false
}

// expand puts groups in the place of \1 to \9.
func expand(template string, groups []string) string {
	if !strings.Contains(template, `\`) {
		return template
	}
	var b strings.Builder
	for i := 0; i < len(template); i++ {
		if n, ok := reference(template, i); ok && n < len(groups) {
			b.WriteString(groups[n])
			i++
			continue
		}
		b.WriteByte(template[i])
	}
	return b.String()
}

// reference reads the back-reference at i.
func reference(template string, i int) (group int, ok bool) {
	if template[i] != '\\' || i+1 == len(template) || template[i+1] < '0' || template[i+1] > '9' {
		return 0, false
	}
	return int(template[i+1] - '0'), true
}

// MatchDispatch returns the service that the first matching dispatch rule names.
func MatchDispatch(rules []sunya.DispatchRule, host, path string) (service string, ok bool) {
	for _, r := range rules {
		if matchDomain(r.Domain, host) && matchPath(r.Path, path) {
			return r.Service, true
		}
	}
	return "", false
}

// matchDomain: exact, or a leading * for any text (dispatch.yaml).
func matchDomain(pattern, host string) bool {
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, rest)
	}
	return pattern == host
}

// matchPath: exact, or a trailing * for any text (dispatch.yaml).
func matchPath(pattern, path string) bool {
	if rest, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(path, rest)
	}
	return pattern == path
}
