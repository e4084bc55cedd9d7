package eventing

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/b", "a", false},
		{"a/*", "a/b", true}, {"a/*", "a/b/c", false}, {"a/*.png", "a/x.png", true}, {"a/*.png", "a/x.gif", false}, {"x*y", "xy", true}, {"xa*ay", "xay", false},
		{"**", "a/b/c", true}, {"a/**", "a", true}, {"a/**", "a/b/c", true}, {"a/**/z", "a/z", true}, {"a/**/z", "a/b/c/z", true}, {"a/**/z", "a/b", false}, {"**/z", "z", true},
		{"users/{id}", "users/1", true}, {"users/{id}", "users/1/2", false}, {"users/{id=*}/x", "users/1/x", true}, {"users/{rest=**}", "users/1/2", true},
		{"", "", true},
	} {
		if got := MatchPath(c.pattern, c.value); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.value, got)
		}
	}
	for _, p := range []string{"", "**/a/**", "a*b*c", "{", "a{id}", "{a b}", "{id=x}", strings.Repeat("a", 2000)} {
		if err := CheckPattern(p); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%.20q was accepted", p)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a/*", "a/**/b", "users/{id=**}", "*", "{x}/y"} {
		f.Add(s, "a/b/c")
	}
	f.Fuzz(func(t *testing.T, pattern, value string) {
		if CheckPattern(pattern) == nil && MatchPath(pattern, value) && !strings.ContainsAny(pattern, "*{") && pattern != value {
			t.Errorf("%q matches %q", pattern, value)
		}
	})
}
