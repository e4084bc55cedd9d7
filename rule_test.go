package sunya

import (
	"strings"
	"testing"
)

func TestCompilePattern(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		good          bool
	}{
		{"a path", `/static/(.*\.(css|js))`, true},
		{"a long list", "/(" + strings.Repeat("word|", 400) + "end)", true},
		{"counted", `/[a-z]{1,63}/[0-9]{8}`, true},
		{"not closed", "/(", false},
		{"half of two patterns", "/a)(?:b", false},
		{"many repetitions", strings.Repeat("(a?){1000}", 200), false},
	} {
		re, err := CompilePattern(c.pattern)
		if (err == nil) != c.good {
			t.Errorf("%s: %v, want good %v", c.name, err, c.good)
		}
		if err == nil && re.MatchString("x/static/a.css") {
			t.Errorf("%s matches a part of a path", c.name)
		}
	}
}
