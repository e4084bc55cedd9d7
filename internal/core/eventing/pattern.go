package eventing

import (
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// A path pattern is segments between slashes (Eventarc, "path patterns"): a
// literal; a literal with one * in it, which stands for anything in the segment;
// ** for any number of segments; {name}, {name=*} and {name=**}, which match as
// *, * and ** and give the match a name.

// maxPattern is the length of a pattern, in bytes.
const maxPattern = 1024

var captureRE = regexp.MustCompile(`^\{[A-Za-z_][A-Za-z0-9_]*(=\*\*?)?\}$`)

// CheckPattern reports what is wrong with a path pattern.
func CheckPattern(pattern string) error {
	if pattern == "" || len(pattern) > maxPattern {
		return sunya.Invalid("pattern", "a path pattern has 1 to %d bytes", maxPattern)
	}
	many := 0
	for segment := range strings.SplitSeq(pattern, "/") {
		plain := plainSegment(segment)
		switch {
		case plain == "**":
			many++
		case strings.ContainsAny(plain, "{}"):
			return sunya.Invalid("pattern", "%q: a capture is a whole segment such as {name}, {name=*} or {name=**}", segment)
		case strings.Count(plain, "*") > 1:
			return sunya.Invalid("pattern", "%q: a segment has at most one *", segment)
		}
	}
	if many > 1 {
		return sunya.Invalid("pattern", "%q has ** more than once", pattern)
	}
	return nil
}

// plainSegment is a segment without its capture.
func plainSegment(segment string) string {
	if !captureRE.MatchString(segment) {
		return segment
	}
	if _, what, ok := strings.Cut(segment[:len(segment)-1], "="); ok {
		return what
	}
	return "*"
}

// MatchPath reports whether a value matches a path pattern that CheckPattern
// has accepted.
func MatchPath(pattern, value string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(value, "/")
	for i, segment := range want {
		if plainSegment(segment) == "**" {
			rest := want[i+1:]
			return len(have) >= i+len(rest) && matchSegments(want[:i], have[:i]) && matchSegments(rest, have[len(have)-len(rest):])
		}
	}
	return len(want) == len(have) && matchSegments(want, have)
}

func matchSegments(want, have []string) bool {
	for i := range want {
		if !matchSegment(plainSegment(want[i]), have[i]) {
			return false
		}
	}
	return true
}

func matchSegment(want, have string) bool {
	before, after, star := strings.Cut(want, "*")
	if !star {
		return want == have
	}
	return len(have) >= len(before)+len(after) && strings.HasPrefix(have, before) && strings.HasSuffix(have, after)
}
