package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFormat(t *testing.T) {
	for _, c := range []struct {
		in   string
		want format
	}{
		{"", format{kind: "table"}},
		{"table", format{kind: "table"}},
		{"jsonl", format{kind: "jsonl"}},
		{"value(id)", format{kind: "value", fields: []string{"id"}}},
		{"value(id, split.allocations)", format{kind: "value", fields: []string{"id", "split.allocations"}}},
	} {
		got, err := parseFormat(c.in)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(format{})); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", c.in, err, diff)
		}
	}
	for _, in := range []string{"JSON", "csv", "value", "value()", "value( )", "value(id", "json(id)"} {
		if _, err := parseFormat(in); exitCode(err) != exitUsage {
			t.Errorf("%q: %v, want a usage error", in, err)
		}
	}
}

// FuzzParseFormat: what is accepted can be used on any result.
func FuzzParseFormat(f *testing.F) {
	for _, s := range []string{"", "table", "json", "yaml", "value(a)", "value(a.b,c)", "value(,)", "value((a))", "value(a.)", "value(.)"} {
		f.Add(s, `{"a":{"b":[1,"x\n"]},"c":null}`)
	}
	f.Fuzz(func(t *testing.T, s, doc string) {
		form, err := parseFormat(s)
		if err != nil {
			return
		}
		again, err := parseFormat(strings.TrimSpace(s))
		if err == nil && again.kind != form.kind {
			t.Errorf("%q is %s and %s", s, form.kind, again.kind)
		}
		if _, err := decode([]byte(doc)); err != nil {
			return
		}
		var out strings.Builder
		if err := form.line(&out, []byte(doc)); err == nil && strings.Count(out.String(), "\n") > 1 && form.kind == "jsonl" {
			t.Errorf("%q of %q is %q: more than a line", s, doc, out.String())
		}
	})
}
