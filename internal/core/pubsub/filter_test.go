package pubsub_test

import (
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

func TestFilter(t *testing.T) {
	attrs := map[string]string{"a": "1", "lang": "en-GB", "iana.org/x": "y", "quote": `"`}
	for text, want := range map[string]bool{
		``:                                   true,
		`attributes:a`:                       true,
		`attributes:b`:                       false,
		`NOT attributes:b`:                   true,
		`-attributes:a`:                      false,
		`attributes.a = "1"`:                 true,
		`attributes.a="2"`:                   false,
		`attributes.a != "2"`:                true,
		`attributes.b != "2"`:                true, // as Google: it is not "2"
		`hasPrefix(attributes.lang, "en")`:   true,
		`hasPrefix(attributes.b, "")`:        false,
		`attributes:"iana.org/x"`:            true,
		`attributes."iana.org/x" = "y"`:      true,
		`attributes.quote = "\""`:            true,
		`attributes:a AND attributes:b`:      false,
		`attributes:a OR attributes:b`:       true,
		`NOT (attributes:a OR attributes:b)`: false,
		`attributes:a AND (attributes:b OR NOT attributes:b)`: true,
		"attributes:a\n AND attributes:lang":                  true,
	} {
		f, err := pubsub.ParseFilter(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := f.Match(attrs); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

func TestBadFilter(t *testing.T) {
	for _, text := range []string{
		`a`, `attributes`, `attributes.`, `attributes.a`, `attributes.a =`, `attributes.a = b`, `attributes.a = "b`, `attributes.a == "b"`,
		`attributes:a AND`, `attributes:a attributes:b`, `attributes:a AND attributes:b OR attributes:c`, `(attributes:a`, `attributes:a)`,
		`hasPrefix(attributes.a "b")`, `hasPrefix(attributes:a, "b")`, `NOT`, `and`, string(make([]byte, 300)),
	} {
		if _, err := pubsub.ParseFilter(text); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%q: %v, want INVALID_ARGUMENT", text, err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`attributes:a AND NOT hasPrefix(attributes."b", "c\"")`, "a", "c")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		p, err := pubsub.ParseFilter(text)
		if err != nil {
			if sunya.CodeOf(err) != sunya.InvalidArgument {
				t.Error(err)
			}
			return
		}
		got := p.Match(map[string]string{key: value})
		not, err := pubsub.ParseFilter("NOT (" + text + ")")
		if text == "" || err != nil { // too long, or nothing to negate
			return
		}
		if not.Match(map[string]string{key: value}) == got {
			t.Errorf("%q and its negation agree", text)
		}
	})
}
