package runv1

import (
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// selector chooses by labels, as Kubernetes' labelSelector does: every
// requirement has to hold.
type selector []requirement

// requirement is what one label has to be.
type requirement struct {
	key    string
	values []string // one of these; nil: any, and the label is there
	not    bool
}

// requirementRE matches one requirement: key, key=value, key==value, key!=value,
// key in (a,b), key notin (a,b), !key.
var requirementRE = regexp.MustCompile(`^\s*(!)?\s*([A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?)\s*(?:(==|=|!=)\s*([A-Za-z0-9._-]*)|\s(in|notin)\s*\(([^()]*)\))?\s*$`)

// parseSelector reads a labelSelector; an empty one chooses everything.
func parseSelector(s string) (selector, error) {
	var out selector
	for _, part := range splitSelector(s) {
		m := requirementRE.FindStringSubmatch(part)
		if m == nil || m[1] != "" && (m[3] != "" || m[5] != "") {
			return nil, sunya.Invalid("labelSelector", "%q is not a requirement: use key=value, key!=value, key, !key, key in (a,b) or key notin (a,b)", strings.TrimSpace(part))
		}
		q := requirement{key: m[2], not: m[1] != "" || m[3] == "!=" || m[5] == "notin"}
		switch {
		case m[3] != "":
			q.values = []string{m[4]}
		case m[5] != "":
			for v := range strings.SplitSeq(m[6], ",") {
				q.values = append(q.values, strings.TrimSpace(v))
			}
		}
		out = append(out, q)
	}
	return out, nil
}

// splitSelector divides at the commas that are not in parentheses.
func splitSelector(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	var out []string
	depth, from := 0, 0
	for i, r := range s {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth <= 0:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// matches reports whether labels fulfil every requirement.
func (s selector) matches(labels map[string]string) bool {
	for _, q := range s {
		value, there := labels[q.key]
		if !q.holds(value, there) {
			return false
		}
	}
	return true
}

// admits reports whether something whose label has a value may be chosen, as far
// as that label goes.
func (s selector) admits(key, value string) bool {
	for _, q := range s {
		if q.key == key && !q.holds(value, true) {
			return false
		}
	}
	return true
}

func (q *requirement) holds(value string, there bool) bool {
	found := there && q.values == nil
	for _, v := range q.values {
		found = found || there && v == value
	}
	return found != q.not
}
