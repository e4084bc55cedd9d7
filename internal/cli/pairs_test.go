package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSplitList(t *testing.T) {
	for _, tt := range []struct {
		rule string
		in   string
		want []string
		err  string
	}{
		{"nothing", "", nil, ""},
		{"commas", "a,b,c", []string{"a", "b", "c"}, ""},
		{"an empty item", "a,,c", []string{"a", "", "c"}, ""},
		{"another separator", "^;^a,b;c", []string{"a,b", "c"}, ""},
		{"a separator of two letters", "^::^a:b::c", []string{"a:b", "c"}, ""},
		{"quotes keep commas", `"a,b",c`, []string{"a,b", "c"}, ""},
		{"quotes inside stay", `say "hi",x`, []string{`say "hi"`, "x"}, ""},
		{"a separator without end", "^;a", nil, "does not end"},
		{"an empty separator", "^^a", nil, "does not end"},
		{"quotes that do not match", `"a,b`, nil, "do not match"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := splitList(tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error = %v, want %q", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("error %v, (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestSplitPairs(t *testing.T) {
	for _, tt := range []struct {
		rule string
		in   string
		want map[string]string
		err  string
	}{
		{"pairs", "A=1,B=2", map[string]string{"A": "1", "B": "2"}, ""},
		{"a value with an equals sign", "URL=http://x/?a=b", map[string]string{"URL": "http://x/?a=b"}, ""},
		{"an empty value", "A=", map[string]string{"A": ""}, ""},
		{"a value with commas", "^@^A=1,2@B=3", map[string]string{"A": "1,2", "B": "3"}, ""},
		{"the last counts", "A=1,A=2", map[string]string{"A": "2"}, ""},
		{"no value", "A", nil, "NAME=VALUE"},
		{"no name", "=1", nil, "NAME=VALUE"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := splitPairs(tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error = %v, want %q", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("error %v, (-want +got):\n%s", err, diff)
			}
		})
	}
}

func FuzzSplitPairs(f *testing.F) {
	for _, s := range []string{"", "A=1,B=2", "^;^A=1,2;B=3", `"A=1,2",B`, "^", "^^", "=,="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		pairs, err := splitPairs(s)
		if err == nil && pairs[""] != "" {
			t.Errorf("splitPairs(%q) has a value without a name", s)
		}
	})
}
