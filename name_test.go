package sunya_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestCheckProject(t *testing.T) {
	for _, c := range []struct {
		rule string
		id   string
		ok   bool
	}{
		{"the default", "sunya", true},
		{"one letter", "a", true},
		{"digits and dashes within", "my-app-2", true},
		{"63 characters", "a" + strings.Repeat("b", 62), true},
		{"64 characters", "a" + strings.Repeat("b", 63), false},
		{"nothing", "", false},
		{"begins with a digit", "1app", false},
		{"ends with a dash", "app-", false},
		{"upper case", "App", false},
		{"Google's domain-scoped form", "example.com:app", false},
		{"a path", "a/b", false},
		{"a line break at the end", "app\n", false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			err := sunya.CheckProject(c.id)
			if (err == nil) != c.ok {
				t.Errorf("CheckProject(%q) = %v", c.id, err)
			}
			if err != nil && sunya.CodeOf(err) != sunya.InvalidArgument {
				t.Errorf("code = %v", sunya.CodeOf(err))
			}
		})
	}
}

// FuzzCheckProject: what is accepted can be a DNS label, a path segment and a
// file name, unescaped.
func FuzzCheckProject(f *testing.F) {
	for _, s := range []string{"sunya", "a", "a-b", "", "-", "..", "A", "a_b", "a\x00", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if sunya.CheckProject(id) != nil {
			return
		}
		if len(id) > 63 || id != strings.ToLower(id) || url.PathEscape(id) != id || strings.ContainsAny(id, "._~") {
			t.Errorf("%q was accepted", id)
		}
	})
}
